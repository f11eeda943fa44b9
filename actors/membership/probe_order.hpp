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
/// Shape:  each member once a round. One that was heard from in this round is passed over: it has
///         proved that it lives.
/// Source: Das et al. 2002, SWIM 4.3. Differs: passing over those heard from, which nearly doubles
///         how often a silent member is probed, at the same traffic.
class probe_order {
public:
  void add(const node_id& x, std::mt19937_64& random);
  void remove(const node_id& x);
  void heard(const node_id& x);
  std::optional<node_id> next(std::mt19937_64& random);
  std::size_t size() const { return members_.size(); }

private:
  struct place {
    node_id id;
    bool heard = false;
  };
  std::vector<place> members_;
  std::size_t next_ = 0;
};

} // namespace legion::membership
