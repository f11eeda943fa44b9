#pragma once

#include <cstdint>
#include <optional>

#include "actors/consensus/member.hpp"

/// Which life of a group a term belongs to.
///
/// A group whose quorum is lost for good can be begun anew from what is left of it. Members of its
/// earlier life may still be somewhere, and may come back all together, with a quorum of their own.
/// They must not go on beside the new ones, and nobody may take orders from both.
///
/// The upper half of a term is the group's incarnation. So every message and every beat says it,
/// each term of a later incarnation is higher than any of an earlier one, and a vote that was given
/// in an earlier one counts for nothing. Who hears of a later incarnation than its log's has been
/// left behind: its owner ends it (`seat`). The core knows nothing of this.
///
/// Two that raise a group at once must not both lead in one term. An incarnation is a count, and
/// below it random bits: the higher one ends the other, and equal ones are once in a million of what
/// should not happen at all. Before either is kept it asks every node: a node that has heard of one
/// raises no other with the same count, and tells nothing to one lower than it has heard of. So of
/// two whose nodes reach each other, only one is ever kept.
namespace legion::consensus {

using incarnation_number = std::uint64_t;

inline constexpr int incarnation_shift = 32; // elections of one incarnation: 4 billion
inline constexpr int incarnation_random_bits = 20;
inline constexpr incarnation_number most_incarnation = 0xffff'ffff;

/// 0: as founded.
constexpr incarnation_number incarnation_of(term_number term) {
  return term >> incarnation_shift;
}

/// The term in which an incarnation begins, before its first election.
constexpr term_number first_term(incarnation_number x) {
  return x << incarnation_shift;
}

/// Higher than any that was seen. Nothing: 4095 were.
constexpr std::optional<incarnation_number> incarnation_after(incarnation_number seen,
                                                              std::uint64_t random) {
  auto count = (seen >> incarnation_random_bits) + 1;
  auto low = random & ((incarnation_number{1} << incarnation_random_bits) - 1);
  auto result = count << incarnation_random_bits | low;
  return seen > most_incarnation || result > most_incarnation ? std::nullopt
                                                              : std::optional{result};
}

/// Of two that were chosen by those who had seen the same, one too many.
constexpr bool rivals(incarnation_number a, incarnation_number b) {
  return a != b && a >> incarnation_random_bits == b >> incarnation_random_bits;
}

/// Where the log of a raised group begins: far above any index that may have been seen anywhere.
constexpr log_index raised_index(log_index seen) {
  return seen + (log_index{1} << 32);
}

/// Begun by founding, not raised from what was left.
constexpr bool is_first(incarnation_number x) {
  return x < incarnation_number{1} << incarnation_random_bits;
}

} // namespace legion::consensus
