#include "actors/gateway/getting.hpp"

#include <algorithm>
#include <set>

#include "messages/made_from.hpp"

namespace legion::gateway {

namespace {

constexpr milliseconds watch_pause{1'000};

/// Without what changes all the time and says nothing new.
std::string essence(resource_view x) {
  for (auto& pod : *x.mutable_pods())
    pod.mutable_assessment()->clear_observed_ms();
  return x.SerializeAsString();
}

std::string essence(node_view x) {
  x.clear_heard_ms();
  for (auto& promise : *x.mutable_assessments())
    promise.clear_observed_ms();
  return x.SerializeAsString();
}

template <class Repeated, class Unwanted>
void remove_if(Repeated& from, Unwanted unwanted) {
  from.erase(std::remove_if(from.begin(), from.end(), unwanted), from.end());
}

const selector::labels& pod_labels(const resource& x) {
  return x.has_deployment() ? x.deployment().template_().metadata().labels()
                            : x.metadata().labels();
}

/// The pods that were there before and are not now.
void add_gone_pods(resource_view& to, const resource_view& before) {
  std::set<std::string> there;
  for (const auto& pod : to.pods())
    there.insert(pod.slot().pod());
  for (const auto& pod : before.pods())
    if (!there.contains(pod.slot().pod())) {
      auto& gone = *to.add_pods() = pod;
      gone.set_state("gone");
    }
}

} // namespace

getting::getting(get_request what) : what_(std::move(what)) {}

effects getting::start(const surroundings& at) {
  if (first_)
    if (auto refused = refuse_nonsense())
      return *refused;
  survey_.emplace(question(), ids_);
  auto out = survey_->start(at);
  if (survey_->done())
    append(out, finish_round(at));
  return out;
}

std::optional<effects> getting::refuse_nonsense() {
  const auto& kind = what_.kind();
  if (kind == "nodes" || kind == "node" || kind == "no" || kind == "Node")
    sort_ = sort::nodes;
  else if (kind == "promises" || kind == "promise" || kind == "Promise")
    sort_ = sort::promises;
  else if (kind_of(kind) == "Deployment")
    sort_ = sort::deployments;
  else if (kind_of(kind) != "Pod")
    return refuse(refusal_invalid,
                  "there is no kind '" + kind + "': nodes, deployments, pods or promises");
  auto parsed = selector::parse(what_.selector());
  if (!parsed)
    return refuse(refusal_invalid, parsed.why().detail);
  selector_ = std::move(*parsed);
  return {};
}

survey::question getting::question() const {
  survey::question x;
  if (!what_.all_namespaces())
    x.ns = what_.namespace_().empty() ? "default" : what_.namespace_();
  switch (sort_) {
    case sort::nodes:
      x.nodes = true;
      x.assessments = what_.events(); // describe shows a node's promises
      x.events = what_.events();
      break;
    case sort::promises:
      x.nodes = true;
      x.assessments = true;
      x.events = what_.events();
      break;
    case sort::deployments:
      x.kind = "Deployment";
      [[fallthrough]];
    case sort::pods:
      x.resources = true;
      x.events = what_.events();
      if (what_.all_namespaces())
        break;
      for (const auto& name : what_.names())
        if (sort_ == sort::deployments)
          x.named.push_back(make_name("Deployment", x.ns, name));
        else
          for (auto& owner : owners_of_pod(x.ns, name))
            x.named.push_back(std::move(owner));
  }
  return x;
}

effects getting::on(std::uint64_t id, const answer& what, const surroundings& at) {
  effects out;
  if (survey_ && !survey_->done() && survey_->on(id, what, at, out) && survey_->done())
    append(out, finish_round(at));
  return out;
}

effects getting::on_wake(std::uint64_t id, const surroundings& at) {
  if (!survey_ || survey_->done())
    return start(at);
  effects out;
  if (survey_->on_wake(id, at, out) && survey_->done())
    append(out, finish_round(at));
  return out;
}

effects getting::finish_round(const surroundings& at) {
  api_reply reply;
  for (auto& x : survey_->resources)
    *reply.add_resources() = std::move(x);
  for (auto& x : survey_->nodes) {
    for (auto& promise : *x.mutable_assessments())
      promise.set_keeper_name(at.zone.name_of(node_id::from_bytes(promise.keeper())));
    *reply.add_nodes() = std::move(x);
  }
  for (auto& x : survey_->notes)
    reply.add_notes(std::move(x));
  if (sort_ == sort::promises) // only who made them knows them
    for (const auto& row : at.zone.rows())
      if (row.state == member_dead)
        reply.add_notes("what " + at.zone.with_state(row.id(), at.now)
                        + ", has promised is missing: only it knows that");
  filter(reply);
  reply.set_incomplete(!survey_->complete && sort_ != sort::nodes);
  if (!what_.watch() || first_)
    refuse_missing(reply);
  if (!what_.watch() || reply.has_refused()) {
    reply.set_last(true);
    return {say{std::move(reply)}};
  }
  auto changed = keep_changes(reply, survey_->complete) || first_;
  first_ = false;
  effects out;
  if (changed)
    out.push_back(say{std::move(reply)});
  out.push_back(wake{ids_.next(), watch_pause});
  return out;
}

bool getting::named(const std::string& name) const {
  return what_.names().empty()
         || std::find(what_.names().begin(), what_.names().end(), name) != what_.names().end();
}

void getting::filter(api_reply& reply) const {
  auto& resources = *reply.mutable_resources();
  if (sort_ == sort::deployments)
    remove_if(resources, [&](const resource_view& x) {
      return !named(x.what().metadata().name()) || !selector_.matches(x.what().metadata().labels());
    });
  if (sort_ == sort::pods) {
    for (auto& x : resources)
      filter_pods(x);
    remove_if(resources, [](const resource_view& x) { return x.pods().empty(); });
  }
  auto& nodes = *reply.mutable_nodes();
  for (auto& x : nodes)
    x.clear_resources();
  if (sort_ == sort::nodes)
    remove_if(nodes, [&](const node_view& x) {
      auto id = node_id::from_bytes(x.member().id()).text();
      auto asked = named(x.member().name())
                   || std::any_of(what_.names().begin(), what_.names().end(), [&](const auto& y) {
                        return y.size() >= 8 && id.starts_with(y);
                      });
      return !asked || !selector_.matches(x.member().labels());
    });
  if (sort_ != sort::promises)
    return;
  for (auto& x : nodes)
    remove_if(*x.mutable_assessments(), [&](const assessment& y) {
      auto elsewhere = !what_.all_namespaces() && y.of().namespace_() != question().ns;
      return elsewhere || !named(y.slot().pod());
    });
}

void getting::filter_pods(resource_view& view) const {
  remove_if(*view.mutable_pods(), [&](const pod_view& x) {
    const auto* earlier = earlier_of(view, x.slot().revision());
    return !selector_.matches(earlier ? earlier->template_().metadata().labels()
                                      : pod_labels(view.what()));
  });
  if (!what_.names().empty())
    remove_if(*view.mutable_pods(), [&](const pod_view& x) { return !named(x.slot().pod()); });
}

void getting::refuse_missing(api_reply& reply) const {
  std::vector<std::string> there;
  for (const auto& x : reply.resources()) {
    if (sort_ == sort::deployments)
      there.push_back(x.what().metadata().name());
    else
      for (const auto& pod : x.pods())
        there.push_back(pod.slot().pod());
  }
  for (const auto& x : reply.nodes()) {
    if (sort_ == sort::nodes) {
      there.push_back(x.member().name());
      there.push_back(node_id::from_bytes(x.member().id()).text());
    }
    for (const auto& promise : x.assessments())
      there.push_back(promise.slot().pod());
  }
  std::string missing;
  for (const auto& name : what_.names()) {
    auto found = std::any_of(there.begin(), there.end(), [&](const std::string& x) {
      return x == name || (sort_ == sort::nodes && name.size() >= 8 && x.starts_with(name));
    });
    if (!found)
      missing += (missing.empty() ? "" : ", ") + name;
  }
  if (missing.empty())
    return;
  static constexpr const char* words[] = {"node", "deployment", "pod", "promise"};
  auto where = sort_ == sort::nodes || what_.all_namespaces() ? std::string{}
                                                              : " in namespace " + question().ns;
  auto code = survey_->complete ? refusal_not_found : refusal_unreachable;
  *reply.mutable_refused() =
      make_refusal(code, "no " + std::string{words[static_cast<int>(sort_)]} + " " + missing + where
                             + (survey_->complete ? "" : " on the nodes that answered"));
}

bool getting::keep_changes(api_reply& reply, bool complete) {
  std::map<std::string, std::string> now;
  std::map<std::string, resource_view> now_views;
  auto is_news = [&](const std::string& name, std::string text) {
    auto i = shown_.find(name);
    auto news = i == shown_.end() || i->second != text;
    now[name] = std::move(text);
    return news;
  };
  remove_if(*reply.mutable_resources(), [&](const resource_view& x) {
    auto name = shown(name_of(x.what()));
    now_views[name] = x;
    return !is_news(name, essence(x));
  });
  for (auto& x : *reply.mutable_resources())
    if (auto i = shown_views_.find(shown(name_of(x.what()))); complete && i != shown_views_.end())
      add_gone_pods(x, i->second);
  remove_if(*reply.mutable_nodes(),
            [&](const node_view& x) { return !is_news(x.member().id(), essence(x)); });
  for (const auto& [name, view] : shown_views_) {
    if (now_views.contains(name))
      continue;
    if (!complete) { // somebody is silent: absence says nothing
      now_views[name] = view;
      now[name] = shown_[name];
      continue;
    }
    auto& gone = *reply.add_resources() = view;
    gone.set_deleting(true);
    gone.set_ready(0);
    for (auto& pod : *gone.mutable_pods())
      pod.set_state("gone");
  }
  std::string notes;
  for (const auto& x : reply.notes())
    notes += x.substr(0, x.find(" since ")) + "\n"; // how long ago is no news
  if (notes == shown_notes_)
    reply.clear_notes();
  auto changed = !reply.resources().empty() || !reply.nodes().empty() || notes != shown_notes_;
  shown_notes_ = std::move(notes);
  shown_ = std::move(now);
  shown_views_ = std::move(now_views);
  return changed;
}

} // namespace legion::gateway
