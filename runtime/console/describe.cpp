#include "runtime/console/describe.hpp"

#include <algorithm>
#include <vector>

#include "messages/ids.hpp"
#include "messages/made_from.hpp"
#include "runtime/console/explain.hpp"
#include "runtime/console/page.hpp"
#include "runtime/console/table.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

constexpr int most_events = 20;
/// An event may be told by another machine than the one that made what it is of.
constexpr wall_ms clocks_differ = 2000;
template <class Labels>
std::vector<std::string> label_lines(const Labels& x) {
  std::vector<std::string> result;
  for (const auto& label : x)
    result.push_back(label.key() + "=" + label.value());
  return result;
}

std::string with_age(wall_ms x, wall_ms now) {
  return x ? rfc3339(x) + " (" + age(x, now) + " ago)" : "<unknown>";
}

std::string order_text(const order_number& x) {
  return std::to_string(x.incarnation()) + "." + std::to_string(x.index());
}

std::string given_amounts(const quantities& x) {
  std::string result;
  if (x.has_cpu_millis())
    result += "cpu " + cpu(x.cpu_millis());
  if (x.has_memory_bytes())
    result += (result.empty() ? "memory " : ", memory ") + memory(x.memory_bytes());
  return or_none(result);
}

/// As a shell reads it back.
std::string in_quotes(std::string_view x) {
  std::string result = "'";
  for (auto c : x)
    result += c == '\'' ? std::string{"'\\''"} : std::string{c};
  return result + "'";
}

/// What another node is given with --join.
std::string join_string_of(const member& x) {
  std::string result = x.endpoint() + "#";
  for (unsigned char c : x.public_key()) {
    constexpr auto digits = "0123456789abcdef";
    result += {digits[c >> 4], digits[c & 15]};
  }
  return result;
}

/// An argument in one line: a script is cut after its first line.
std::string word(const std::string& x) {
  auto end = x.find('\n');
  if (end != std::string::npos && end + 1 < x.size())
    return in_quotes(x.substr(0, end) + " ...") + " ("
           + std::to_string(std::count(x.begin(), x.end(), '\n') + (x.back() != '\n')) + " lines)";
  auto plain = x.find_first_of(" \t\n'\"$;|&<>()*?[]#~`\\!{}") == std::string::npos;
  return plain && !x.empty() ? x : in_quotes(x);
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string result;
  for (const auto& x : words)
    result += (result.empty() ? "" : " ") + word(x);
  return result;
}

template <class Events>
void add_events(page& to, const Events& events, const std::string& object, wall_ms now,
                wall_ms since = 0) {
  std::vector<const event*> chosen;
  for (const auto& x : events)
    if ((object.empty() || x.object() == object) && x.time_ms() + clocks_differ >= since)
      chosen.push_back(&x);
  if (chosen.empty())
    return to.line("Events", "<none>");
  to.heading("Events");
  auto first = chosen.size() > most_events ? chosen.size() - most_events : 0;
  table rows{{"AGE", "TYPE", "REASON", "FROM"}};
  std::vector<std::string> messages{"MESSAGE"};
  for (auto i = first; i < chosen.size(); ++i) {
    const auto& x = *chosen[i];
    auto times = x.count() > 1 ? " (x" + std::to_string(x.count()) + ")" : std::string{};
    auto about = object.empty() && !x.object().empty() ? x.object() + ": " : std::string{};
    rows.add({age(x.time_ms(), now) + times, x.type(), x.reason(), x.source()});
    messages.push_back(plain(about + x.message()));
  }
  to.block(beside(rows.text(), messages));
}

std::string probe_text(const probe& x) {
  auto port = [](const int_or_string& p) {
    return p.has_text() ? p.text() : std::to_string(p.number());
  };
  std::string what = x.has_http_get() ? "http-get " + port(x.http_get().port()) + " "
                                            + or_none(x.http_get().path())
                                      : "tcp-socket " + port(x.tcp_socket().port());
  return what + " delay=" + std::to_string(x.initial_delay_seconds()) + "s timeout="
         + std::to_string(x.timeout_seconds()) + "s period=" + std::to_string(x.period_seconds())
         + "s #success=" + std::to_string(x.success_threshold())
         + " #failure=" + std::to_string(x.failure_threshold());
}

void add_container(page& to, const container& x) {
  to.heading(plain(x.name()), 1);
  if (!x.image().empty())
    to.line("Image", x.image() + " (kept, not pulled)", 2);
  if (x.command_size())
    to.line("Command", joined(x.command()), 2);
  if (x.args_size())
    to.line("Args", joined(x.args()), 2);
  std::string ports;
  for (const auto& port : x.ports())
    ports += (ports.empty() ? "" : ", ") + std::to_string(port.container_port())
             + (port.name().empty() ? "" : " (" + port.name() + ")");
  if (!ports.empty())
    to.line("Ports", ports, 2);
  to.line("Requests", given_amounts(x.requests()), 2);
  to.line("Limits", given_amounts(x.limits()), 2);
  if (x.has_readiness_probe())
    to.line("Readiness", probe_text(x.readiness_probe()), 2);
}

std::string ended_text(int code, int signal, const std::string& reason) {
  auto how = signal ? "signal " + std::to_string(signal) : "exit code " + std::to_string(code);
  return reason.empty() ? how : reason + ", " + how;
}

void add_status(page& to, const container_status& x, wall_ms now) {
  auto state = x.state();
  if (state == "running")
    state += " since " + with_age(x.started_ms(), now) + ", pid " + std::to_string(x.pid());
  else if (state == "terminated")
    state += ": " + ended_text(x.exit_code(), x.signal(), x.reason()) + ", "
             + with_age(x.finished_ms(), now);
  else if (!x.reason().empty())
    state += ": " + x.reason();
  to.line("State", or_none(state), 2);
  if (!x.message().empty())
    to.line("Message", x.message(), 2);
  if (x.last_finished_ms())
    to.line("Last life",
            ended_text(x.last_exit_code(), x.last_signal(), x.last_reason()) + ", "
                + with_age(x.last_finished_ms(), now)
                + (x.last_message().empty() ? "" : ": " + x.last_message()),
            2);
  to.line("Ready", x.ready() ? "true" : "false", 2);
  to.line("Restarts", std::to_string(x.restarts()), 2);
}

std::string keeper_text(const resource_view& x) {
  return (x.keeper_name().empty() ? "none" : x.keeper_name()) + ", group "
         + std::to_string(x.group())
         + (x.keeper_dead() ? "; not repaired until most of the group is up" : "");
}

std::string taint_text(const taint& x) {
  return x.key() + (x.value().empty() ? "" : "=" + x.value()) + ":" + x.effect();
}

std::string condition_text(const node_condition& x, wall_ms now) {
  auto since = x.since_ms() == 0 ? std::string{} : ", since " + with_age(x.since_ms(), now);
  return plain(x.type()) + "=" + (x.status() ? "True" : "False") + " " + plain(x.reason()) + ": "
         + plain(x.message()) + since;
}

std::vector<std::string> loss_lines(const node_view& x) {
  std::vector<std::string> result;
  for (const auto& y : x.lost()) {
    auto peer = y.peer_name().empty() ? node_id::from_bytes(y.peer()).short_text() : y.peer_name();
    auto gap = y.reason() == "gap";
    result.push_back(
        std::to_string(y.messages())
        + (gap ? " from " + peer + " never came" : " with " + peer + ": " + y.reason()));
  }
  return result;
}

} // namespace

std::string describe_charter(const charter_view& x) {
  page to;
  to.line("Roster",
          std::to_string(x.nodes()) + (x.nodes() == 1 ? " node" : " nodes") + ", as of entry "
              + std::to_string(x.index())
              + (x.incarnation() == 0 ? std::string{}
                                      : " of incarnation " + std::to_string(x.incarnation())));
  std::string voters, learners;
  const keeper_member* leader = nullptr;
  for (const auto& y : x.members()) {
    auto& to_names = y.votes() ? voters : learners;
    to_names += (to_names.empty() ? "" : ", ") + y.name() + (y.heard() ? "" : " (not heard)");
    if (y.leads())
      leader = &y;
  }
  to.line("Voters", voters.empty() ? "not known" : voters);
  if (!learners.empty())
    to.line("Learners", learners);
  to.line("Leader", leader ? leader->name() : "none");
  to.line("Quorum", x.quorum() ? quorum_text(x.members()) : "NO: " + x.detail());
  return to.text();
}

std::string describe_node(const node_view& x, wall_ms now) {
  page to;
  const auto& who = x.member();
  to.line("Name", who.name());
  to.line("Id", node_id::from_bytes(who.id()).text());
  to.line("Status", node_status(x));
  if (!x.joining().empty())
    to.line("Joining", x.joining());
  to.line("Zone", who.zone());
  to.line("Address", who.endpoint());
  if (x.joining().empty() && !who.public_key().empty())
    to.line("Join string", join_string_of(who));
  to.line("Version", who.binary_version());
  if (x.answered())
    to.line("Created", with_age(x.first_started_ms(), now) + ", at its first start");
  to.line("Start",
          std::to_string(who.start()) + (x.answered() ? ", " + with_age(x.started_ms(), now) : ""));
  to.lines("Labels", label_lines(who.labels()));
  std::vector<std::string> taints;
  for (const auto& y : who.taints())
    taints.push_back(taint_text(y));
  to.lines("Taints", taints);
  if (!x.answered()) {
    to.line("Answered", "no: only its member record is known");
    add_events(to, x.events(), {}, now);
    return to.text();
  }
  to.line("Capacity", amounts(x.total()));
  to.line("Free", amounts(x.free()));
  to.lines("Drivers", {x.drivers().begin(), x.drivers().end()});
  to.lines("Limits", {x.limits().begin(), x.limits().end()});
  to.lines("Notes", {x.notes().begin(), x.notes().end()});
  std::vector<std::string> conditions;
  for (const auto& y : x.conditions())
    conditions.push_back(condition_text(y, now));
  to.lines("Conditions", conditions);
  if (!x.lost().empty()) {
    to.heading("Lost messages");
    for (const auto& y : loss_lines(x))
      to.block(plain(y));
  }
  if (!x.charter().empty())
    to.line("Charter", x.charter());
  to.line("Keeps", std::to_string(x.kept_groups()) + " keeper groups");
  to.line("Processes", "node " + std::to_string(x.pid()) + ", supervisor "
                           + (x.supervisor_pid() == 0 ? "lost: another one is being started"
                                                      : std::to_string(x.supervisor_pid())));
  if (x.assessments().empty()) {
    to.line("Promises", std::to_string(x.promises()));
    add_events(to, x.events(), {}, now);
    return to.text();
  }
  to.heading("Promises (" + std::to_string(x.assessments_size()) + ")");
  table rows{{"NAMESPACE", "POD", "PHASE", "VERDICT", "AGE"}};
  for (const auto& y : x.assessments())
    rows.add({y.of().namespace_(), y.slot().pod(), y.phase(), verdict_word(y.verdict()),
              age(y.started_ms(), now)});
  to.block(rows.text());
  add_events(to, x.events(), {}, now);
  return to.text();
}

/// With what rules a rollout.
std::string strategy_text(const deployment_spec& x) {
  auto said = [](const int_or_string& y) {
    return y.has_text() ? plain(y.text()) : std::to_string(y.number());
  };
  auto result = or_none(x.strategy());
  auto given = [](const int_or_string& y) {
    return y.value_case() != int_or_string::VALUE_NOT_SET;
  };
  auto neither = !given(x.max_surge()) && !given(x.max_unavailable());
  if (x.strategy() != "Recreate")
    result += ", at most "
              + (given(x.max_surge()) ? said(x.max_surge())
                 : neither            ? "1"
                                      : "25%")
              + " above and "
              + (given(x.max_unavailable()) ? said(x.max_unavailable())
                 : neither                  ? "0"
                                            : "25%")
              + " below what is wanted";
  if (x.min_ready_seconds() > 0)
    result += ", available once ready for " + std::to_string(x.min_ready_seconds()) + " s";
  return result;
}

std::string describe_deployment(const resource_view& x, wall_ms now) {
  page to;
  const auto& what = x.what();
  const auto& spec = what.deployment();
  to.line("Name", what.metadata().name());
  to.line("Namespace", what.metadata().namespace_());
  to.line("Created", with_age(what.metadata().created_ms(), now));
  to.lines("Labels", label_lines(what.metadata().labels()));
  to.lines("Annotations", label_lines(what.metadata().annotations()));
  to.lines("Selector", label_lines(spec.match_labels()));
  to.line("Replicas", std::to_string(x.wanted()) + " wanted, " + std::to_string(x.updated())
                          + " updated, " + std::to_string(x.ready()) + " ready, "
                          + std::to_string(x.available()) + " available");
  to.line("Strategy", strategy_text(spec));
  if (spec.paused())
    to.line("Paused",
            spec.unstarted()
                ? "yes, since it was made: nothing runs until paused is false"
                : "yes: each replica keeps the template that it has until paused is false"
                      + std::string{spec.awaited().empty()
                                        ? ""
                                        : "; another one waits, revision " + spec.awaited()});
  to.line("Revision", or_none(x.revision()));
  to.line("Keeper", keeper_text(x));
  if (!x.members().empty())
    to.line("Kept by", quorum_text(x.members()));
  if (x.deleting())
    to.line("Deleted", (what.metadata().deleted_ms() ? with_age(what.metadata().deleted_ms(), now)
                                                     : std::string{"yes"})
                           + ": its replicas are ending");
  to.heading("Containers");
  for (const auto& y : spec.template_().spec().containers())
    add_container(to, y);
  table rows{{"POD", "STATUS", "RESTARTS", "AGE", "NODE"}};
  for (const auto& pod : x.pods())
    rows.add({pod.slot().pod(), pod_status(pod), std::to_string(pod_restarts(pod)),
              age(pod.created_ms(), now), pod.node_name()});
  if (rows.empty()) {
    to.line("Pods", "<none>");
  } else {
    to.heading("Pods");
    to.block(rows.text());
  }
  for (const auto& pod : x.pods())
    if (!pod.note().empty())
      to.block(plain(pod.slot().pod() + ": " + pod.note()) + "\n");
  add_events(to, x.events(), {}, now);
  return to.text();
}

std::string describe_pod(const pod_view& x, const resource_view& of, wall_ms now) {
  page to;
  const auto what = made_from(of, x.slot().revision());
  const auto& spec = what.has_deployment() ? what.deployment().template_().spec() : what.pod();
  const auto& seen = x.assessment();
  const auto& name = x.slot().pod();
  to.line("Name", name);
  to.line("Namespace", what.metadata().namespace_());
  to.line("Uid", x.slot().uid());
  to.line("Of", kind_name(what.kind()) + "/" + what.metadata().name());
  to.line("Node", or_none(x.node_name()) + (x.node_dead() ? " (down: what it says is old)" : ""));
  to.line("Status", pod_status(x));
  if (!x.note().empty())
    to.line("Waits", x.note());
  if (!seen.reason().empty() || !seen.message().empty())
    to.line("Reason", seen.reason() + (seen.message().empty() ? "" : ": " + seen.message()));
  to.line("Created", with_age(x.created_ms(), now));
  if (x.state() == "missing")
    to.line("Promise", "none yet");
  else
    to.line("Promise", x.state() + ", order " + order_text(x.slot().order()) + ", "
                           + verdict_word(seen.verdict())
                           + (seen.withdrawn() ? ", withdrawn by its node" : ""));
  to.line("Keeper", keeper_text(of));
  if (!of.members().empty())
    to.line("Kept by", quorum_text(of.members()));
  to.line("Driver", or_none(seen.driver()));
  to.line("Ports", or_none(ports(seen)));
  to.heading("Containers");
  for (const auto& y : spec.containers()) {
    add_container(to, y);
    for (const auto& status : seen.containers())
      if (status.name() == y.name())
        add_status(to, status, now);
  }
  // A Pod of its own may follow another one of its name.
  add_events(to, of.events(), what.has_deployment() ? name : "", now,
             what.has_deployment() ? 0 : what.metadata().created_ms());
  return to.text();
}

std::string describe_promise(const assessment& x, const api_reply& all, wall_ms now) {
  page to;
  auto node = [&](const std::string& id) {
    for (const auto& y : all.nodes())
      if (y.member().id() == id)
        return y.member().name();
    return node_id::from_bytes(id).text();
  };
  to.line("Pod", x.slot().pod());
  to.line("Namespace", x.of().namespace_());
  to.line("Uid", x.slot().uid());
  to.line("Of", kind_name(x.of().kind()) + "/" + x.of().name() + ", revision "
                    + or_none(x.slot().revision()));
  to.line("Promiser", node(x.node()));
  to.line("Promisee", node(x.keeper()) + ", group " + std::to_string(x.group()));
  to.line("Order", order_text(x.slot().order()));
  to.line("Verdict", verdict_word(x.verdict()) + (x.withdrawn() ? ", withdrawn" : "")
                         + (x.reason().empty() ? "" : ": " + x.reason()));
  if (!x.message().empty())
    to.line("Message", x.message());
  to.line("Phase", x.phase() + (x.ready() ? ", ready" : ", not ready"));
  to.line("Driver", or_none(x.driver()));
  to.line("Ports", or_none(ports(x)));
  to.line("Started", with_age(x.started_ms(), now));
  to.line("Observed", with_age(x.observed_ms(), now));
  std::vector<event> events;
  for (const auto& y : all.nodes())
    if (y.member().id() == x.node())
      events.assign(y.events().begin(), y.events().end());
  add_events(to, events, x.slot().pod(), now);
  return to.text();
}

std::string describe(const std::string& kind, const api_reply& x, wall_ms now) {
  std::vector<std::string> parts;
  if (kind == "nodes")
    for (const auto& node : x.nodes())
      parts.push_back(describe_node(node, now));
  if (kind == "promises")
    for (const auto& node : x.nodes())
      for (const auto& promise : node.assessments())
        parts.push_back(describe_promise(promise, x, now));
  for (const auto& view : x.resources()) {
    if (kind == "deployments")
      parts.push_back(describe_deployment(view, now));
    if (kind == "pods")
      for (const auto& pod : view.pods())
        parts.push_back(describe_pod(pod, view, now));
  }
  std::string result;
  for (const auto& part : parts)
    result += (result.empty() ? "" : "\n") + part;
  return result;
}

} // namespace legion::console
