#include "actors/group/state.hpp"

#include <algorithm>
#include <set>

#include "actors/group/earlier.hpp"

namespace legion::group {

namespace {

void put(resource_state& to, const group_entry& x) {
  keep_earlier(to, x.put().what());
  to.what = x.put().what();
  to.what.mutable_metadata()->set_resource_version(x.index());
  to.what.mutable_metadata()->clear_deleted_ms();
  to.deleting = false; // a name that is taken anew: what was promised before still has to end
}

void end_all(resource_state& of, const group_entry& x) {
  auto& meta = *of.what.mutable_metadata();
  meta.set_resource_version(x.index());
  meta.set_generation(meta.generation() + 1);
  meta.set_deleted_ms(x.time_ms());
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

std::size_t bytes_of_rounds(const std::deque<negotiation_round>& rounds) {
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

/// What a node holds for a resource that is kept already, or was not known.
void adopt(resource_state& of, const group_entry& x, bool gathering) {
  const auto& adopted = x.adopted();
  for (const auto& y : adopted.held().slots()) {
    auto [i, fresh] = of.slots.try_emplace(y.slot().uid());
    auto& slot = i->second;
    auto node = node_id::from_bytes(adopted.node());
    if (fresh) {
      slot.what = y.slot();
      slot.created_ms = y.made_ms();
    } else if (slot.phase != slot_phase::missing && slot.node != node) {
      continue; // it can't be: a slot is accepted by one node
    }
    auto late = !gathering && slot.phase == slot_phase::missing && slot.what.lease_ms() > 0;
    auto ends = of.deleting || y.ending() || late || slot.phase == slot_phase::ending;
    if (fresh || slot.phase == slot_phase::missing) {
      slot.node = node;
      slot.node_name = adopted.node_name();
      slot.start = adopted.start();
    }
    slot.phase = ends ? slot_phase::ending : slot_phase::accepted;
    slot.what.mutable_order()->set_incarnation(x.incarnation());
    slot.what.mutable_order()->set_index(x.index());
  }
}

kept_slot to_message(const slot_state& x);
slot_state from_message(const kept_slot& x);

/// What was over for good when the backup was made is not run again.
void keep_finished(resource_state& of, const kept_resource& x) {
  if (!of.slots.empty())
    return;
  for (const auto& y : x.slots())
    if (!y.finished().empty())
      of.slots.emplace(y.slot().uid(), from_message(y));
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
    case group_entry::kAdopted:
      return x.adopted().held().resources_size() == 1 ? key_of(x.adopted().held().resources(0))
                                                      : resource_key{};
    case group_entry::kRestored:
    case group_entry::kGathered:
    case group_entry::WHAT_NOT_SET:
      break;
  }
  return {};
}

void for_each_part(const group_entry& x, const std::function<void(const group_entry&)>& what) {
  if (!x.has_restored() && !x.has_adopted() && !x.has_gathered())
    return what(x);
  group_entry part;
  part.set_index(x.index());
  part.set_incarnation(x.incarnation());
  part.set_time_ms(x.time_ms());
  for (const auto& y : x.restored().resources()) {
    *part.mutable_put()->mutable_what() = y.what();
    what(part);
  }
  const auto& held = x.adopted().held();
  for (int i = 0; i < held.resources_size(); ++i) {
    auto& adopted = *part.mutable_adopted();
    adopted.set_node(x.adopted().node());
    adopted.set_node_name(x.adopted().node_name());
    adopted.set_start(x.adopted().start());
    adopted.clear_held();
    *adopted.mutable_held()->add_resources() = held.resources(i);
    for (const auto& y : held.slots())
      if (y.resource() == static_cast<std::uint32_t>(i)) {
        auto& slot = *adopted.mutable_held()->add_slots();
        slot = y;
        slot.set_resource(0);
      }
    what(part);
  }
}

void apply(resource_state& to, const group_entry& x, bool gathering) {
  switch (x.what_case()) {
    case group_entry::kPut:
      return put(to, x);
    case group_entry::kRemove:
      return end_all(to, x);
    case group_entry::kNamed:
      return name(to, x);
    case group_entry::kAccepted:
      return accept(to, x);
    case group_entry::kEnded:
      return end(to, x);
    case group_entry::kFinished:
      return finish(to, x);
    case group_entry::kAdopted:
      return adopt(to, x, gathering);
    case group_entry::kGone:
      for (const auto& y : x.gone().slots())
        to.slots.erase(y.uid());
      return forget_rounds(to);
    case group_entry::kRestored:
    case group_entry::kGathered:
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
    kept.promised_only = x.promised_only();
    for (const auto& y : x.slots())
      kept.slots.emplace(y.slot().uid(), from_message(y));
    kept.rounds.assign(x.rounds().begin(), x.rounds().end());
    kept.earlier.assign(x.earlier().begin(), x.earlier().end());
    result.resources_.emplace(key_of(x.what()), std::move(kept));
  }
  for (const auto& x : snapshot.requests())
    result.answers_.remember(x);
  result.raised_ = snapshot.raised();
  result.gathering_ = snapshot.gathering();
  for (const auto& x : snapshot.gathered())
    if (x.empty())
      result.old_leases_ = true;
    else
      result.gathered_.insert(node_id::from_bytes(x));
  for (const auto& x : snapshot.deleted())
    result.deleted_.push_back(key_of(x));
  return result;
}

group_state state::snapshot() const {
  group_state result;
  result.ParseFromString(encoded());
  return result;
}

std::string state::encoded() const {
  auto result = without_answers().SerializeAsString();
  answers_.append_to(result);
  return result;
}

group_state state::without_answers() const {
  group_state result;
  result.set_group(value(group_));
  result.set_incarnation(incarnation_);
  result.set_index(index_);
  for (const auto& [key, x] : resources_) {
    auto& kept = *result.add_resources();
    *kept.mutable_what() = x.what;
    kept.set_deleting(x.deleting);
    kept.set_promised_only(x.promised_only);
    for (const auto& [uid, y] : x.slots)
      *kept.add_slots() = to_message(y);
    for (const auto& y : x.rounds)
      *kept.add_rounds() = y;
    for (const auto& y : x.earlier)
      *kept.add_earlier() = y;
  }
  result.set_raised(raised_);
  result.set_gathering(gathering_);
  for (const auto& x : gathered_)
    result.add_gathered(x.bytes());
  if (old_leases_) // of nobody knows whom
    result.add_gathered("");
  for (const auto& x : deleted_) {
    auto& name = *result.add_deleted();
    name.set_kind(x.kind);
    name.set_namespace_(x.space);
    name.set_name(x.name);
  }
  return result;
}

void state::apply(const group_entry& x) {
  if (x.index() <= index_)
    return;
  index_ = x.index();
  incarnation_ = std::max(incarnation_, x.incarnation());
  for_each_part(x, [this](const group_entry& part) { fold(part); });
  for (const auto& y : x.restored().resources())
    keep_finished(resources_.at(key_of(y.what())), y);
  old_leases_ = old_leases_ || x.has_restored();
  if (x.has_adopted() && x.adopted().node().empty())
    old_leases_ = false;
  else if (x.has_adopted() && x.adopted().all())
    gathered_.insert(node_id::from_bytes(x.adopted().node()));
  if (x.has_gathered())
    end_gathering();
  if (!x.request_id().empty())
    remember(x);
}

void state::fold(const group_entry& x) {
  if (x.has_adopted())
    return adopt(x);
  auto key = subject_of(x);
  auto i = resources_.find(key);
  if (i == resources_.end() && x.has_put())
    i = resources_.try_emplace(key).first;
  if (x.has_put())
    std::erase(deleted_, key); // the name is taken anew
  if (i == resources_.end())
    return;
  group::apply(i->second, x);
  forget_earlier(i->second);
  forget_if_over(i);
}

const resource_state* state::find(const resource_key& key) const {
  auto i = resources_.find(key);
  return i == resources_.end() ? nullptr : &i->second;
}

void state::remember(const group_entry& x) {
  if (answers_.contains(x.request_id()))
    return;
  remembered_request answer;
  answer.set_id(x.request_id());
  answer.set_time_ms(x.time_ms());
  *answer.mutable_result() = x.result();
  *answer.mutable_results() = x.results();
  if (x.has_put())
    answer.mutable_result()->set_resource_version(x.index());
  for (auto& y : *answer.mutable_results())
    if (y.resource_version() == 0 && !y.has_refused())
      y.set_resource_version(x.index());
  answers_.remember(answer);
}

std::size_t state::bytes() const {
  constexpr std::size_t per_slot = 200;
  std::size_t result = 0;
  for (const auto& [key, x] : resources_)
    result += x.what.ByteSizeLong() + x.slots.size() * per_slot + bytes_of_rounds(x.rounds)
              + bytes_of_earlier(x);
  return result;
}

} // namespace legion::group
