#include "actors/gateway/changing.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "actors/group/admission.hpp"
#include "actors/group/whereabouts.hpp"
#include "messages/manifest/manifest.hpp"

namespace legion::gateway {

namespace {

constexpr int most_replicas = 10'000; // as messages/manifest/fields.tsv has it

bool by_default(const resource& x) {
  const auto& spec = x.has_deployment() ? x.deployment().template_().spec() : x.pod();
  return spec.runtime_class_name().empty();
}

} // namespace

changing::changing(api_request what) : what_(std::move(what)) {}

effects changing::start(const surroundings& at) {
  if (auto ended = plan())
    return *ended;
  return begin(at);
}

std::optional<effects> changing::plan() {
  if (what_.has_scale()) {
    const auto& scale = what_.scale();
    if (scale.replicas() < 0 || scale.replicas() > most_replicas)
      return refuse(refusal_invalid, "replicas: found " + std::to_string(scale.replicas())
                                         + ", allowed 0 to " + std::to_string(most_replicas));
    if (kind_of(scale.name().kind()) != "Deployment")
      return refuse(refusal_unsupported,
                    "only deployments can be scaled, not a " + scale.name().kind());
    auto name = make_name("Deployment", scale.name().namespace_(), scale.name().name());
    group_request request;
    *request.mutable_scale()->mutable_name() = name;
    request.mutable_scale()->set_replicas(scale.replicas());
    request.mutable_scale()->set_expected_version(scale.expected_version());
    add(name, std::move(request));
    return {};
  }
  if (what_.has_delete_())
    for (const auto& x : what_.delete_().names()) {
      if (kind_of(x.kind()).empty())
        return refuse(refusal_unsupported,
                      "a " + x.kind() + " cannot be deleted: deployments and pods can");
      auto name = make_name(kind_of(x.kind()), x.namespace_(), x.name());
      group_request request;
      *request.mutable_remove()->mutable_name() = name;
      add(name, std::move(request));
    }
  if (auto ended = read_files())
    return ended;
  std::set<std::string> seen;
  for (const auto& name : names_)
    if (!seen.insert(shown(name)).second)
      return refuse(refusal_invalid, shown(name) + " is named twice: once is allowed");
  if (names_.empty() && !(what_.has_apply() && what_.apply().dry_run()))
    return refuse(refusal_invalid, "nothing is named: no document holds a resource");
  return {};
}

std::optional<effects> changing::read_files() {
  auto deletes = what_.has_delete_();
  const auto& files = deletes ? what_.delete_().files() : what_.apply().files();
  if (files.empty())
    return {};
  const auto& ns = deletes ? what_.delete_().namespace_() : what_.apply().namespace_();
  std::vector<manifest::source> sources;
  for (const auto& x : files)
    sources.push_back({x.name(), x.text()});
  manifest::options how;
  how.strict = what_.apply().strict();
  how.default_namespace = ns.empty() ? "default" : ns;
  how.only_that = !ns.empty();
  auto parsed = manifest::read(sources, how);
  auto refused = manifest::refused(parsed);
  // What is to be deleted need not be perfect, but it must be readable.
  if (!deletes || refused)
    for (auto& x : parsed.diagnostics)
      *reply_.add_diagnostics() = std::move(x);
  if (refused) {
    reply_.set_last(true);
    *reply_.mutable_refused() =
        make_refusal(refusal_invalid, deletes ? "nothing was deleted" : "nothing was applied");
    return effects{say{std::move(reply_)}};
  }
  auto noted = false;
  for (auto& x : parsed.resources) {
    auto name = name_of(x);
    group_request request;
    if (deletes) {
      *request.mutable_remove()->mutable_name() = name;
    } else {
      *request.mutable_put()->mutable_what() = x;
      request.mutable_put()->mutable_what()->mutable_metadata()->clear_resource_version();
      request.mutable_put()->set_expected_version(x.metadata().resource_version());
      if (auto bytes = x.ByteSizeLong(); bytes > group::max_resource_bytes)
        return refuse(refusal_too_large,
                      shown(name) + " takes " + std::to_string(bytes / 1024)
                          + " KiB with what is kept of its manifest; the limit is "
                          + std::to_string(group::max_resource_bytes / 1024)
                          + " KiB: nothing was applied");
    }
    if (!deletes && by_default(x) && !std::exchange(noted, true))
      reply_.add_notes("runs as processes: the container driver does not exist yet");
    add(name, std::move(request));
  }
  return {};
}

void changing::add(const resource_name& name, group_request what) {
  work_.add(what_.request_id(), value(group::group_of(name)), std::move(what), shown(name));
  names_.push_back(name);
}

/// A trial has the id of what it tries: of a request that is repeated, and was done meanwhile, it is
/// told what came of that.
effects changing::begin(const surroundings& at) {
  if (!what_.has_apply() || (names_.size() < 2 && !what_.apply().dry_run())) {
    tried_ = true;
    return end_if_over(work_.advance(at), at);
  }
  for (std::size_t i = 0; i < names_.size(); ++i) {
    auto request = work_[i].request();
    request.mutable_put()->set_dry_run(true);
    auto group = request.group(); // before it is moved from
    trial_.add(what_.request_id(), group, std::move(request), shown(names_[i]));
  }
  return end_if_over(trial_.advance(at), at);
}

effects changing::on(std::uint64_t id, const answer& what, const surroundings& at) {
  return end_if_over(tried_ ? work_.on(id, what, at) : trial_.on(id, what, at), at);
}

effects changing::on_wake(std::uint64_t id, const surroundings& at) {
  return end_if_over(tried_ ? work_.on_wake(id, at) : trial_.on_wake(id, at), at);
}
effects changing::end_if_over(effects so_far, const surroundings& at) {
  if (!tried_ && trial_.over()) {
    tried_ = true;
    append(so_far, end_trial(at));
  }
  if (tried_ && work_.over() && !std::exchange(over_, true))
    append(so_far, finish(at));
  return so_far;
}

/// Nothing has been changed so far; the rest is, unless somebody would refuse.
effects changing::end_trial(const surroundings& at) {
  std::size_t refused = 0;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    auto& result = *reply_.add_results();
    result = trial_[i].reply().done();
    *result.mutable_name() = names_[i];
    result.set_action(result.action() + " (dry run)");
    if (trial_[i].reply().has_done())
      continue;
    ++refused;
    *result.mutable_refused() = refusal_of(names_[i], trial_[i].reply());
    if (!reply_.has_refused())
      *reply_.mutable_refused() = result.refused();
  }
  if (refused == 0 && !what_.apply().dry_run()) {
    reply_.clear_results();
    return work_.advance(at);
  }
  over_ = true;
  if (refused > 0 && names_.size() > 1) {
    auto why = std::to_string(refused) + " of " + std::to_string(names_.size());
    reply_.mutable_refused()->set_detail("nothing was applied: " + why + " would be refused");
    for (auto& x : *reply_.mutable_results())
      if (!x.has_refused() && !what_.apply().dry_run())
        *x.mutable_refused() = make_refusal(reply_.refused().code(), "others would be refused");
  }
  reply_.set_last(true);
  return {say{std::move(reply_)}};
}

refusal changing::refusal_of(const resource_name& name, const group_reply& answer) const {
  if (!answer.has_refused())
    return make_refusal(refusal_unknown, "the keeper's answer makes no sense");
  auto why = answer.refused();
  // A Deployment's replica is no resource of its own.
  auto owner = owners_of_pod(name.namespace_(), name.name()).front();
  if (why.code() == refusal_not_found && name.kind() == "Pod" && owner.kind() != "Pod")
    why.set_detail(why.detail() + " of its own; if it is a replica of deployment " + owner.name()
                   + ": scale or delete that");
  return why;
}

/// What is deleted ends when those who hold it hear of that.
void changing::note_holders(const put_result& x, const surroundings& at) {
  std::vector<node_id> away;
  for (const auto& bytes : x.holders()) {
    const auto* row = at.zone.find(node_id::from_bytes(bytes));
    if (!row || row->down())
      away.push_back(node_id::from_bytes(bytes));
  }
  if (!away.empty())
    reply_.add_notes(shown(x.name()) + ": what may still run of it on "
                     + at.zone.with_states(away, at.now) + ", ends once that is back");
}

effects changing::finish(const surroundings& at) {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const auto& answer = work_[i].reply();
    auto& result = *reply_.add_results();
    result = answer.done();
    *result.mutable_name() = names_[i];
    if (answer.has_done()) {
      note_holders(result, at);
      result.clear_holders();
      continue;
    }
    auto why = refusal_of(names_[i], answer);
    // What is unknown outweighs what was refused: the user must look.
    auto graver = !reply_.has_refused()
                  || (why.code() == refusal_deadline && reply_.refused().code() != why.code());
    if (graver)
      *reply_.mutable_refused() = why;
    *result.mutable_refused() = std::move(why);
  }
  auto refused = std::count_if(reply_.results().begin(), reply_.results().end(),
                               [](const put_result& x) { return x.has_refused(); });
  if (refused && names_.size() > 1) // each result says why
    reply_.mutable_refused()->set_detail(std::to_string(refused) + " of "
                                         + std::to_string(names_.size())
                                         + " resources were not changed");
  reply_.set_last(true);
  return {say{std::move(reply_)}};
}

} // namespace legion::gateway
