#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "actors/consensus/lean_queue.hpp"
#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion::promise {

/// The leases of the promises made here: when to ask each keeper group, and what its answers allow.
///
/// A lease counts from when it was asked, never from when it was answered: see keeper/lease.hpp. A
/// leased workload is launched only with a deadline that an answer gave.
///
/// Shape:  an ask names each promise's keeper as it is known; who leads the group is learned from
///         answers, and after an ask that failed the next candidate is asked.
///         Asks are remembered by their sequence for as long as a lease may last; a lost one is
///         asked anew at the next time.
/// Units:  boot-time milliseconds.
class renewals {
public:
  struct ask {
    std::uint32_t group = 0;
    node_id to; // who is believed to lead the group
    std::uint64_t sequence = 0;
    std::vector<std::string> uids;
  };
  /// For the driver; the first of a workload lets it be launched.
  struct renew {
    std::string uid;
    std::int64_t until_ms = 0;
  };

  explicit renewals(milliseconds again) : again_(again) {}

  void add(const std::string& uid, std::uint32_t group, const node_id& keeper, milliseconds lease);
  void remove(const std::string& uid);
  bool empty() const { return leases_.empty(); }

  /// What is to be asked now, one for each group.
  std::vector<ask> due(std::int64_t now_ms);
  /// When `due` has something to say next; -1: never.
  std::int64_t next_due() const;
  /// A leader renewed these; what is not known here, or was asked too long ago, changes nothing.
  std::vector<renew> on_answer(std::uint64_t sequence, const std::vector<std::string>& uids,
                               std::int64_t now_ms);
  /// Who was asked does not lead the group: `leader` may, or, if it is null, the next of those who
  /// say that they keep it. The next ask goes there; at once if it is somebody else, but for the
  /// second time in a row.
  void on_refused(std::uint64_t sequence, const node_id& leader,
                  const std::vector<node_id>& keepers, std::int64_t now_ms);
  /// 0: it has no deadline yet, and must not run.
  std::int64_t until(const std::string& uid) const;

private:
  struct lease {
    std::uint32_t group = 0;
    std::int64_t length = 0;
    std::int64_t until = 0;
  };
  struct seat {
    node_id leader;
    std::int64_t ask_at = 0;
    bool hurried = false; // asked again at once since the last answer
  };
  struct sent {
    std::uint64_t sequence = 0;
    std::int64_t at = 0;
    std::uint32_t group = 0;
  };

  static constexpr std::size_t most_sent = 4096;

  milliseconds again_;
  std::int64_t longest_ = 0;
  std::uint64_t next_sequence_ = 1;
  std::map<std::string, lease> leases_;
  std::map<std::uint32_t, seat> seats_; // by group
  consensus::lean_queue<sent> sent_;    // oldest first; those whose lease has run out go
};

} // namespace legion::promise
