#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/membership/remembered_member.hpp"
#include "actors/membership/shared_member.hpp"
#include "messages/ids.hpp"
#include "messages/journal.pb.h"
#include "messages/membership.pb.h"
#include "messages/supervision.pb.h"

namespace legion::node {

/// Most members that a node remembers for its next start.
inline constexpr std::size_t most_remembered_members = 16;

inline constexpr const char* cordon_key = "cordoned";

/// Whether the node was cordoned when it stopped: as the roster has it that it knew last; before
/// there was a charter, it kept that itself.
bool was_cordoned(const std::vector<record>& journal, const node_id& self);

inline constexpr const char* damage_key = "damage";
/// The charter's log was here, and went with a damaged journal.
inline constexpr const char* charter_lost_key = "charter/lost";

/// That this journal took the place of a damaged one; nothing if it did not.
std::optional<damage_record> damage_in(const std::vector<record>& journal);

/// Whose member was told that its log is shorter than what it acknowledged ("group/7", "charter"):
/// this journal is an old copy, or lost its end. Empty: nobody's.
std::string outdated_in(const std::vector<record>& journal);

/// What the journal that follows a damaged one begins with: all but the groups' records, which may
/// lack what was acknowledged. Promises are marked. The start number is set to the time, in
/// seconds, unless it is higher: the last ones may be lost, and no start may share a number.
std::vector<record> carried_over(std::vector<record> salvaged, damage_record what);

/// Whether the journal has a log of the charter, or of what this node voted there.
bool has_charter(const std::vector<record>& journal);

/// Whether this node begins the zone's charter: it founds the zone, or it did and its journal, with
/// groups in it, never knew a charter (a zone of an earlier version has none).
bool founds_charter(bool founds, const std::vector<record>& journal);

/// Every promise in the journal, in the order of the uids.
std::vector<promise_record> promises_in(const std::vector<record>& journal);

/// The promise of a workload as its supervisor keeps it, marked as salvaged; nothing if it has none.
std::optional<promise_record> copy_of_promise(const std::string& uid,
                                              const std::vector<process_status>& found);

/// A promise that nobody relies on, for a workload that runs without one: it is ended like others.
promise_record stray_record(const std::string& uid, const std::vector<process_status>& found);

/// Whom (id, endpoint, key) a node asks to join its zone again: the members that it remembers, then
/// the rest of the roster that it knew. Those members may be an island only: the side of a cut on
/// which it started last. First of all come those that keep groups with it, by the roster's hints.
std::vector<member> contacts_in(const std::vector<record>& journal, const node_id& self);

/// The members as they were known last, by now's clocks.
std::vector<remembered_member> remembered_in(const std::vector<record>& journal, time_point now,
                                             wall_ms wall_now);

/// The living members that follow this node in the order of ids: so that a zone's nodes remember
/// different ones. Without the node itself; id, endpoint and key of each.
known_members members_to_remember(const node_id& self, std::vector<shared_member> living);

} // namespace legion::node
