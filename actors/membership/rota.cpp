#include "actors/membership/rota.hpp"

#include <numeric>
#include <utility>
#include <vector>

namespace legion::membership {

namespace {

std::uint64_t next(std::uint64_t& state) {
  // splitmix64: the same on every machine, which std::shuffle is not.
  auto x = state += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

} // namespace

std::size_t rota::distance(std::uint32_t round, std::size_t others) {
  std::vector<std::size_t> order(others);
  std::iota(order.begin(), order.end(), std::size_t{1});
  std::uint64_t state = round / others;
  for (auto i = others - 1; i > 0; --i)
    std::swap(order[i], order[next(state) % (i + 1)]);
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
