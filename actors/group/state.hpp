#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "actors/group/answers.hpp"
#include "messages/ids.hpp"
#include "messages/keeping.pb.h"
#include "messages/time.hpp"

namespace legion::group {

/// A slot's way: named (missing), accepted by its keeper, ended (a tombstone until its node
/// released it), gone.
enum class slot_phase : std::uint8_t { missing, accepted, ending };

const char* to_string(slot_phase x);

/// One replica's place as it was committed.
struct slot_state {
  slot what; // its order is that of the entry that accepted it
  slot_phase phase = slot_phase::missing;
  node_id node;          // null while missing
  std::string node_name; // as the offer said
  std::uint64_t offer = 0;
  std::uint64_t start = 0;
  wall_ms created_ms = 0;
  std::string finished; // the phase in which its workload ended for good; empty: it has not
};

/// One resource and all that was promised for it, by the slots' uids.
///
/// Shape:  rounds are for `why`, also of the next leader: those that named a pod which is still
///         here, oldest first; at most 64 and 128 KiB of them, beyond which the oldest go.
struct resource_state {
  static constexpr std::size_t most_rounds = 64;
  static constexpr std::size_t most_round_bytes = 128 * 1024;

  resource what;
  std::map<std::string, slot_state> slots;
  std::deque<negotiation_round> rounds;
  std::vector<earlier_template> earlier; // beside `what`, of which replicas are here; oldest first
  bool deleting = false;
  bool promised_only = false; // while a raised group gathers: no log knew it
};

/// The name under which a group knows a resource: comparable, in a listing's order.
struct resource_key {
  std::string kind;
  std::string space;
  std::string name;

  friend auto operator<=>(const resource_key&, const resource_key&) = default;
};

resource_key key_of(const resource_name& x);
resource_key key_of(const resource& x);
resource_name name_of(const resource& x);

/// Which resource an entry is about; of those about several, none.
resource_key subject_of(const group_entry& x);

/// An entry about several resources as entries about one each, with its index; others as they are.
/// One about the whole group has no parts.
void for_each_part(const group_entry& x, const std::function<void(const group_entry&)>& what);

/// Folds an entry about this resource into it. What no longer fits is without effect: a slot that
/// is gone is not accepted, a slot of a deleted resource is not named. What is leased and told of
/// late, not while the group gathers, ends: another may have been called since in its place.
void apply(resource_state& to, const group_entry& x, bool gathering = false);

/// Deleted, and nobody holds anything of it any more: its group forgets it.
inline bool is_over(const resource_state& x) {
  return x.deleting && x.slots.empty();
}

/// A group's whole state: the fold of its entries.
///
/// A group that was raised anew (`raise`) gathers: it adopts what nodes say that they hold, before
/// it keeps anything, and from each node that could not say so then, later. What no node held and no
/// log had is lost. What was deleted since then is remembered, so that a node that comes back late
/// brings none of it back. While it gathers nobody is renewed; of what is exclusive no more than is
/// wanted comes out of it, and replicas that were only named are named anew.
///
/// Shape:  the results of requests are part of it (`answers`). The last 4096 names that were deleted
///         since the group was raised.
/// Errors: an entry that is not above the last one is without effect.
class state {
public:
  explicit state(group_id group);

  static state from(const group_state& snapshot);
  group_state snapshot() const;
  /// The same, encoded.
  std::string encoded() const;

  void apply(const group_entry& x);

  /// Begins anew, gathering: every slot is under an order of this incarnation now.
  void raise(std::uint64_t incarnation, std::uint64_t index);
  bool raised() const { return raised_; }
  bool gathering() const { return gathering_; }
  /// Of a group that was raised: what this node held is known.
  bool gathered(const node_id& x) const { return gathered_.contains(x); }
  /// Something exclusive that is not known here may still run somewhere, under a lease from before
  /// the group was raised, or before a backup was restored: until nobody is said to hold anything.
  bool old_leases() const { return old_leases_; }

  group_id group() const { return group_; }
  std::uint64_t index() const { return index_; }
  std::uint64_t incarnation() const { return incarnation_; }
  const std::map<resource_key, resource_state>& resources() const { return resources_; }
  const resource_state* find(const resource_key& key) const;

  /// What a request was answered, if it was applied before.
  std::optional<remembered_request> remembered(const std::string& request_id) const {
    return answers_.find(request_id);
  }

  /// About what a snapshot takes on disk.
  std::size_t bytes() const;

private:
  void fold(const group_entry& x);
  void adopt(const group_entry& x);
  void end_gathering();
  void forget_if_over(std::map<resource_key, resource_state>::iterator i);
  void remember(const group_entry& x);
  group_state without_answers() const;

  group_id group_;
  std::uint64_t incarnation_ = 1;
  std::uint64_t index_ = 0;
  std::map<resource_key, resource_state> resources_;
  answers answers_;
  bool raised_ = false;
  bool gathering_ = false;
  std::set<node_id> gathered_;
  bool old_leases_ = false;
  std::vector<resource_key> deleted_; // oldest first
};

} // namespace legion::group
