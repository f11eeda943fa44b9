#include "actors/keeper/revision.hpp"

#include <cstdint>
#include <string_view>

#include "actors/keeper/lease.hpp"

namespace legion::keeper {

namespace {

// Kubernetes' apimachinery/pkg/util/rand.
constexpr std::string_view alphabet = "bcdfghjklmnpqrstvwxz2456789";

} // namespace

pod_template template_of(const resource& x) {
  if (x.has_deployment())
    return x.deployment().template_();
  pod_template result;
  *result.mutable_spec() = x.pod();
  *result.mutable_metadata()->mutable_labels() = x.metadata().labels();
  *result.mutable_metadata()->mutable_annotations() = x.metadata().annotations();
  return result;
}

int wanted_of(const resource& x) {
  return x.has_deployment() ? x.deployment().replicas() : 1;
}

std::string revision_of(const resource& x) {
  // Labels of a bare Pod may change without its replica starting anew.
  auto bytes = x.has_deployment() ? x.deployment().template_().SerializeAsString()
                                  : x.pod().SerializeAsString();
  if (x.has_pod() && is_exclusive(x)) // what runs without a lease cannot be given one
    bytes += exclusive_annotation;
  std::uint64_t hash = 14695981039346656037ull;
  for (unsigned char c : bytes)
    hash = (hash ^ c) * 1099511628211ull;
  hash ^= hash >> 32;
  std::string result;
  for (int i = 0; i < 10; ++i, hash /= alphabet.size())
    result += alphabet[hash % alphabet.size()];
  return result;
}

/// A pod's name, as any, has at most 253 characters: of one as long as that the end is left out.
std::string pod_stem(std::string name) {
  constexpr std::size_t most = 253 - std::string_view{"-0123456789-01234"}.size();
  if (name.size() > most) {
    name.resize(most);
    name.resize(name.find_last_not_of("-.") + 1);
  }
  return name + "-";
}

std::string random_suffix(seeded_random& random) {
  std::string result;
  for (int i = 0; i < 5; ++i)
    result += alphabet[random() % alphabet.size()];
  return result;
}

} // namespace legion::keeper
