#include "actors/gateway/restoring.hpp"

#include <algorithm>
#include <set>

#include "actors/group/whereabouts.hpp"

namespace legion::gateway {

namespace {

constexpr std::size_t most_under_way = 16;
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
  append(out, advance(at));
  return out;
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
  x.request.set_group(group);
  x.request.set_request_id(part_id(what_.request_id(), batches_.size()));
  auto id = ids_.next();
  by_id_[id] = batches_.size();
  batches_.push_back({errand{id, std::move(x.request), "keeper group " + std::to_string(group)},
                      std::move(x.resources)});
}

effects restoring::advance(const surroundings& at) {
  effects out;
  while (next_ < batches_.size() && under_way_ < most_under_way) {
    auto& x = batches_[next_++].work;
    append(out, x.start(at));
    if (!x.done())
      ++under_way_;
  }
  if (under_way_ == 0)
    append(out, finish());
  return out;
}

effects restoring::on(std::uint64_t id, const answer& what, const surroundings& at) {
  auto i = by_id_.find(id);
  if (i == by_id_.end() || batches_[i->second].work.done())
    return {};
  auto& x = batches_[i->second].work;
  auto out = x.on(what, at);
  if (x.done()) {
    --under_way_;
    append(out, advance(at));
  }
  return out;
}

effects restoring::on_wake(std::uint64_t id, const surroundings& at) {
  auto i = by_id_.find(id);
  if (i == by_id_.end() || batches_[i->second].work.done())
    return {};
  auto& x = batches_[i->second].work;
  auto out = x.on_wake(at);
  if (x.done()) {
    --under_way_;
    append(out, advance(at));
  }
  return out;
}

effects restoring::finish() {
  for (const auto& x : batches_) {
    const auto& answer = x.work.reply();
    const auto& results = answer.restored().results();
    auto fits = answer.has_restored() && results.size() == static_cast<int>(x.resources.size());
    for (std::size_t i = 0; i < x.resources.size(); ++i) {
      auto& result = *reply_.mutable_results(x.resources[i]);
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
