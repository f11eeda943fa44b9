#include "actors/node_context.hpp"

namespace legion {

std::uint64_t node_context::seed_for(std::string_view actor_path) const {
  // FNV-1a: small, and the same on every machine, unlike std::hash.
  std::uint64_t hash = 14695981039346656037ull;
  for (unsigned char c : actor_path)
    hash = (hash ^ c) * 1099511628211ull;
  return seed ^ hash;
}

} // namespace legion
