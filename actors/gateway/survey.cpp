#include "actors/gateway/survey.hpp"

#include <algorithm>
#include <tuple>

#include "actors/group/whereabouts.hpp"
#include "messages/listed.hpp"

namespace legion::gateway {

namespace {

constexpr milliseconds node_timeout{2'000};
constexpr std::size_t most_reasons = 3; // told one by one

/// A few names, and how many more there are.
std::string first_of(std::vector<std::string> names) {
  constexpr std::size_t most = 3;
  if (names.size() > most + 1) {
    auto more = std::to_string(names.size() - most) + " more";
    names.resize(most);
    names.push_back(std::move(more));
  }
  return listed(names);
}

auto key(const resource_name& x) {
  return std::make_tuple(x.kind(), x.namespace_(), x.name());
}

/// Where a page ended: behind a resource is behind all of its pods.
auto place(const resource_name& x, const std::string& pod) {
  return std::make_tuple(key(x), pod.empty(), pod);
}

} // namespace

survey::survey(question what, id_sequence& ids) : what_(std::move(what)), ids_(ids) {}

effects survey::start(const surroundings& at) {
  effects out;
  if (what_.resources || !what_.named.empty())
    append(out, ask_groups(at));
  if (what_.nodes)
    append(out, ask_nodes(what_.assessments, false, at));
  append(out, step(at));
  return out;
}

effects survey::ask_groups(const surroundings& at) {
  effects out;
  auto read = [&](group_id group, std::string name, std::string subject) {
    group_request request;
    request.set_group(value(group));
    auto& what = *request.mutable_read();
    what.set_kind(what_.kind);
    what.set_namespace_(what_.ns);
    what.set_all_namespaces(what_.ns.empty());
    what.set_name(std::move(name));
    what.set_events(what_.events);
    append(out, ask_group(std::move(request), std::move(subject), at));
  };
  if (what_.named.empty()) {
    auto groups = at.zone.kept_groups();
    knows_no_group_ = groups.empty();
    for (auto group : groups)
      read(group, {}, "group " + std::to_string(value(group)));
    return out;
  }
  std::set<std::string> once; // two pods of one deployment are one question
  for (const auto& x : what_.named)
    if (once.insert(shown(x)).second)
      read(group::group_of(x), x.name(), shown(x));
  return out;
}

effects survey::ask_group(group_request what, std::string subject, const surroundings& at) {
  auto id = ids_.next();
  auto [i, fresh] = errands_.emplace(id, errand{id, std::move(what), std::move(subject)});
  auto out = i->second.start(at);
  if (i->second.done())
    append(out, take(i->second, at));
  return out;
}

effects survey::ask_nodes(bool assessments, bool resources, const surroundings& at) {
  effects out;
  for (const auto& who : at.zone.living()) {
    node_request request;
    request.set_assessments(assessments);
    request.set_resources(resources);
    request.set_events(what_.events && what_.nodes);
    auto id = ids_.next();
    asked_.emplace(id, who);
    out.push_back(ask{id, who, request, node_timeout});
  }
  return out;
}

bool survey::on(std::uint64_t id, const answer& what, const surroundings& at, effects& out) {
  if (auto i = errands_.find(id); i != errands_.end()) {
    if (i->second.done())
      return true;
    append(out, i->second.on(what, at));
    if (i->second.done())
      append(out, take(i->second, at));
    append(out, step(at));
    return true;
  }
  auto i = asked_.find(id);
  if (i == asked_.end())
    return false;
  auto who = i->second;
  asked_.erase(i);
  if (const auto* view = std::get_if<node_view>(&what)) {
    auto& mine = answered_[who] = *view;
    mine.set_answered(true);
  } else {
    silent_nodes_.insert(who);
  }
  append(out, step(at));
  return true;
}

bool survey::on_wake(std::uint64_t id, const surroundings& at, effects& out) {
  auto i = errands_.find(id);
  if (i == errands_.end())
    return false;
  append(out, i->second.on_wake(at));
  if (i->second.done())
    append(out, take(i->second, at));
  append(out, step(at));
  return true;
}

bool survey::wanted(const resource_name& x) const {
  if (!what_.kind.empty() && x.kind() != what_.kind)
    return false;
  if (!what_.ns.empty() && x.namespace_() != what_.ns)
    return false;
  if (what_.named.empty())
    return true;
  return std::any_of(what_.named.begin(), what_.named.end(),
                     [&](const resource_name& y) { return key(x) == key(y); });
}

/// Behind what the page before had of it, if a page ended within it.
void survey::add(resource_view view, const errand& from, const surroundings& at) {
  const auto& wish = from.request().read();
  auto name = name_of(view.what());
  if (!wish.after_pod().empty() && key(name) == key(wish.after())) {
    auto i = std::find_if(resources.rbegin(), resources.rend(),
                          [&](const auto& x) { return key(name_of(x.what())) == key(name); });
    if (i != resources.rend())
      i->mutable_pods()->MergeFrom(view.pods());
    return;
  }
  if (!wanted(name))
    return;
  auto& mine = resources.emplace_back(std::move(view));
  if (mine.keeper().empty()) {
    mine.set_keeper(from.keeper().bytes());
    mine.set_group(from.request().group());
  }
  if (mine.keeper_name().empty())
    mine.set_keeper_name(at.zone.name_of(from.keeper()));
}

effects survey::take(const errand& x, const surroundings& at) {
  auto group = group_id{x.request().group()};
  const auto& refused = x.reply().refused();
  if (x.reply().has_refused() && refused.code() != refusal_not_found) {
    silent_groups_.emplace(group, x.keeper());
    why_silent_.emplace(group, x.unanswered() ? x.why() : refused.detail());
    return {};
  }
  auto page = x.reply().views();
  for (auto& view : *page.mutable_views())
    add(std::move(view), x, at);
  if (!page.has_next())
    return {};
  const auto& wish = x.request().read();
  if (wish.has_after()
      && place(page.next(), page.next_pod()) <= place(wish.after(), wish.after_pod())) {
    silent_groups_.emplace(group, x.keeper()); // it would go on for ever
    why_silent_.emplace(group, "its keeper " + at.zone.name_of(x.keeper()) + " repeats itself");
    return {};
  }
  auto next = x.request();
  *next.mutable_read()->mutable_after() = page.next();
  next.mutable_read()->set_after_pod(page.next_pod());
  return ask_group(std::move(next), x.subject(), at);
}

effects survey::step(const surroundings& at) {
  if (done_)
    return {};
  for (const auto& [id, x] : errands_)
    if (!x.done())
      return {};
  if (!asked_.empty())
    return {};
  if (!silent_groups_.empty() && !promises_asked_) {
    promises_asked_ = true;
    if (auto more = ask_nodes(true, true, at); !more.empty())
      return more;
  }
  finish(at);
  return {};
}

/// Of a group that nobody answers for: one of several that has no quorum leads nothing.
void survey::name_members(resource_view& view, const node_id& asked, const zone_members& zone) {
  auto members = zone.members_of(group_id{view.group()});
  for (const auto& who : members) {
    const auto* row = zone.find(who);
    auto& x = *view.add_members();
    x.set_node(who.bytes());
    x.set_name(zone.name_of(who));
    x.set_votes(true);
    x.set_heard(row && !row->down());
  }
  if (members.size() > 1)
    return;
  view.set_keeper(asked.bytes());
  view.set_keeper_name(zone.name_of(asked));
}

void survey::rebuild(const surroundings& at) {
  std::vector<node_view> all;
  for (const auto& [id, x] : answered_)
    all.push_back(x);
  std::set<decltype(key({}))> told; // before its group fell silent
  for (const auto& x : resources)
    told.insert(key(name_of(x.what())));
  std::map<std::string, std::vector<std::string>> unkept; // by what is wrong with their groups
  for (auto& view : views_from_promises(all)) {
    auto name = name_of(view.what());
    auto i = silent_groups_.find(group::group_of(name));
    if (i == silent_groups_.end() || !wanted(name) || told.contains(key(name)))
      continue;
    view.set_group(value(i->first));
    name_members(view, i->second, at.zone);
    unkept[without_number(value(i->first), why_silent_[i->first])].push_back(name.name());
    resources.push_back(std::move(view));
  }
  for (auto& [why, names] : unkept)
    notes.push_back(
        first_of(std::move(names)) + ": " + why
        + ": what runs goes on, and is not repaired until that ends; how many are wanted is "
          "as of its promises");
}

void survey::finish(const surroundings& at) {
  done_ = true;
  rebuild(at);
  std::map<std::string, std::size_t> silent; // groups, by what is wrong with them
  for (const auto& [group, why] : why_silent_)
    ++silent[without_number(value(group), why)];
  if (silent.size() > most_reasons) { // they differ in who keeps the group, say
    auto most = std::max_element(silent.begin(), silent.end(),
                                 [](const auto& a, const auto& b) { return a.second < b.second; });
    auto text = most->first + " (of " + std::to_string(most->second) + "; of others alike)";
    silent = {{text, why_silent_.size()}};
  }
  for (const auto& [why, groups] : silent)
    notes.push_back(std::to_string(groups) + (groups == 1 ? " keeper group" : " keeper groups")
                    + " did not answer: " + why
                    + "; their resources are shown as the promises that nodes hold have them: what "
                      "was changed since, and what has no replica, is missing here");
  for (const auto& who : silent_nodes_) {
    auto text = at.zone.with_state(who, at.now);
    notes.push_back(text + (text.find(", which") == std::string::npos ? "" : ",")
                    + " did not answer in time: what it would say is missing");
  }
  if (knows_no_group_)
    notes.push_back(at.zone.name_of(at.self)
                    + " knows of no keeper group, and so of nothing that is kept: `legionctl get "
                      "nodes` says why");
  for (auto& x : resources) // a node may have another name by now
    for (auto& pod : *x.mutable_pods())
      if (const auto* row = at.zone.find(node_id::from_bytes(pod.node())))
        pod.set_node_name(row->who.name());
  complete = silent_groups_.empty() && silent_nodes_.empty() && !knows_no_group_;
  std::stable_sort(resources.begin(), resources.end(), [](const auto& a, const auto& b) {
    return key(name_of(a.what())) < key(name_of(b.what()));
  });
  if (!what_.nodes)
    return;
  for (const auto& row : at.zone.rows()) {
    auto i = answered_.find(row.id());
    auto& view = nodes.emplace_back(i == answered_.end() ? node_view{} : i->second);
    auto cordoned = view.member().cordoned(); // by its own word, the news of which may be under way
    *view.mutable_member() = row.who.get();
    if (i != answered_.end())
      view.mutable_member()->set_cordoned(cordoned);
    const auto* listed =
        row.down() && at.zone.roster() ? at.zone.roster()->find(row.id()) : nullptr;
    if (listed) // it obeys once it is back
      view.mutable_member()->set_cordoned(listed->cordoned());
    view.set_state(row.state);
    if (!view.joining().empty())
      notes.push_back(at.zone.name_of(row.id())
                      + " has not joined its zone yet: " + view.joining());
    for (auto& x : *view.mutable_lost())
      x.set_peer_name(at.zone.name_of(node_id::from_bytes(x.peer())));
  }
  for (auto& x : at.zone.unheard()) {
    notes.push_back(x.name() + " is a member that was not heard since this node began");
    auto& view = nodes.emplace_back();
    *view.mutable_member() = std::move(x);
    view.set_state(member_dead);
  }
  std::stable_sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) {
    return a.member().name() < b.member().name();
  });
}

std::vector<resource_view> views_from_promises(const std::vector<node_view>& nodes) {
  std::map<std::tuple<std::string, std::string, std::string>, resource_view> found;
  for (const auto& node : nodes)
    for (const auto& x : node.resources()) {
      auto& view = found[key(name_of(x))];
      if (!view.has_what()
          || view.what().metadata().resource_version() < x.metadata().resource_version())
        *view.mutable_what() = x;
    }
  for (const auto& node : nodes)
    for (const auto& x : node.assessments()) {
      auto i = found.find(key(x.of()));
      if (i == found.end())
        continue;
      auto& view = i->second;
      auto& pod = *view.add_pods();
      *pod.mutable_slot() = x.slot();
      *pod.mutable_of() = x.of();
      pod.set_state(x.phase() == "Terminating" ? "ending" : "bound");
      pod.set_node(x.node());
      pod.set_node_name(x.node_name());
      pod.set_created_ms(x.started_ms());
      *pod.mutable_assessment() = x;
      view.set_ready(view.ready() + (x.ready() ? 1 : 0));
      view.set_available(view.ready());
      view.set_updated(view.pods_size());
    }
  std::vector<resource_view> result;
  for (auto& [name, view] : found) {
    view.set_keeper_dead(true);
    const auto& what = view.what();
    view.set_wanted(what.has_deployment() ? what.deployment().replicas() : 1);
    result.push_back(std::move(view));
  }
  return result;
}

} // namespace legion::gateway
