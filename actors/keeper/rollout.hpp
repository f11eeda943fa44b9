#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "actors/broken_rule.hpp"
#include "actors/group/state.hpp"
#include "actors/keeper/assessment.hpp"
#include "actors/keeper/history.hpp"
#include "actors/keeper/members.hpp"
#include "actors/placement/round.hpp"
#include "messages/fault.hpp"
#include "messages/random.hpp"

namespace legion::keeper {

/// The node's monotonic time for decisions, wall time for people.
struct moment {
  time_point now;
  wall_ms wall = 0;
};

/// All of it in one batch, or nothing; answered by on_proposed or on_refused.
struct propose {
  std::vector<group_entry> entries;
};
/// One at a time; answered by on_placed.
struct place {
  call what;
  std::vector<placement::volunteer> among;
  std::uint64_t seed = 0;
};
/// `offer` names the errand when its answer comes back; what is sent may name none.
struct send_accept {
  node_id to;
  std::uint64_t offer = 0;
  accept what;
};
/// Of an offer that serves nothing (nobody waits for its answer), or of slots.
struct send_release {
  node_id to;
  release what;
};
using effect = std::variant<propose, place, send_accept, send_release>;

/// Keeps one resource's promise to its author: wanted against promised.
///
/// Shape:  level-triggered. Whatever comes in, `reconcile` compares what is committed with what is
///         wanted and takes the next step: one proposal, one call, one accept per offer and one
///         release per node at a time. What is durable changes by committed entries only; an accept
///         is built from them, so it is never sent before it is committed.
/// Units:  `due` says when `on_tick` is of use; nothing is due while all is as wanted.
/// Errors: silence is resent with back-off, never reassigned; a slot is called anew only after
///         regret, release, or its node's death, as membership says; a leased one not before its
///         last lease is over besides, unless its node saw it end.
/// Source: Burgess and Bergstra 2014, Promise Theory; Kubernetes' deployment controller for counts.
class rollout {
public:
  /// `term`: in which this keeper's node leads the group. `exclusive_from`: when what is exclusive
  /// may be called; until then, replicas that nobody here knows of may run.
  rollout(group::resource_state kept, group_id group, node_id self, std::uint64_t term,
          std::uint64_t seed, moment t, broken_rule broken = broken_rule::none,
          time_point exclusive_from = {});

  using effects = std::vector<effect>;
  effects on_members(member_table_ptr x, moment t);
  effects on_committed(const std::vector<group_entry>& xs, moment t);
  effects on_proposed(moment t);
  effects on_refused(const fault& why, moment t);
  effects on_placed(placement::outcome x, moment t);
  /// An answer to a round that is decided: for `why` only.
  void on_late(std::uint64_t call, const candidate& x) { history_.amend(call, x); }
  effects on_accept_reply(const node_id& from, std::uint64_t offer, const accept_reply& x,
                          moment t);
  effects on_accept_failed(const node_id& from, std::uint64_t offer, moment t);
  effects on_release_reply(const node_id& from, const release_reply& x, moment t);
  effects on_release_failed(const node_id& from, moment t);
  effects on_heard(const report& x, moment t);
  /// A node asked for leases, and a quorum confirmed since that we lead: those that it gets.
  std::vector<std::string> on_lease_ask(const node_id& from, const std::vector<std::string>& uids,
                                        moment t);
  effects on_tick(moment t);

  std::optional<time_point> due(time_point now) const;

  resource_view view(moment t, bool with_events) const;
  /// Nothing is known of a pod that this resource never had, or that is gone for long.
  std::optional<explanation> explain(const std::string& pod, moment t) const;

  const group::resource_state& kept() const { return kept_; }

private:
  struct errand {
    time_point due;
    std::uint32_t attempt = 0;
    bool under_way = false;
  };
  using offer_key = std::pair<node_id, std::uint64_t>;
  using uid_set = std::set<std::string>;
  using revisions = std::vector<std::string>;

  effects reconcile(moment t);
  void settle(std::vector<group_entry>& into, uid_set& leaving, revisions& lost, moment t);
  void follow_plan(std::vector<group_entry>& into, uid_set& leaving, const revisions& lost,
                   moment t);
  void add_ended(std::vector<group_entry>& into, std::map<std::string, slots_ended> by_reason,
                 moment t) const;
  void assign(std::vector<group_entry>& into, const uid_set& leaving, moment t, effects& out);
  void call_for_missing(moment t, effects& out);
  void ask_the_returned(moment t);
  void send_errands(moment t, effects& out);
  void list_errands(moment t);
  void drop_outcome(effects& out);
  void fold(const group_entry& x, moment t);
  void set_back(moment t);
  void call_sooner(moment t);
  void tell_of(const group_entry& x, moment t);
  void tell_regret(const group::slot_state& of, const std::string& why, moment t);

  slots_named name_slots(int count, moment t);
  slot recalled(const std::string& revision, std::set<std::string>& taken, moment t);
  std::set<std::string> taken_names() const;
  std::string fresh_name(const std::string& revision, std::set<std::string>& taken);
  bool can_recall(const std::string& revision) const;
  const earlier_template* earlier_of(const std::string& revision) const;
  std::string next_to_call() const;
  group_entry entry(moment t) const;
  accept accept_of(const offer_key& key) const;
  release release_of(const node_id& node) const;
  bool is_dead(const node_id& node, time_point now) const;
  bool has_left(const node_id& node) const;
  time_point may_call_from() const;
  bool may_run(const group::slot_state& slot, const watch& heard, time_point now) const;
  void tell(const char* type, const char* reason, std::string object, std::string message,
            moment t);
  std::optional<pod_view> unnamed_pod() const;
  std::size_t missing() const;
  std::set<std::string> pods_that_live() const;

  group::resource_state kept_;
  group_id group_;
  node_id self_;
  std::uint64_t term_;
  broken_rule broken_;
  seeded_random random_;
  time_point started_;
  time_point exclusive_from_;
  std::string revision_;
  watches watches_;
  member_table_ptr members_;
  history history_;
  std::map<offer_key, errand> accepts_;
  std::map<node_id, errand> releases_;
  std::map<node_id, time_point> returned_; // began again; when it is asked what it still holds
  std::deque<slot> names_;                 // regretted slots, to be called anew under their names
  bool proposing_ = false;
  std::optional<time_point> propose_again_;
  bool calling_ = false;
  std::string called_revision_;
  std::vector<std::string> called_pods_;
  std::optional<placement::outcome> outcome_; // to be assigned, or in the proposal under way
  bool committing_outcome_ = false;
  std::uint32_t vain_calls_ = 0;
  std::uint32_t setbacks_ = 0; // regrets and failures since a replica was last ready
  time_point call_due_;
  time_point set_back_until_;
  time_point called_at_;
  std::string note_;
  std::string refused_; // why the last proposal was not committed
};

} // namespace legion::keeper
