#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "actors/membership/record_pool.hpp"
#include "actors/membership/shared_member.hpp"
#include "actors/membership/suspicion.hpp"
#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion::membership {

/// One member as this node believes it to be; small, for a zone of 125 nodes has 15,600 of them.
struct entry {
  record_ptr record; // never null in a table
  start_number start{};
  time_point changed;
  std::unique_ptr<suspicion> doubt; // while suspect
  std::uint32_t incarnation = 0;
  member_state state = member_alive;

  const node_id& id() const { return record->id; }
  bool living() const { return state == member_alive || state == member_suspect; }
  bool keeps() const { return record->said.keeps() != 0; }
};

/// What is newer: a higher start number supersedes everything of the lower; within one start the
/// higher incarnation, and within that the worse state. Total, so that all tables converge.
/// Source: Das et al. 2002, SWIM 4.2. Differs: start numbers; death yields to a higher incarnation,
///         so that a partition heals.
struct standing {
  start_number start{};
  std::uint32_t incarnation = 0;
  member_state state = member_alive;

  friend auto operator<=>(const standing&, const standing&) = default;
};

inline standing standing_of(const entry& x) {
  return {x.start, x.incarnation, x.state};
}

/// The zone's members by id. Pointers to entries hold until the next `add` or `remove`.
class member_table {
public:
  entry* find(const node_id& id);
  const entry* find(const node_id& id) const;
  entry& add(entry x); // the id must be new
  void remove(const node_id& id);

  std::vector<entry>& all() { return entries_; }
  const std::vector<entry>& all() const { return entries_; }

  std::size_t living() const;

  /// The same for two tables that agree on all that matters: everyone but the dead that keep
  /// nothing, suspects taken as alive.
  std::uint64_t digest() const;

private:
  std::size_t place_of(const node_id& id) const;

  std::vector<entry> entries_;       // sorted by id
  std::vector<std::uint32_t> heads_; // the first bytes of their ids, to search in one place
};

/// The entry as others are told of it.
member_update update_of(const entry& x, bool with_record);

/// `member.life` of its present start; 0: not known.
std::uint32_t life_of(const entry& x);
/// Of the same start, but said of another process: an old copy of a journal counts a start twice.
bool is_of_another_life(const entry& x, start_number start, std::uint32_t life);

/// The record with the entry's start number, which may be newer.
shared_member record_of(const entry& x);

/// Most bytes of a record; what is longer is not even read.
inline constexpr std::size_t longest_record = 4096;

/// Whether a stranger's record may be kept: lengths, and that it says whose it is.
bool acceptable(const member& x);

} // namespace legion::membership
