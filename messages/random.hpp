#pragma once

#include <cstdint>

namespace legion {

/// The seeded generator that rules hold: 8 bytes of state, where a std::mt19937_64 has 2.5 KB, and
/// a simulator holds tens of thousands of them.
///
/// Shape:  the same seed, the same numbers, on every machine; each seed has the full period of 2^64.
///         Not for secrets.
/// Source: Steele, Lea and Flood 2014, splitmix64.
class seeded_random {
public:
  using result_type = std::uint64_t;

  explicit seeded_random(std::uint64_t seed = 0) : state_(seed) {}
  void seed(std::uint64_t x) { state_ = x; }

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~result_type{0}; }

  result_type operator()() {
    auto x = state_ += 0x9e3779b97f4a7c15ull;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
  }

private:
  std::uint64_t state_;
};

} // namespace legion
