#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion::promise {

/// The leases of the promises made here: when to ask each keeper group, and what its answers allow.
///
/// A lease counts from when it was asked, never from when it was answered: see keeper/lease.hpp. A
/// leased workload is launched only with a deadline that an answer gave.
///
/// Shape:  one ask a group is under way and remembered by its sequence, with the last few; a lost
///         one is asked anew at the next time.
/// Units:  boot-time milliseconds.
class renewals {
public:
  struct ask {
    std::uint32_t group = 0;
    std::uint64_t sequence = 0;
    std::vector<std::string> uids;
  };
  /// For the driver; the first of a workload lets it be launched.
  struct renew {
    std::string uid;
    std::int64_t until_ms = 0;
  };

  renewals(milliseconds lease, milliseconds again) : lease_(lease), again_(again) {}

  void add(const std::string& uid, std::uint32_t group);
  void remove(const std::string& uid);

  /// What is to be asked now, one for each group.
  std::vector<ask> due(std::int64_t now_ms);
  /// When `due` has something to say next; -1: never.
  std::int64_t next_due() const;
  /// A leader renewed these; what is not known here, or was asked too long ago, changes nothing.
  std::vector<renew> on_answer(std::uint64_t sequence, const std::vector<std::string>& uids,
                               std::int64_t now_ms);
  /// 0: it has no deadline yet, and must not run.
  std::int64_t until(const std::string& uid) const;

private:
  struct lease {
    std::uint32_t group = 0;
    std::int64_t until = 0;
  };
  struct sent {
    std::uint64_t sequence = 0;
    std::int64_t at = 0;
    std::uint32_t group = 0;
  };

  milliseconds lease_;
  milliseconds again_;
  std::uint64_t next_sequence_ = 1;
  std::map<std::string, lease> leases_;
  std::map<std::uint32_t, std::int64_t> ask_at_; // by group
  std::deque<sent> sent_;                        // oldest first; those whose lease has run out go
};

} // namespace legion::promise
