#include "actors/group/admission.hpp"

#include <algorithm>
#include <cstdio>
#include <set>

#include "actors/group/whereabouts.hpp"
#include "actors/keeper/revision.hpp"

namespace legion::group {

namespace {

constexpr std::size_t bytes_per_replica = 400; // its slot, and its share of entries

std::string text_of(const resource_key& x) {
  return x.kind + " " + (x.space.empty() ? "" : x.space + "/") + x.name;
}

put_result result_of(const resource& x, const char* action) {
  put_result result;
  *result.mutable_name() = name_of(x);
  result.set_action(action);
  result.set_resource_version(x.metadata().resource_version());
  result.set_generation(x.metadata().generation());
  return result;
}

group_reply done(const group_request& x, put_result result) {
  group_reply reply;
  reply.set_request_id(x.request_id());
  *reply.mutable_done() = std::move(result);
  return reply;
}

std::string spec_bytes(const resource& x) {
  return x.has_deployment() ? "d" + x.deployment().SerializeAsString()
                            : "p" + x.pod().SerializeAsString();
}

template <class Labels>
bool same(const Labels& a, const Labels& b) {
  if (a.size() != b.size())
    return false;
  for (int i = 0; i < a.size(); ++i)
    if (a[i].key() != b[i].key() || a[i].value() != b[i].value())
      return false;
  return true;
}

std::string conflict(const resource_key& key, std::uint64_t expected, std::uint64_t now) {
  auto is = now == 0 ? std::string{"does not exist"} : "is at version " + std::to_string(now);
  return text_of(key) + " " + is + ", the request expected version " + std::to_string(expected)
         + ": look at what is there with `legionctl get -o yaml`, and "
         + (now == 0 ? "leave resourceVersion out" : "take its resourceVersion, or leave that out");
}

/// Takes the new specification over into what is there; the group gives uid, generation and times.
group_entry entry_of(const group_request& x, resource what, const resource* before, wall_ms now,
                     seeded_random& random, const char* action) {
  auto& meta = *what.mutable_metadata();
  if (before) {
    auto changed = spec_bytes(what) != spec_bytes(*before);
    meta.set_uid(before->metadata().uid());
    meta.set_created_ms(before->metadata().created_ms());
    meta.set_generation(before->metadata().generation() + (changed ? 1 : 0));
  } else {
    meta.set_uid(random_uid(random));
    meta.set_created_ms(now);
    meta.set_generation(1);
  }
  group_entry entry;
  entry.set_request_id(x.request_id());
  entry.set_time_ms(now);
  *entry.mutable_result() = result_of(what, action);
  *entry.mutable_put()->mutable_what() = std::move(what);
  return entry;
}

/// A Deployment that is paused keeps the template that its replicas have; one that is made paused
/// runs nothing until it is not.
resource held_back(resource what, const resource* before) {
  if (!what.has_deployment() || !what.deployment().paused())
    return what;
  auto& spec = *what.mutable_deployment();
  auto runs = before && before->has_deployment() && !before->deployment().unstarted();
  spec.set_unstarted(!runs);
  if (!runs)
    return what;
  auto awaited = keeper::revision_of(what);
  *spec.mutable_template_() = before->deployment().template_();
  if (keeper::revision_of(what) != awaited)
    spec.set_awaited(awaited);
  return what;
}

/// A Pod that names the node which it was given, as `get -o yaml` shows it, asks for no other one.
void leave_node(const resource_state& there, resource& what) {
  const auto& node = what.pod().node_name();
  auto is_there = std::any_of(there.slots.begin(), there.slots.end(),
                              [&](const auto& x) { return x.second.node_name == node; });
  if (!what.has_pod() || node.empty() || !there.what.pod().node_name().empty() || !is_there)
    return;
  auto without = what;
  without.mutable_pod()->clear_node_name();
  without.set_document(there.what.document());
  if (same_resource(there.what, without))
    what = std::move(without);
}

/// What the group would take at most. What is not larger than what it takes the place of adds nothing.
std::size_t bytes_with(const state& of, const resource_state* there, const resource& what) {
  auto before = there ? bytes_of(there->what) : 0;
  auto after = bytes_of(what);
  return after <= before ? 0 : of.bytes() + after - before;
}

admission admit_put(const state& of, const group_request& x, wall_ms now, seeded_random& random) {
  auto key = key_of(x.put().what());
  auto* there = of.find(key);
  auto* before = there && !there->deleting ? &there->what : nullptr;
  auto what = held_back(x.put().what(), before);
  if (key.name.empty() || (!what.has_deployment() && !what.has_pod()))
    return refused(x, refusal_invalid, "a resource needs a name and a specification");
  if (group_of(name_of(what)) != of.group())
    return refused(x, refusal_invalid,
                   text_of(key) + " belongs to group "
                       + std::to_string(value(group_of(name_of(what)))) + ", not "
                       + std::to_string(value(of.group())));
  if (what.has_deployment() && what.deployment().replicas() < 0)
    return refused(x, refusal_invalid, text_of(key) + ": replicas must not be negative");
  auto version = before ? before->metadata().resource_version() : 0;
  if (auto expected = x.put().expected_version(); expected != 0 && expected != version)
    return refused(x, refusal_conflict, conflict(key, expected, version));
  if (const auto& uid = what.metadata().uid();
      before && !uid.empty() && uid != before->metadata().uid())
    return refused(x, refusal_conflict,
                   text_of(key) + " has uid " + before->metadata().uid()
                       + ", the request expected uid " + uid
                       + ": it was deleted and created anew since");
  if (there && before)
    leave_node(*there, what);
  if (before && same_resource(*before, what))
    return done(x, result_of(*before, "unchanged"));
  if (auto bytes = bytes_with(of, there, what); bytes > max_state_bytes)
    return refused(x, refusal_too_large,
                   text_of(key) + " would take its keeper group to " + std::to_string(bytes / 1024)
                       + " KiB; the limit is " + std::to_string(max_state_bytes / 1024) + " KiB");
  return entry_of(x, std::move(what), before, now, random, before ? "configured" : "created");
}

/// A trial is answered, and is no entry.
admission tried(const group_request& x, admission what) {
  if (auto* entry = std::get_if<group_entry>(&what); entry && x.put().dry_run())
    return done(x, entry->result());
  return what;
}

admission admit_scale(const state& of, const group_request& x, wall_ms now, seeded_random& random) {
  auto key = key_of(x.scale().name());
  auto* there = of.find(key);
  if (!there)
    return refused(x, refusal_not_found, text_of(key) + " does not exist");
  if (there->deleting)
    return refused(x, refusal_not_found,
                   text_of(key)
                       + " was deleted, its replicas are ending: apply it anew to have it");
  if (!there->what.has_deployment())
    return refused(x, refusal_unsupported, text_of(key) + " cannot be scaled");
  if (x.scale().replicas() < 0)
    return refused(x, refusal_invalid, text_of(key) + ": replicas must not be negative");
  auto version = there->what.metadata().resource_version();
  if (auto expected = x.scale().expected_version(); expected != 0 && expected != version)
    return refused(x, refusal_conflict, conflict(key, expected, version));
  if (there->what.deployment().replicas() == x.scale().replicas())
    return done(x, result_of(there->what, "unchanged"));
  auto what = there->what;
  what.mutable_deployment()->set_replicas(x.scale().replicas());
  if (bytes_with(of, there, what) > max_state_bytes)
    return refused(x, refusal_too_large,
                   std::to_string(x.scale().replicas()) + " replicas of " + text_of(key)
                       + " would take its keeper group over "
                       + std::to_string(max_state_bytes / 1024) + " KiB");
  return entry_of(x, std::move(what), &there->what, now, random, "scaled");
}

admission admit_remove(const state& of, const group_request& x, wall_ms now) {
  auto key = key_of(x.remove().name());
  auto* there = of.find(key);
  if (!there)
    return refused(x, refusal_not_found, text_of(key) + " does not exist");
  auto version = there->what.metadata().resource_version();
  if (auto expected = x.remove().expected_version(); expected != 0 && expected != version)
    return refused(x, refusal_conflict, conflict(key, expected, version));
  auto result = result_of(there->what, "deleted");
  std::set<node_id> holders;
  for (const auto& [uid, y] : there->slots)
    if (!y.node.null() && holders.insert(y.node).second)
      result.add_holders(y.node.bytes());
  if (there->deleting)
    return done(x, result);
  group_entry entry;
  entry.set_request_id(x.request_id());
  entry.set_time_ms(now);
  *entry.mutable_remove() = x.remove();
  *entry.mutable_result() = std::move(result);
  return entry;
}

} // namespace

bool same_specification(const resource& a, const resource& b) {
  return spec_bytes(a) == spec_bytes(b);
}

bool same_resource(const resource& a, const resource& b) {
  return spec_bytes(a) == spec_bytes(b) && a.api_version() == b.api_version()
         && same(a.metadata().labels(), b.metadata().labels())
         && same(a.metadata().annotations(), b.metadata().annotations())
         && a.document() == b.document();
}

std::size_t bytes_of(const resource& x) {
  auto replicas = x.has_deployment() ? x.deployment().replicas() : 1;
  return x.ByteSizeLong() + static_cast<std::size_t>(replicas) * bytes_per_replica;
}

admission admit(const state& of, const group_request& x, wall_ms now, seeded_random& random,
                broken_rule broken) {
  if (!x.request_id().empty() && broken != broken_rule::requests_count_once)
    if (auto before = of.remembered(x.request_id())) {
      auto reply = done(x, before->result());
      if (!before->results().empty())
        *reply.mutable_restored()->mutable_results() = before->results();
      return reply;
    }
  switch (x.what_case()) {
    case group_request::kPut:
      return tried(x, admit_put(of, x, now, random));
    case group_request::kScale:
      return admit_scale(of, x, now, random);
    case group_request::kRemove:
      return admit_remove(of, x, now);
    case group_request::kRestore:
      return admit_restore(of, x, now);
    default:
      return refused(x, refusal_unsupported, "this version does not know the request");
  }
}

group_reply refused(const group_request& x, refusal_code code, std::string detail) {
  group_reply reply;
  reply.set_request_id(x.request_id());
  reply.mutable_refused()->set_code(code);
  reply.mutable_refused()->set_detail(std::move(detail));
  return reply;
}

std::string random_uid(seeded_random& random) {
  auto a = random();
  auto b = random();
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%012llx", static_cast<unsigned>(a >> 32),
                static_cast<unsigned>(a >> 16) & 0xffff, static_cast<unsigned>(a) & 0xfff,
                (static_cast<unsigned>(b >> 48) & 0x3fff) | 0x8000,
                static_cast<unsigned long long>(b & 0xffffffffffffull));
  return text;
}

} // namespace legion::group
