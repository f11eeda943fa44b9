#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "messages/evidence.pb.h"
#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion::node {

/// Whom evidence goes to: a keeper group on a node.
struct promisee {
  node_id keeper;
  group_id group{};

  friend auto operator<=>(const promisee&, const promisee&) = default;
};

/// What is to be said now. The shell adds the assessments as they are at that moment.
struct due_report {
  promisee to;
  std::uint64_t sequence = 0;
  bool full = false; // of every promise for this promisee; `uids` is then empty
  bool anew = false; // to one who may have heard nothing yet: what happened is told again as well
  std::vector<std::string> uids;
  std::vector<event> events;
};

/// Evidence on its way to keepers: what changed, batched, one report under way for each promisee,
/// resent until it is acknowledged.
///
/// Shape:  `batch` after the first change a report is due; after a failure 200 ms doubling to 5 s.
///         At most 64 events wait for a promisee, the oldest go first; what changed meanwhile joins
///         the next try.
/// Errors: a keeper that is dead is not tried until it is back, and then gets everything in full.
class reporting {
public:
  static constexpr auto batch = milliseconds{20};
  static constexpr auto first_retry = milliseconds{200};
  static constexpr auto last_retry = milliseconds{5000};
  static constexpr auto refresh = seconds{60};
  static constexpr std::size_t most_events = 64;

  void changed(const promisee& to, const std::string& uid, time_point now);
  void happened(const promisee& to, event what, time_point now);
  /// Everything again: at start, or when a keeper came back.
  void tell_all(const promisee& to, time_point now);
  /// The keeper's node died, or came alive under this start number.
  void keeper_is(const node_id& keeper, bool alive, start_number start, time_point now);
  /// No promise for it is left: once all is said, it is forgotten.
  void nothing_left(const promisee& to);

  /// At most one for each promisee; each is under way from now on.
  std::vector<due_report> due(time_point now);
  void acknowledged(const promisee& to, std::uint64_t sequence, time_point now);
  void failed(const promisee& to, std::uint64_t sequence, time_point now);
  std::optional<time_point> next_due() const;

private:
  struct state {
    std::set<std::string> dirty;
    bool all = false;
    std::deque<event> events;
    std::optional<due_report> under_way;
    std::optional<time_point> next; // when the next report is due
    milliseconds retry = first_retry;
    start_number start{};
    bool dead = false;
    bool forget = false;
  };

  bool has_news(const state& x) const { return x.all || !x.dirty.empty() || !x.events.empty(); }
  void wake(state& x, time_point at);

  std::map<promisee, state> all_;
  std::uint64_t sequence_ = 0;
};

/// Of those who keep a group (sorted), the one after this one, round and round; null: there is no other.
node_id keeper_after(const node_id& asked, const std::vector<node_id>& keepers);

} // namespace legion::node
