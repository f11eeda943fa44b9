#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/consensus/member.hpp"

namespace legion::consensus {

/// Who decides in a group, and who only listens.
///
/// Shape:  each list sorted, without repeats; at most `most_voters` and `most_members`. A member
/// may
///         be a learner and in `outgoing` (a voter on its way down), never a learner and a voter.
/// Source: Ongaro 2014, 4.2.1 (learners), 4.3 (joint: while `outgoing` is not empty, both must
///         agree).
struct configuration {
  static constexpr std::size_t most_voters = 7;
  static constexpr std::size_t most_members = 160;

  std::vector<member_id> voters;
  std::vector<member_id> outgoing;
  std::vector<member_id> learners;

  bool empty() const { return voters.empty() && learners.empty(); }
  bool joint() const { return !outgoing.empty(); }
  bool votes(const member_id& x) const; // in either of the two
  bool has(const member_id& x) const;   // at all
  std::vector<member_id> all() const;   // sorted, without repeats

  friend bool operator==(const configuration&, const configuration&) = default;
};

/// Sorted and free of repeats.
configuration in_order(configuration x);

/// What is wrong with it, in words; empty if nothing is.
std::string flaw_of(const configuration& x);

/// As entries and snapshots carry it. Bytes that are no sound configuration read as nothing.
std::string encode(const configuration& x);
std::optional<configuration> decode_configuration(std::string_view bytes);

} // namespace legion::consensus
