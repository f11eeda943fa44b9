#include "actors/gateway/restoring.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "actors/group/whereabouts.hpp"

namespace legion::gateway {

namespace {

constexpr std::size_t batch_bytes = 256 * 1024; // and the resource that takes it over

} // namespace

effects restoring::start(const surroundings& at) {
  const auto& what = what_.restore();
  std::set<std::string> seen;
  for (const auto& x : what.resources()) {
    if (x.deleting())
      continue;
    auto name = name_of(x.what());
    if (kind_of(x.what().kind()).empty())
      return refuse(refusal_unsupported, shown(name)
                                             + " cannot be restored: deployments and pods "
                                               "can");
    if (!seen.insert(shown(name)).second)
      return refuse(refusal_invalid, shown(name) + " is named twice: once is allowed");
    *reply_.add_results()->mutable_name() = name;
    pack(reply_.results_size() - 1, x);
  }
  while (!open_.empty())
    close(open_.begin()->first);
  effects out{still_at_it()};
  append(out, batches_.advance(at));
  return end_if_over(std::move(out));
}

void restoring::pack(int place, const kept_resource& x) {
  auto group = value(group::group_of(name_of(x.what())));
  auto& to = open_[group];
  auto& request = *to.request.mutable_restore();
  request.set_incarnation(what_.restore().incarnation());
  request.set_replace(what_.restore().replace());
  request.set_missing_only(what_.restore().missing_only());
  request.set_dry_run(what_.restore().dry_run());
  auto& kept = *request.add_resources();
  *kept.mutable_what() = x.what();
  for (const auto& y : x.slots()) // the others' nodes are no more, or are known better
    if (!y.finished().empty())
      *kept.add_slots() = y;
  to.resources.push_back(place);
  to.bytes += kept.ByteSizeLong();
  if (to.bytes >= batch_bytes)
    close(group);
}

void restoring::close(std::uint32_t group) {
  auto x = std::move(open_.extract(group).mapped());
  batches_.add(what_.request_id(), group, std::move(x.request),
               "keeper group " + std::to_string(group));
  resources_.push_back(std::move(x.resources));
}

effects restoring::on(std::uint64_t id, const answer& what, const surroundings& at) {
  return end_if_over(batches_.on(id, what, at));
}

effects restoring::on_wake(std::uint64_t id, const surroundings& at) {
  return end_if_over(batches_.on_wake(id, at));
}

effects restoring::end_if_over(effects so_far) {
  if (batches_.over() && !std::exchange(over_, true))
    append(so_far, finish());
  return so_far;
}

effects restoring::finish() {
  for (std::size_t batch = 0; batch < batches_.size(); ++batch) {
    const auto& places = resources_[batch];
    const auto& answer = batches_[batch].reply();
    const auto& results = answer.restored().results();
    auto fits = answer.has_restored() && results.size() == static_cast<int>(places.size());
    for (std::size_t i = 0; i < places.size(); ++i) {
      auto& result = *reply_.mutable_results(places[i]);
      auto name = result.name();
      if (fits)
        result = results[static_cast<int>(i)];
      else if (answer.has_refused())
        *result.mutable_refused() = answer.refused();
      else
        *result.mutable_refused() =
            make_refusal(refusal_unknown, "the keeper's answer makes no sense");
      *result.mutable_name() = std::move(name);
    }
  }
  auto refused = 0;
  for (const auto& x : reply_.results()) {
    if (!x.has_refused())
      continue;
    ++refused;
    auto code = x.refused().code();
    if (what_.restore().dry_run() && code != refusal_unreachable && code != refusal_deadline)
      continue; // that is the answer, and nothing failed
    if (!reply_.has_refused()
        || (code == refusal_deadline && reply_.refused().code() != refusal_deadline))
      *reply_.mutable_refused() = x.refused();
  }
  if (refused > 0 && !what_.restore().dry_run())
    reply_.mutable_refused()->set_detail(std::to_string(refused) + " of "
                                         + std::to_string(reply_.results_size())
                                         + " resources were not restored");
  reply_.set_last(true);
  return {say{std::move(reply_)}};
}

} // namespace legion::gateway
