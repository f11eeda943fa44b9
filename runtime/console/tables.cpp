#include "runtime/console/tables.hpp"

#include <map>

#include "messages/ids.hpp"
#include "runtime/console/explain.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

using cells = std::vector<std::string>;

cells headings(cells normal, const cells& wide, const look& how) {
  if (how.namespaces)
    normal.insert(normal.begin(), "NAMESPACE");
  if (how.wide)
    normal.insert(normal.end(), wide.begin(), wide.end());
  return normal;
}

void add(table& to, const std::string& ns, cells normal, const cells& wide, const look& how) {
  if (how.namespaces)
    normal.insert(normal.begin(), ns);
  if (how.wide)
    normal.insert(normal.end(), wide.begin(), wide.end());
  to.add(std::move(normal));
}

std::string joined(const cells& parts, const char* between = ",") {
  std::string result;
  for (const auto& x : parts)
    result += (result.empty() ? "" : between) + x;
  return result;
}

std::string labels_text(const google::protobuf::RepeatedPtrField<label>& x) {
  cells parts;
  for (const auto& label : x)
    parts.push_back(label.key() + "=" + label.value());
  return joined(parts);
}

std::string used_of(std::int64_t used, std::int64_t total, std::string (*text)(std::int64_t)) {
  return text(used) + "/" + text(total);
}

std::string count(std::int64_t x) {
  return std::to_string(x);
}

std::string cpu_short(std::int64_t millis) {
  if (millis < 1000 || millis % 1000 == 0)
    return cpu(millis);
  auto tenths = std::to_string(millis / 1000) + "." + std::to_string(millis % 1000 / 100);
  return tenths;
}

std::string restarts_text(const pod_view& x, wall_ms now) {
  auto n = pod_restarts(x);
  auto text = std::to_string(n);
  wall_ms last = 0;
  for (const auto& container : x.assessment().containers())
    last = std::max({last, container.last_finished_ms()});
  return n && last ? text + " (" + age(last, now) + " ago)" : text;
}

std::string pod_ready_text(const pod_view& x, const resource& of) {
  const auto& seen = x.assessment().containers();
  const auto& spec = of.has_deployment() ? of.deployment().template_().spec() : of.pod();
  auto all = seen.empty() ? spec.containers_size() : seen.size();
  auto ready = 0;
  for (const auto& container : seen)
    ready += container.ready() && !x.node_dead() && x.state() != "gone";
  return std::to_string(ready) + "/" + std::to_string(all);
}

std::string node_name(const std::map<std::string, std::string>& names, const std::string& id) {
  auto i = names.find(id);
  return i != names.end() ? i->second : node_id::from_bytes(id).short_text();
}

/// Who leads, and how many of those that decide are up. A single keeper that is down has its name;
/// of several without a quorum none keeps it.
std::string keeper_cell(const resource_view& x) {
  auto [up, votes] = votes_of(x.members());
  if (!x.keeper_dead() && votes > 1)
    return x.keeper_name() + " (" + count(up) + "/" + count(votes) + " up)";
  if (!x.keeper_dead())
    return x.keeper_name();
  if (x.keeper_name().empty())
    return "none (no quorum)";
  auto silent = x.members_size() == 1 && x.members(0).heard();
  return x.keeper_name() + (silent ? " (silent)" : " (down)");
}

} // namespace

table node_table(const api_reply& x, const look& how) {
  auto plain_look = how;
  plain_look.namespaces = false;
  table result{headings({"NAME", "STATUS", "PODS", "CPU", "MEMORY", "AGE", "VERSION"},
                        {"ZONE", "ADDRESS", "KEEPS", "DRIVERS", "ID"}, plain_look)};
  for (const auto& node : x.nodes()) {
    const auto& who = node.member();
    const auto& total = node.total();
    const auto& free = node.free();
    auto known = node.answered();
    auto dash = [&](std::string text) { return known ? std::move(text) : std::string{"?"}; };
    add(result, {},
        {who.name(), node_status(node),
         dash(used_of(total.pods() - free.pods(), total.pods(), count)),
         dash(used_of(total.cpu_millis() - free.cpu_millis(), total.cpu_millis(), cpu_short)),
         dash(used_of(total.memory_bytes() - free.memory_bytes(), total.memory_bytes(),
                      memory_short)),
         dash(age(node.first_started_ms(), how.now)), who.binary_version()},
        {who.zone(), who.endpoint(), dash(count(node.kept_groups())),
         dash(joined({node.drivers().begin(), node.drivers().end()})),
         node_id::from_bytes(who.id()).short_text()},
        plain_look);
  }
  return result;
}

table deployment_table(const api_reply& x, const look& how) {
  table result{headings({"NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"},
                        {"KEEPER", "CONTAINERS", "IMAGES", "SELECTOR"}, how)};
  for (const auto& view : x.resources()) {
    const auto& what = view.what();
    cells names, images;
    for (const auto& container : what.deployment().template_().spec().containers()) {
      names.push_back(container.name());
      images.push_back(or_none(container.image()));
    }
    add(result, what.metadata().namespace_(),
        {what.metadata().name(),
         view.deleting() ? "Deleting" : count(view.ready()) + "/" + count(view.wanted()),
         count(view.updated()), count(view.available()),
         age(what.metadata().created_ms(), how.now)},
        {keeper_cell(view), joined(names), joined(images),
         labels_text(what.deployment().match_labels())},
        how);
  }
  return result;
}

table pod_table(const api_reply& x, const look& how) {
  table result{headings({"NAME", "READY", "STATUS", "RESTARTS", "AGE", "NODE"},
                        {"PORTS", "KEEPER", "DRIVER"}, how)};
  for (const auto& view : x.resources())
    for (const auto& pod : view.pods()) {
      const auto& seen = pod.assessment();
      auto since = pod.created_ms() ? pod.created_ms() : seen.started_ms();
      add(result, view.what().metadata().namespace_(),
          {pod.slot().pod(), pod_ready_text(pod, view.what()), pod_status(pod),
           restarts_text(pod, how.now), age(since, how.now), or_none(pod.node_name())},
          {ports(seen), keeper_cell(view), seen.driver()}, how);
    }
  return result;
}

table promise_table(const api_reply& x, const look& how) {
  table result{headings({"POD", "PROMISER", "PROMISEE", "VERDICT", "AGE"},
                        {"ORDER", "GROUP", "DRIVER", "REASON", "UID"}, how)};
  std::map<std::string, std::string> names;
  for (const auto& node : x.nodes())
    names[node.member().id()] = node.member().name();
  for (const auto& node : x.nodes())
    for (const auto& promise : node.assessments()) {
      const auto& order = promise.slot().order();
      auto promiser = promise.node_name().empty() ? node.member().name() : promise.node_name();
      add(result, promise.of().namespace_(),
          {promise.slot().pod(), promiser, node_name(names, promise.keeper()),
           verdict_word(promise.verdict()) + (promise.withdrawn() ? ", withdrawn" : ""),
           age(promise.started_ms(), how.now)},
          {count(static_cast<std::int64_t>(order.incarnation())) + "."
               + count(static_cast<std::int64_t>(order.index())),
           count(promise.group()), promise.driver(), promise.reason(), promise.slot().uid()},
          how);
    }
  return result;
}

table table_of(const std::string& kind, const api_reply& x, const look& how) {
  if (kind == "nodes")
    return node_table(x, how);
  if (kind == "deployments")
    return deployment_table(x, how);
  if (kind == "promises")
    return promise_table(x, how);
  return pod_table(x, how);
}

} // namespace legion::console
