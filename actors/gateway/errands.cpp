#include "actors/gateway/errands.hpp"

#include <utility>

namespace legion::gateway {

namespace {

constexpr std::size_t most_under_way = 16;

} // namespace

void errands::add(const std::string& request_id, std::uint32_t group, group_request what,
                  std::string subject) {
  what.set_group(group);
  what.set_request_id(part_id(request_id, all_.size()));
  auto id = ids_.next();
  by_id_[id] = all_.size();
  all_.emplace_back(id, std::move(what), std::move(subject));
}

effects errands::advance(const surroundings& at) {
  effects out;
  while (next_ < all_.size() && under_way_ < most_under_way) {
    auto& x = all_[next_++];
    append(out, x.start(at));
    if (!x.done())
      ++under_way_;
  }
  return out;
}

template <class Step>
effects errands::step(std::uint64_t id, const surroundings& at, Step step) {
  auto i = by_id_.find(id);
  if (i == by_id_.end() || all_[i->second].done())
    return {};
  auto& x = all_[i->second];
  auto out = step(x);
  if (x.done()) {
    --under_way_;
    append(out, advance(at));
  }
  return out;
}

effects errands::on(std::uint64_t id, const answer& what, const surroundings& at) {
  return step(id, at, [&](errand& x) { return x.on(what, at); });
}

effects errands::on_wake(std::uint64_t id, const surroundings& at) {
  return step(id, at, [&](errand& x) { return x.on_wake(at); });
}

} // namespace legion::gateway
