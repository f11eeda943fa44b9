#include "actors/membership/rota.hpp"

#include <numeric>
#include <utility>
#include <vector>

#include "messages/random.hpp"

namespace legion::membership {

std::size_t rota::distance(std::uint32_t round, std::size_t others) {
  std::vector<std::size_t> order(others);
  std::iota(order.begin(), order.end(), std::size_t{1});
  seeded_random random{round / others}; // the same on every machine, which std::shuffle is not
  for (auto i = others - 1; i > 0; --i)
    std::swap(order[i], order[random() % (i + 1)]);
  return order[round % others];
}

std::uint32_t rota::advance() {
  auto next = (round_ + 1) % rounds;
  round_ = later(heard_, next) ? heard_ : next;
  heard_ = round_;
  return round_;
}

void rota::heard(std::uint32_t round) {
  if (round < rounds && later(round, heard_))
    heard_ = round;
}

} // namespace legion::membership
