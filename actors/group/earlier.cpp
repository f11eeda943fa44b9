#include "actors/group/earlier.hpp"

#include <algorithm>

#include "actors/keeper/revision.hpp"

namespace legion::group {

namespace {

bool has_replica_of(const resource_state& of, const std::string& revision) {
  return std::any_of(of.slots.begin(), of.slots.end(),
                     [&](const auto& x) { return x.second.what.revision() == revision; });
}

void forget(resource_state& of, const std::string& revision) {
  std::erase_if(of.earlier, [&](const earlier_template& x) { return x.revision() == revision; });
}

} // namespace

void keep_earlier(resource_state& of, const resource& next) {
  if (!of.what.has_deployment() || !next.has_deployment())
    return;
  auto before = keeper::revision_of(of.what);
  auto after = keeper::revision_of(next);
  // The document of what is paused may be of a template that nothing runs.
  auto waits = !next.deployment().awaited().empty();
  if (!waits)
    forget(of, after);
  auto known = std::any_of(of.earlier.begin(), of.earlier.end(),
                           [&](const earlier_template& x) { return x.revision() == before; });
  if (known || (before == after && !waits) || !has_replica_of(of, before))
    return;
  earlier_template x;
  x.set_revision(before);
  *x.mutable_template_() = of.what.deployment().template_();
  x.set_document(of.what.document());
  x.set_generation(of.what.metadata().generation());
  x.set_resource_version(of.what.metadata().resource_version());
  of.earlier.push_back(std::move(x));
  while (of.earlier.size() > most_earlier || bytes_of_earlier(of) > most_earlier_bytes)
    of.earlier.erase(of.earlier.begin());
}

void forget_earlier(resource_state& of) {
  std::erase_if(of.earlier,
                [&](const earlier_template& x) { return !has_replica_of(of, x.revision()); });
}

std::size_t bytes_of_earlier(const resource_state& of) {
  std::size_t result = 0;
  for (const auto& x : of.earlier)
    result += x.ByteSizeLong();
  return result;
}

} // namespace legion::group
