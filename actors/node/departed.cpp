#include "actors/node/departed.hpp"

#include <algorithm>
#include <string>

namespace legion::node {

namespace {

constexpr std::string_view prefix = "gone/";

} // namespace

gone_pod last_seen(const commitment& x) {
  gone_pod result;
  result.set_namespace_(x.record->what().metadata().namespace_());
  result.set_pod(x.record->slot().pod());
  result.set_uid(x.record->slot().uid());
  for (const auto& c : pod_of(x.record->what()).containers()) {
    auto& into = *result.add_containers();
    into.set_name(c.name());
    for (const auto& said : x.latest.containers())
      if (said.name() == c.name())
        into.set_life(said.life());
  }
  return result;
}

void departed::restore(const std::vector<record>& journal) {
  for (const auto& x : journal) {
    gone_pod found;
    if (!x.key().starts_with(prefix) || x.value().empty() || !found.ParseFromString(x.value()))
      continue;
    last_ = std::max(last_, found.sequence());
    auto& at = ring_[found.sequence() % most];
    if (at.sequence() <= found.sequence())
      at = std::move(found);
  }
}

record departed::note(const commitment& x, wall_ms now) {
  const auto& uid = x.record->slot().uid();
  auto i = std::find_if(ring_.begin(), ring_.end(),
                        [&](const auto& y) { return y.second.uid() == uid; });
  if (i == ring_.end()) {
    auto gone = last_seen(x);
    gone.set_gone_ms(now);
    gone.set_sequence(++last_);
    i = ring_.insert_or_assign(last_ % most, std::move(gone)).first;
  }
  record result;
  result.set_key(std::string{prefix} + std::to_string(i->first));
  result.set_value(i->second.SerializeAsString());
  return result;
}

const gone_pod* departed::find(std::string_view space, std::string_view pod) const {
  const gone_pod* result = nullptr;
  for (const auto& [slot, x] : ring_)
    if (x.pod() == pod && x.namespace_() == space && (!result || x.sequence() > result->sequence()))
      result = &x;
  return result;
}

} // namespace legion::node
