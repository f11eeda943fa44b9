#include "actors/group/state.hpp"

#include <algorithm>
#include <set>

namespace legion::group {

namespace {

constexpr std::size_t max_remembered_requests = 256;

void put(resource_state& to, const group_entry& x) {
  to.what = x.put().what();
  to.what.mutable_metadata()->set_resource_version(x.index());
  to.deleting = false; // a name that is taken anew: what was promised before still has to end
}

void end_all(resource_state& of) {
  of.deleting = true;
  std::erase_if(of.slots, [](const auto& x) { return x.second.phase == slot_phase::missing; });
  for (auto& [uid, x] : of.slots)
    x.phase = slot_phase::ending;
}

void name(resource_state& of, const group_entry& x) {
  if (of.deleting)
    return;
  for (const auto& y : x.named().slots()) {
    slot_state added;
    added.what = y;
    added.created_ms = x.time_ms();
    of.slots.try_emplace(y.uid(), std::move(added));
  }
}

std::size_t bytes_of(const std::deque<negotiation_round>& rounds) {
  std::size_t result = 0;
  for (const auto& x : rounds)
    result += x.ByteSizeLong();
  return result;
}

/// Only what is about pods that are here, and of that the newest.
void forget_rounds(resource_state& of) {
  if (of.rounds.empty())
    return;
  std::set<std::string_view> here;
  for (const auto& [uid, slot] : of.slots)
    here.insert(slot.what.pod());
  std::erase_if(of.rounds, [&](const negotiation_round& x) {
    return std::none_of(x.pods().begin(), x.pods().end(),
                        [&](const std::string& pod) { return here.contains(pod); });
  });
  std::size_t bytes = 0;
  std::size_t kept = 0;
  for (auto i = of.rounds.rbegin(); i != of.rounds.rend(); ++i, ++kept) {
    bytes += i->ByteSizeLong();
    if (kept == resource_state::most_rounds || bytes > resource_state::most_round_bytes)
      break;
  }
  while (of.rounds.size() > kept)
    of.rounds.pop_front();
}

/// One that is told again is told with what came of it.
void remember(resource_state& of, const negotiation_round& x) {
  auto same = [&](const negotiation_round& y) { return y.call() == x.call(); };
  auto i = std::find_if(of.rounds.begin(), of.rounds.end(), same);
  if (i != of.rounds.end())
    *i = x;
  else
    of.rounds.push_back(x);
}

void accept(resource_state& of, const group_entry& x) {
  for (const auto& y : x.accepted().slots()) {
    auto i = of.slots.find(y.uid());
    if (i == of.slots.end() || i->second.phase != slot_phase::missing)
      continue;
    auto& slot = i->second;
    slot.phase = slot_phase::accepted;
    slot.node = node_id::from_bytes(x.accepted().node());
    slot.node_name = x.accepted().node_name();
    slot.offer = x.accepted().offer();
    slot.start = x.accepted().start();
    slot.what.mutable_order()->set_incarnation(x.incarnation());
    slot.what.mutable_order()->set_index(x.index());
  }
  for (const auto& y : x.accepted().rounds())
    remember(of, y);
  forget_rounds(of);
}

void end(resource_state& of, const group_entry& x) {
  for (const auto& y : x.ended().slots()) {
    auto i = of.slots.find(y.uid());
    if (i == of.slots.end())
      continue;
    if (i->second.phase == slot_phase::missing)
      of.slots.erase(i);
    else
      i->second.phase = slot_phase::ending;
  }
  forget_rounds(of);
}

void finish(resource_state& of, const group_entry& x) {
  for (const auto& y : x.finished().slots())
    if (auto i = of.slots.find(y.uid());
        i != of.slots.end() && i->second.phase == slot_phase::accepted)
      i->second.finished = x.finished().phase();
}

kept_slot to_message(const slot_state& x) {
  kept_slot result;
  *result.mutable_slot() = x.what;
  result.set_state(to_string(x.phase));
  if (!x.node.null())
    result.set_node(x.node.bytes());
  result.set_node_name(x.node_name);
  result.set_offer(x.offer);
  result.set_start(x.start);
  result.set_created_ms(x.created_ms);
  result.set_finished(x.finished);
  return result;
}

slot_state from_message(const kept_slot& x) {
  slot_state result;
  result.what = x.slot();
  for (auto phase : {slot_phase::missing, slot_phase::accepted, slot_phase::ending})
    if (x.state() == to_string(phase))
      result.phase = phase;
  result.node = node_id::from_bytes(x.node());
  result.node_name = x.node_name();
  result.offer = x.offer();
  result.start = x.start();
  result.created_ms = x.created_ms();
  result.finished = x.finished();
  return result;
}

} // namespace

const char* to_string(slot_phase x) {
  switch (x) {
    case slot_phase::missing:
      return "missing";
    case slot_phase::accepted:
      return "accepted";
    case slot_phase::ending:
      return "ending";
  }
  return "?";
}

resource_key key_of(const resource_name& x) {
  return {x.kind(), x.namespace_(), x.name()};
}

resource_key key_of(const resource& x) {
  return {x.kind(), x.metadata().namespace_(), x.metadata().name()};
}

resource_name name_of(const resource& x) {
  resource_name result;
  result.set_kind(x.kind());
  result.set_namespace_(x.metadata().namespace_());
  result.set_name(x.metadata().name());
  return result;
}

resource_key subject_of(const group_entry& x) {
  switch (x.what_case()) {
    case group_entry::kPut:
      return key_of(x.put().what());
    case group_entry::kRemove:
      return key_of(x.remove().name());
    case group_entry::kNamed:
      return key_of(x.named().of());
    case group_entry::kAccepted:
      return key_of(x.accepted().of());
    case group_entry::kEnded:
      return key_of(x.ended().of());
    case group_entry::kGone:
      return key_of(x.gone().of());
    case group_entry::kFinished:
      return key_of(x.finished().of());
    case group_entry::WHAT_NOT_SET:
      break;
  }
  return {};
}

void apply(resource_state& to, const group_entry& x) {
  switch (x.what_case()) {
    case group_entry::kPut:
      return put(to, x);
    case group_entry::kRemove:
      return end_all(to);
    case group_entry::kNamed:
      return name(to, x);
    case group_entry::kAccepted:
      return accept(to, x);
    case group_entry::kEnded:
      return end(to, x);
    case group_entry::kFinished:
      return finish(to, x);
    case group_entry::kGone:
      for (const auto& y : x.gone().slots())
        to.slots.erase(y.uid());
      return forget_rounds(to);
    case group_entry::WHAT_NOT_SET:
      return;
  }
}

state::state(group_id group) : group_(group) {}

state state::from(const group_state& snapshot) {
  state result{group_id{snapshot.group()}};
  result.incarnation_ = std::max<std::uint64_t>(1, snapshot.incarnation());
  result.index_ = snapshot.index();
  for (const auto& x : snapshot.resources()) {
    resource_state kept;
    kept.what = x.what();
    kept.deleting = x.deleting();
    for (const auto& y : x.slots())
      kept.slots.emplace(y.slot().uid(), from_message(y));
    kept.rounds.assign(x.rounds().begin(), x.rounds().end());
    result.resources_.emplace(key_of(x.what()), std::move(kept));
  }
  result.requests_.assign(snapshot.requests().begin(), snapshot.requests().end());
  return result;
}

group_state state::snapshot() const {
  group_state result;
  result.set_group(value(group_));
  result.set_incarnation(incarnation_);
  result.set_index(index_);
  for (const auto& [key, x] : resources_) {
    auto& kept = *result.add_resources();
    *kept.mutable_what() = x.what;
    kept.set_deleting(x.deleting);
    for (const auto& [uid, y] : x.slots)
      *kept.add_slots() = to_message(y);
    for (const auto& y : x.rounds)
      *kept.add_rounds() = y;
  }
  for (const auto& x : requests_)
    *result.add_requests() = x;
  return result;
}

void state::apply(const group_entry& x) {
  if (x.index() <= index_)
    return;
  index_ = x.index();
  incarnation_ = std::max(incarnation_, x.incarnation());
  auto key = subject_of(x);
  auto i = resources_.find(key);
  if (i == resources_.end() && x.what_case() == group_entry::kPut)
    i = resources_.try_emplace(key).first;
  if (i != resources_.end()) {
    group::apply(i->second, x);
    if (is_over(i->second))
      resources_.erase(i);
  }
  if (!x.request_id().empty()) {
    auto result = x.result();
    if (x.what_case() == group_entry::kPut)
      result.set_resource_version(x.index());
    remember(x.request_id(), result);
  }
}

const resource_state* state::find(const resource_key& key) const {
  auto i = resources_.find(key);
  return i == resources_.end() ? nullptr : &i->second;
}

std::optional<put_result> state::remembered(const std::string& request_id) const {
  for (const auto& x : requests_)
    if (x.id() == request_id)
      return x.result();
  return std::nullopt;
}

void state::remember(const std::string& request_id, const put_result& result) {
  if (requests_.size() >= max_remembered_requests)
    requests_.erase(requests_.begin());
  remembered_request added;
  added.set_id(request_id);
  *added.mutable_result() = result;
  requests_.push_back(std::move(added));
}

std::size_t state::bytes() const {
  constexpr std::size_t per_slot = 200;
  std::size_t result = 0;
  for (const auto& [key, x] : resources_)
    result += x.what.ByteSizeLong() + x.slots.size() * per_slot + bytes_of(x.rounds);
  return result;
}

} // namespace legion::group
