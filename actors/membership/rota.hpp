#pragma once

#include <cstddef>
#include <cstdint>

namespace legion::membership {

/// Whom each member probes in which round: a random order without repeats that all members share.
///
/// In SWIM every member shuffles for itself, so probes of one member come at random: now two at
/// once, now none for three intervals and, one time in a hundred, for 4.6. With one shuffle for all
/// (seeded by the cycle, as a distance along the sorted list), each member is probed by exactly one
/// other in each round, and silence is noticed within two intervals, for the same traffic.
///
/// Shape:  within a cycle of n - 1 rounds each member probes each other once, in an order that
///         looks random; another n or cycle, another order.
/// Source: Das et al. 2002, SWIM 4.3. Differs: the order is shared; docs/membership.md has what
///         that gains.
class rota {
public:
  static constexpr std::uint32_t rounds = 1u << 21; // three bytes on the wire; then from 0 again

  /// How far along the sorted ring of members the target is: 1 to `others`; `others` is not 0.
  static std::size_t distance(std::uint32_t round, std::size_t others);

  /// The next round, or the one that was heard of if that is later: so all come to be in step.
  std::uint32_t advance();
  void heard(std::uint32_t round);

private:
  static bool later(std::uint32_t a, std::uint32_t b) {
    return a != b && (a - b) % rounds < rounds / 2;
  }

  std::uint32_t round_ = 0;
  std::uint32_t heard_ = 0;
};

} // namespace legion::membership
