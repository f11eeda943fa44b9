#pragma once

#include <cstddef>
#include <optional>
#include <random>
#include <vector>

#include "messages/ids.hpp"

namespace legion::membership {

/// Whom to probe next: a random order without repeats, shuffled anew after each round; a new member
/// is inserted at a random place.
///
/// Shape:  each member once a round, so two probes of one member by one node are at most 2n - 1
///         intervals apart.
/// Source: Das et al. 2002, SWIM 4.3.
class probe_order {
public:
  void add(const node_id& x, std::mt19937_64& random);
  void remove(const node_id& x);
  std::optional<node_id> next(std::mt19937_64& random);
  std::size_t size() const { return members_.size(); }

private:
  std::vector<node_id> members_;
  std::size_t next_ = 0;
};

} // namespace legion::membership
