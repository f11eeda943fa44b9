#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>

#include "actors/consensus/member.hpp"

namespace legion {

/// How far other nodes' journals were, by what they said themselves: with each mail of their groups'
/// members. A journal that is found to end before what its earlier starts said is an old copy.
///
/// Shape: the newest journal of each node; at most `most` nodes. Safe from any thread.
class journal_ends {
public:
  static constexpr std::size_t most = 1024;

  struct end {
    consensus::journal_id journal;
    start_number start{};     // that said so last
    std::uint64_t rows = 0;   // of that start
    std::uint64_t before = 0; // of the starts before
  };

  void heard(const consensus::member_id& who, start_number start, std::uint64_t rows) {
    std::lock_guard guard{mutex_};
    auto i = known_.find(who.node);
    if (i == known_.end() && known_.size() >= most)
      return;
    auto& x = i == known_.end() ? known_[who.node] : i->second;
    if (x.start < start && x.journal != who.journal)
      x = {who.journal, start, rows, 0};
    else if (x.journal != who.journal)
      return; // late: that journal is over
    else if (x.start < start)
      x = {who.journal, start, rows, std::max(x.before, x.rows)};
    else if (x.start == start)
      x.rows = std::max(x.rows, rows);
  }

  /// How many rows the starts before `start` had of this journal; 0: nothing was heard of them.
  std::uint64_t before(const consensus::member_id& who, start_number start) const {
    auto x = of(who.node);
    if (x.journal != who.journal)
      return 0;
    return x.start < start ? std::max(x.before, x.rows) : x.before;
  }

  end of(const node_id& x) const {
    std::lock_guard guard{mutex_};
    auto i = known_.find(x);
    return i == known_.end() ? end{} : i->second;
  }

private:
  mutable std::mutex mutex_;
  std::map<node_id, end> known_;
};

} // namespace legion
