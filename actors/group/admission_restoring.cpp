#include "actors/consensus/incarnation.hpp"
#include "actors/group/admission.hpp"
#include "actors/group/whereabouts.hpp"

// What becomes of a backup's resources: docs/decisions/0010.

namespace legion::group {

namespace {

struct wish {
  const restore_resources& how;
  const state& of;
  std::size_t bytes; // of the state, with what was admitted so far
};

std::string text_of(const resource& x) {
  return x.kind() + " " + x.metadata().namespace_() + "/" + x.metadata().name();
}

void refuse(put_result& result, refusal_code code, std::string why) {
  result.mutable_refused()->set_code(code);
  result.mutable_refused()->set_detail(std::move(why));
}

/// Why it can't be put back, whatever is there; nothing: it can.
bool is_sound(const kept_resource& x, const state& of, put_result& result) {
  const auto& what = x.what();
  if (what.metadata().name().empty() || (!what.has_deployment() && !what.has_pod()))
    refuse(result, refusal_invalid, "a resource needs a name and a specification");
  else if (group_of(name_of(what)) != of.group())
    refuse(result, refusal_invalid,
           text_of(what) + " belongs to group " + std::to_string(value(group_of(name_of(what))))
               + ", not " + std::to_string(value(of.group())));
  else if (what.has_deployment() && what.deployment().replicas() < 0)
    refuse(result, refusal_invalid, text_of(what) + ": replicas must not be negative");
  return !result.has_refused();
}

/// What of it is to be committed; nothing, and `result` says why.
std::optional<kept_resource> judge(wish& w, const kept_resource& x, put_result& result) {
  *result.mutable_name() = name_of(x.what());
  if (!is_sound(x, w.of, result))
    return {};
  kept_resource admitted;
  auto& what = *admitted.mutable_what() = x.what();
  auto* there = w.of.find(key_of(what));
  if (there && there->deleting)
    there = nullptr; // the name is taken anew, as by an apply; who holds it still has to let go
  result.set_action("restored");
  if (there) {
    const auto& before = there->what.metadata();
    auto same = same_resource(there->what, what);
    result.set_action(same ? "unchanged" : w.how.missing_only() ? "kept" : "replaced");
    result.set_resource_version(before.resource_version());
    result.set_generation(before.generation());
    if (same || w.how.missing_only())
      return {};
    if (!w.how.replace())
      refuse(result, refusal_conflict, text_of(what) + " exists, and differs from the backup's");
    what.mutable_metadata()->set_uid(before.uid());
    what.mutable_metadata()->set_created_ms(before.created_ms());
    auto same_wish = same_specification(there->what, what);
    what.mutable_metadata()->set_generation(before.generation() + (same_wish ? 0 : 1));
  }
  if (result.has_refused())
    return {};
  auto replaced = there ? bytes_of(there->what) : 0;
  auto added = bytes_of(what);
  w.bytes += added - std::min(added, replaced); // what becomes smaller makes no room for others
  if (added > replaced && w.bytes > max_state_bytes) {
    refuse(result, refusal_too_large,
           text_of(what) + " would take its keeper group to " + std::to_string(w.bytes / 1024)
               + " KiB; the limit is " + std::to_string(max_state_bytes / 1024) + " KiB");
    return {};
  }
  result.set_generation(what.metadata().generation());
  result.set_resource_version(0); // that of the entry
  for (const auto& y : x.slots())
    if (!y.finished().empty())
      *admitted.add_slots() = y;
  return admitted;
}

} // namespace

admission admit_restore(const state& of, const group_request& x, wall_ms now) {
  const auto& how = x.restore();
  if (how.incarnation() >= consensus::most_incarnation)
    return refused(x, refusal_invalid,
                   "there is no incarnation " + std::to_string(how.incarnation()));
  wish w{how, of, of.bytes()};
  group_entry entry;
  for (const auto& y : how.resources()) {
    auto admitted = judge(w, y, *entry.add_results());
    if (admitted)
      *entry.mutable_restored()->add_resources() = std::move(*admitted);
  }
  if (entry.has_restored() && !how.dry_run()) {
    entry.set_request_id(x.request_id());
    entry.set_time_ms(now);
    entry.set_incarnation(std::max(of.incarnation(), how.incarnation() + 1));
    return entry;
  }
  group_reply reply;
  reply.set_request_id(x.request_id());
  *reply.mutable_restored()->mutable_results() = std::move(*entry.mutable_results());
  return reply;
}

} // namespace legion::group
