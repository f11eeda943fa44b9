#include "runtime/console/describe.hpp"

#include <algorithm>
#include <sstream>
#include <vector>

#include "messages/ids.hpp"
#include "runtime/console/table.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

constexpr int most_events = 20;
constexpr std::size_t key_width = 14;

/// Lines of `Key:   value`, the values below each other.
class page {
public:
  void line(const std::string& key, const std::string& value, int depth = 0) {
    text_ += std::string(static_cast<std::size_t>(depth) * 2, ' ') + key + ":";
    text_.append(key.size() + 1 < key_width ? key_width - key.size() - 1 : 1, ' ');
    text_ += plain(value) + "\n";
  }
  /// The first value beside the key, the others below it.
  void lines(const std::string& key, const std::vector<std::string>& values, int depth = 0) {
    line(key, values.empty() ? "<none>" : values.front(), depth);
    for (std::size_t i = 1; i < values.size(); ++i)
      text_ += std::string(key_width + static_cast<std::size_t>(depth) * 2, ' ') + plain(values[i])
               + "\n";
  }
  void heading(const std::string& words, int depth = 0) {
    text_ += std::string(static_cast<std::size_t>(depth) * 2, ' ') + words + ":\n";
  }
  void block(const std::string& text, std::size_t indent = 2) {
    std::size_t from = 0;
    while (from < text.size()) {
      auto end = std::min(text.find('\n', from), text.size());
      text_ += std::string(indent, ' ') + text.substr(from, end - from) + "\n";
      from = end + 1;
    }
  }
  const std::string& text() const { return text_; }

private:
  std::string text_;
};

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

std::string amounts(const capacity& x) {
  return cpu(x.cpu_millis()) + " cpu, " + memory_short(x.memory_bytes()) + " memory, "
         + std::to_string(x.ports()) + " ports, " + std::to_string(x.pods()) + " pods";
}

std::string amounts(const quantities& x) {
  std::string result;
  if (x.has_cpu_millis())
    result += "cpu " + cpu(x.cpu_millis());
  if (x.has_memory_bytes())
    result += (result.empty() ? "memory " : ", memory ") + memory(x.memory_bytes());
  return or_none(result);
}

/// An argument in one line: a script is cut after its first line.
std::string word(const std::string& x) {
  auto end = x.find('\n');
  if (end != std::string::npos && end + 1 < x.size())
    return "'" + x.substr(0, end) + " ...' ("
           + std::to_string(std::count(x.begin(), x.end(), '\n') + (x.back() != '\n')) + " lines)";
  auto quoted = x.empty() || x.find_first_of(" \t\n'\"$;|&") != std::string::npos;
  return quoted ? "'" + x + "'" : x;
}

std::string joined(const google::protobuf::RepeatedPtrField<std::string>& words) {
  std::string result;
  for (const auto& x : words)
    result += (result.empty() ? "" : " ") + word(x);
  return result;
}

/// In lines of at most so many bytes, broken after commas, each with the same indent.
std::string wrapped(const std::string& text, std::size_t indent) {
  constexpr std::size_t columns = 78;
  std::string result, line;
  std::size_t from = 0;
  while (from < text.size()) {
    auto end = std::min(text.find(", ", from), text.size());
    auto part = text.substr(from, end == text.size() ? end - from : end + 1 - from);
    if (!line.empty() && indent + line.size() + 1 + part.size() > columns)
      result += std::exchange(line, {}) + "\n";
    line += (line.empty() ? "" : " ") + part;
    from = end == text.size() ? end : end + 2;
  }
  return result + line;
}

/// A table's rows with one more column, which is wrapped at 80 columns: below its row where too
/// little room is left beside it.
std::string beside(const std::string& rows, const std::vector<std::string>& texts) {
  constexpr std::size_t columns = 78, least = 24, indent = 4;
  std::vector<std::string> left;
  std::size_t widest = 0;
  std::istringstream all(rows);
  for (std::string line; std::getline(all, line); left.push_back(line))
    widest = std::max(widest, line.size());
  auto below = widest + 3 + least > columns;
  auto from = below ? indent : widest + 3;
  std::string result;
  for (std::size_t i = 0; i < std::min(left.size(), texts.size()); ++i) {
    result += left[i];
    auto first = !below;
    for (const auto& line : lines_of(texts[i], columns - from, columns - from)) {
      result += first ? std::string(from - left[i].size(), ' ') : "\n" + std::string(from, ' ');
      result += line;
      first = false;
    }
    result += "\n";
  }
  return result;
}

template <class Events>
void add_events(page& to, const Events& events, const std::string& object, wall_ms now) {
  std::vector<const event*> chosen;
  for (const auto& x : events)
    if (object.empty() || x.object() == object)
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
  to.line("Requests", amounts(x.requests()), 2);
  to.line("Limits", amounts(x.limits()), 2);
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
  return x.keeper_name() + ", group " + std::to_string(x.group())
         + (x.keeper_dead() ? "; not repaired until most of the group is up" : "");
}

/// "n2 (leads), n1, n3 (not heard): 2 of 3 are up, a quorum".
template <class Members>
std::string quorum_text(const Members& members) {
  std::string names;
  auto votes = 0;
  auto up = 0;
  for (auto leaders : {true, false})
    for (const auto& x : members) {
      if (x.leads() != leaders)
        continue;
      names += (names.empty() ? "" : ", ") + plain(x.name())
               + (x.leads()    ? " (leads)"
                  : !x.votes() ? " (learns)"
                  : x.heard()  ? ""
                               : " (not heard)");
      votes += x.votes() ? 1 : 0;
      up += x.votes() && x.heard() ? 1 : 0;
    }
  if (votes == 1)
    return names + ": one node decides; with three in the zone it will be three";
  auto whole = up == votes      ? ", the quorum is whole"
               : up * 2 > votes ? ", still a quorum"
                                : ", NO quorum: nothing can be changed";
  return names + ": " + std::to_string(up) + " of " + std::to_string(votes) + " are up" + whole;
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
  to.line("Keeps", std::to_string(x.kept_groups()) + " groups that hold resources");
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
  to.line("Strategy", or_none(spec.strategy()));
  if (spec.paused())
    to.line("Paused", spec.unstarted()
                          ? "yes, since it was made: nothing runs until paused is false"
                          : "yes: its replicas keep this template until paused is false");
  to.line("Revision", or_none(x.revision()));
  to.line("Keeper", keeper_text(x));
  if (!x.members().empty())
    to.line("Kept by", quorum_text(x.members()));
  if (x.deleting())
    to.line("Deleting", "yes: its replicas are ending");
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
  const auto& what = of.what();
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
  to.line("Promise", x.state() + ", order " + order_text(x.slot().order()) + ", "
                         + verdict_word(seen.verdict())
                         + (seen.withdrawn() ? ", withdrawn by its node" : ""));
  to.line("Keeper", keeper_text(of));
  to.line("Driver", or_none(seen.driver()));
  to.line("Ports", or_none(ports(seen)));
  to.heading("Containers");
  for (const auto& y : spec.containers()) {
    add_container(to, y);
    for (const auto& status : seen.containers())
      if (status.name() == y.name())
        add_status(to, status, now);
  }
  add_events(to, of.events(), what.has_deployment() ? name : "", now);
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

namespace {

std::string decline_word(decline_reason x) {
  auto word = decline_reason_Name(x);
  constexpr std::string_view prefix = "decline_";
  return word.starts_with(prefix) ? word.substr(prefix.size()) : word;
}

/// What became of an accepted offer: why its node did not keep to it, or nothing.
std::string regret_of(const negotiation_round& round, const candidate& x) {
  for (const auto& y : round.regretted())
    if (y.node() == x.node())
      return y.detail();
  return {};
}

void add_candidate(page& to, const negotiation_round& round, const candidate& x,
                   std::size_t name_width) {
  auto name =
      plain(x.node_name().empty() ? node_id::from_bytes(x.node()).short_text() : x.node_name());
  name.resize(std::max(name.size(), name_width), ' ');
  if (x.has_offer()) {
    const auto& y = x.offer();
    auto regret = regret_of(round, x);
    to.block(name + "  offered " + std::to_string(y.count()) + ", score "
             + std::to_string(x.score())
             + (!regret.empty() ? ", accepted, then regretted:"
                : x.accepted()  ? ", accepted"
                : x.late()      ? ", too late: it was given back"
                                : ", not taken"));
    if (!regret.empty())
      for (const auto& line : lines_of(plain(regret), 78 - name_width - 4, 78 - name_width - 4))
        to.block(line, name_width + 4);
    if (!x.score_detail().empty())
      to.block(wrapped(plain(x.score_detail()), name_width + 4), name_width + 4);
    to.block("free " + amounts(y.free()), name_width + 4);
  } else if (x.decline().reason() == decline_silent) {
    to.block(name + "  did not answer" + (x.decline().detail().empty() ? "" : ": ")
             + plain(x.decline().detail()));
  } else {
    const auto& detail = x.decline().detail();
    to.block(name + (x.late() ? "  declined too late: " : "  declined: ")
             + (detail.empty() ? decline_word(x.decline().reason()) : plain(detail)));
  }
}

} // namespace

std::string explain(const explanation& x, wall_ms now) {
  page to;
  const auto& view = x.view();
  auto where = view.node_name().empty() ? std::string{" on no node"} : " on " + view.node_name();
  to.block(plain("pod " + x.pod() + ": " + pod_status(view) + where
                 + (view.assessment().ready() ? ", ready" : "")
                 + (view.note().empty() ? "" : ": " + view.note())),
           0);
  if (!x.members().empty())
    to.block("kept by " + quorum_text(x.members()), 0);
  if (x.rounds().empty())
    to.block("No round of negotiation is remembered: its keeper was started since, or its\n"
             "rounds were the oldest of more than 512 KiB.",
             0);
  auto number = 0;
  for (const auto& round : x.rounds()) {
    std::size_t name_width = 0;
    for (const auto& y : round.candidates())
      name_width = std::max(name_width, y.node_name().size());
    to.block("\nRound " + std::to_string(++number) + ", " + age(round.time_ms(), now)
                 + " ago: " + std::to_string(round.called_for())
                 + (round.called_for() == 1 ? " replica" : " replicas") + " called for, "
                 + std::to_string(round.candidates_size())
                 + (round.candidates_size() == 1 ? " node" : " nodes") + " asked",
             0);
    for (const auto& y : round.candidates())
      add_candidate(to, round, y, name_width);
    to.block(wrapped("decided: " + or_none(plain(round.decided())), 4), 2);
  }
  return to.text();
}

} // namespace legion::console
