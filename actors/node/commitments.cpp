#include "actors/node/commitments.hpp"

#include <algorithm>

namespace legion::node {

namespace {

std::string text_of(const order_number& x) {
  return std::to_string(x.incarnation()) + "." + std::to_string(x.index());
}

std::string stale(const order_number& got, const order_number& known) {
  return "order " + text_of(got) + " came after " + text_of(known);
}

} // namespace

resource_name name_of(const resource& x) {
  resource_name result;
  result.set_kind(x.kind());
  result.set_namespace_(x.metadata().namespace_());
  result.set_name(x.metadata().name());
  return result;
}

const pod_spec& pod_of(const resource& x) {
  return x.has_pod() ? x.pod() : x.deployment().template_().spec();
}

const metadata& pod_metadata_of(const resource& x) {
  return x.has_pod() ? x.metadata() : x.deployment().template_().metadata();
}

std::vector<int> port_wishes(const resource& x) {
  std::vector<int> result;
  for (const auto& container : pod_of(x).containers())
    for (const auto& port : container.ports())
      result.push_back(port.host_port());
  return result;
}

std::string promise_key(const std::string& uid) {
  return "promise/" + uid;
}

commitments::judgement commitments::judge_accept(const slot& x, time_point now) const {
  if (x.uid().empty())
    return {verdict::regret, regret_unknown, "a slot without a uid"};
  if (auto* known = find(x.uid())) {
    auto order = compare(x.order(), known->record->slot().order());
    if (is_below(x.order(), known->record->slot().order()))
      return {verdict::regret, regret_stale_order, stale(x.order(), known->record->slot().order())};
    // Who is told that it ended takes it for gone: not before a restart knows that, too.
    if (known->end_when_settled || (known->phase == phase::ending && !known->end_is_kept))
      return {verdict::pending, regret_unknown, {}};
    if (known->phase == phase::ending)
      return order == 0
                 ? judgement{verdict::regret, regret_stale_order, "it was released since"}
                 : judgement{verdict::regret, regret_unknown_offer, "its last life still stops"};
    if (known->phase == phase::binding)
      return {verdict::pending, regret_unknown, {}};
    return {order == 0 ? verdict::same : verdict::raised, regret_unknown, {}};
  }
  if (auto* over = remembered(x.uid(), now); over && compare(x.order(), over->order) <= 0)
    return {verdict::regret, regret_stale_order, stale(x.order(), over->order)};
  return {verdict::fresh, regret_unknown, {}};
}

commitments::release_verdict commitments::judge_release(const slot& x, time_point now) {
  auto* known = find(x.uid());
  if (!known) {
    remember(x.uid(), x.order(), now, false);
    return release_verdict::unknown;
  }
  if (is_below(x.order(), known->record->slot().order()))
    return release_verdict::stale;
  return known->phase == phase::bound ? release_verdict::end : release_verdict::waits;
}

bool commitments::is_below(const order_number& x, const order_number& known) const {
  return compare(x, known) < 0 && broken_ != broken_rule::highest_order_holds;
}

void commitments::add(promise_record record, phase where) {
  auto uid = record.slot().uid();
  commitment x;
  x.record = std::make_shared<const promise_record>(std::move(record));
  x.phase = where;
  all_.insert_or_assign(std::move(uid), std::move(x));
}

void commitments::raise(const std::string& uid, const order_number& to) {
  auto* x = find(uid);
  if (!x || compare(to, x->record->slot().order()) <= 0)
    return;
  auto record = *x->record;
  *record.mutable_slot()->mutable_order() = to;
  x->record = std::make_shared<const promise_record>(std::move(record));
}

void commitments::is_current(const std::string& uid) {
  auto* x = find(uid);
  if (!x)
    return;
  auto record = *x->record;
  record.set_salvaged(false);
  x->record = std::make_shared<const promise_record>(std::move(record));
}

void commitments::kept_by(const std::string& uid, const node_id& keeper) {
  auto* x = find(uid);
  if (!x)
    return;
  auto record = *x->record;
  record.set_keeper(keeper.bytes());
  x->record = std::make_shared<const promise_record>(std::move(record));
}

commitment* commitments::find(const std::string& uid) {
  auto i = all_.find(uid);
  return i == all_.end() ? nullptr : &i->second;
}

const commitment* commitments::find(const std::string& uid) const {
  auto i = all_.find(uid);
  return i == all_.end() ? nullptr : &i->second;
}

void commitments::erase(const std::string& uid, time_point now) {
  auto i = all_.find(uid);
  if (i == all_.end())
    return;
  remember(uid, i->second.record->slot().order(), now, true);
  all_.erase(i);
}

bool commitments::saw_end(const std::string& uid, time_point now) const {
  auto* x = remembered(uid, now);
  return x && x->seen;
}

std::uint32_t commitments::replicas_of(const resource_name& x) const {
  return static_cast<std::uint32_t>(std::count_if(all_.begin(), all_.end(), [&](const auto& entry) {
    const auto& what = entry.second.record->what();
    return entry.second.phase != phase::ending && what.metadata().name() == x.name()
           && what.metadata().namespace_() == x.namespace_() && what.kind() == x.kind();
  }));
}

const commitment* commitments::find_pod(std::string_view space, std::string_view pod) const {
  for (const auto& [uid, x] : all_)
    if (x.record->slot().pod() == pod && x.record->what().metadata().namespace_() == space)
      return &x;
  return nullptr;
}

const commitments::ended* commitments::remembered(const std::string& uid, time_point now) const {
  // The newest entry of a uid has its highest order.
  for (auto i = ended_.rbegin(); i != ended_.rend() && now - i->when <= memory; ++i)
    if (i->uid == uid)
      return &*i;
  return nullptr;
}

void commitments::remember(const std::string& uid, const order_number& order, time_point now,
                           bool seen) {
  while (!ended_.empty()
         && (now - ended_.front().when > memory || ended_.size() >= most_remembered))
    ended_.pop_front();
  auto highest = order;
  if (auto* before = remembered(uid, now)) {
    seen = seen || before->seen;
    if (compare(before->order, highest) > 0)
      highest = before->order;
  }
  ended_.push_back({uid, highest, now, seen});
}

} // namespace legion::node
