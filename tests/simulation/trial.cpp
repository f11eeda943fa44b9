#include "tests/simulation/trial.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "tests/simulation/saboteur.hpp"
#include "tests/simulation/trial_parts.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

struct wanted_deployment {
  int replicas = 0;
  int revision = 0;
};

/// As it is found, and as it was asked for.
std::string text_of(std::int64_t replicas, const std::string& revision) {
  return std::to_string(replicas) + " of " + revision;
}
std::string text_of(const wanted_deployment& x) {
  return text_of(x.replicas, "revision-" + std::to_string(x.revision));
}

std::string manifest_of(const std::string& name, const wanted_deployment& x) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name
         + "\nspec:\n  replicas: " + std::to_string(x.replicas)
         + "\n  template:\n    metadata:\n      labels: {app: " + name
         + "}\n    spec:\n      terminationGracePeriodSeconds: 5\n      containers:\n"
           "        - name: main\n          command: [server, \"revision-"
         + std::to_string(x.revision)
         + "\"]\n          ports: [{containerPort: 8080, name: http}]\n"
           "          resources: {requests: {cpu: 500m, memory: 256Mi}, limits: {memory: 256Mi}}\n"
           "          readinessProbe: {httpGet: {path: /, port: http}, periodSeconds: 1}\n";
}

class trial {
public:
  /// The cluster outlives the checkers, and must not tell them of its end.
  ~trial() { cluster_.set_watcher({}); }

  explicit trial(const trial_options& options)
      : options_(options), random_(options.seed * 0x9e3779b97f4a7c15ull + 1),
        cluster_(cluster_options_of(options)),
        checkers_(known_nodes(), [this](auto n, auto& uid) { return runs(n, uid); }),
        saboteur_(cluster_, options.sabotage) {
    cluster_.log().write_to(options.log);
    watch();
  }

  trial_outcome run() {
    if (options_.sabotage == sabotage::double_booking)
      lie_about_capacity();
    cluster_.start_all();
    watch_machines();
    cluster_.run_for(seconds{2}); // by then each was started
    cluster_.run_until([this] { return members_agree(); }, seconds{60}, milliseconds{500});
    wanted_["web"] = {static_cast<int>(2 + random_() % (2 * options_.nodes)), 0};
    wanted_["db"] = {static_cast<int>(1 + random_() % 4), 0};
    put_all();
    cluster_.run_until([this] { return replicas_agree(); }, seconds{30}, milliseconds{200});
    saboteur_.begin();
    if (options_.sabotage == sabotage::undone_change)
      undo_change();
    if (options_.sabotage == sabotage::late_copies)
      change_behind_copies();
    be_away();
    trouble();
    settle();
    judge();
    return outcome();
  }

private:
  static cluster_options cluster_options_of(const trial_options& x) {
    cluster_options result;
    result.seed = x.seed;
    result.nodes = x.nodes;
    result.log_debug = x.debug;
    result.broken = x.broken;
    return result;
  }

  std::vector<known_node> known_nodes() const {
    std::vector<known_node> result;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      auto& x = cluster_.node(i);
      result.push_back({x.self.id.bytes(), x.self.name, x.has});
    }
    return result;
  }

  bool runs(std::uint32_t node, const std::string& uid) const {
    for (auto& x : cluster_.node(node).machine->processes())
      if (x.status.workload() == uid && x.status.state() != "exited")
        return true;
    return false;
  }

  void watch() {
    watch_cluster hooks;
    hooks.sent = [this](std::uint32_t from, std::uint32_t to, std::string& bytes) {
      frame parsed;
      if (!parsed.ParseFromString(bytes))
        return true;
      checkers_.on_sent(from, to, parsed, cluster_.now());
      return saboteur_.pass(from, to, parsed, bytes);
    };
    hooks.delivered = [this](std::uint32_t from, std::uint32_t to, const std::string& bytes) {
      frame parsed;
      if (parsed.ParseFromString(bytes))
        checkers_.on_delivered(from, to, parsed, cluster_.now());
    };
    hooks.durable = [this](std::uint32_t node, const record_batch& batch) {
      checkers_.on_durable(node, batch, cluster_.now());
    };
    hooks.down = [this](std::uint32_t node) { checkers_.on_down(node); };
    hooks.put_back = [this](std::uint32_t node) {
      checkers_.on_disk_replaced(node, cluster_.node(node).disk->open().records);
    };
    cluster_.set_watcher(std::move(hooks));
  }

  void watch_machines() {
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      checkers_.check_machine(i, cluster_.node(i).machine->processes(), cluster_.now());
    cluster_.system().time().later(milliseconds{200}, [this] { watch_machines(); });
  }

  std::uint32_t any_running() {
    std::vector<std::uint32_t> up;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors && !cluster_.node(i).paused)
        up.push_back(i);
    return up.empty() ? 0 : up[random_() % up.size()];
  }

  // Applies one deployment; what came of it is only sure if it is answered without refusal.
  bool put(const std::string& name, const wanted_deployment& what, microseconds patience) {
    api_request request;
    request.set_version(1);
    auto* file = request.mutable_apply()->add_files();
    file->set_name(name + ".yaml");
    file->set_text(manifest_of(name, what));
    request.mutable_apply()->set_namespace_("default");
    possible_[name].push_back(text_of(what));
    auto answer = cluster_.ask(any_running(), std::move(request), patience);
    std::string text;
    if (!answer)
      text = answer.why().detail;
    else if (answer->has_refused())
      text = "refused: " + answer->refused().detail();
    else if (answer->results_size() == 0)
      text = answer->diagnostics_size() > 0 ? answer->diagnostics(0).text() : "no result";
    else
      text = answer->results(0).action();
    cluster_.log().add(cluster_.now(), "",
                       "apply " + name + " replicas=" + std::to_string(what.replicas)
                           + " revision=" + std::to_string(what.revision) + ": " + text);
    auto done = answer && !answer->has_refused() && answer->results_size() > 0;
    if (!answer) // its gateway may be at it for longer
      open_[name].push_back(text_of(what));
    if (done) {
      possible_[name] = open_[name];
      possible_[name].push_back(text_of(what));
    }
    return done;
  }

  void undo_change() {
    auto known = possible_["db"];
    auto other = wanted_["db"];
    ++other.replicas;
    put("db", other, seconds{10});
    possible_["db"] = known;
  }

  /// All that was asked for is asked for otherwise, and then what was asked for first comes again.
  void change_behind_copies() {
    for (auto& [name, what] : wanted_)
      ++what.replicas;
    put_all();
    saboteur_.repeat_requests();
    cluster_.run_for(seconds{2});
  }

  bool put_all() {
    bool all = true;
    for (auto& [name, what] : wanted_) {
      bool done = false;
      for (int i = 0; i < 20 && !done; ++i) {
        done = put(name, what, seconds{10});
        if (!done)
          cluster_.run_for(seconds{1});
      }
      all = all && done;
    }
    return all;
  }

  /// Two nodes are away for long, each in its own way; meanwhile things change. The others must be
  /// most of the nodes.
  void be_away() {
    if (options_.away.count() == 0)
      return;
    disturbance x;
    x.what = disturbance::kind::pause;
    x.nodes = {1};
    cluster_.apply(x);
    cluster_.stop(2);
    cluster_.run_for(options_.away / 2);
    wanted_["web"].replicas = static_cast<int>(options_.nodes);
    ++wanted_["db"].revision;
    put_all();
    cluster_.run_for(options_.away / 2);
    cluster_.start(2);
    x.what = disturbance::kind::resume;
    cluster_.apply(x);
  }

  void trouble() {
    if (options_.trouble.count() == 0)
      return;
    auto begin = cluster_.now();
    roughness how;
    how.nodes = options_.nodes;
    how.end = options_.trouble;
    how.incidents = options_.incidents;
    how.blackouts = options_.blackouts;
    how.old_copies = options_.old_copies;
    cluster_.schedule(draw_disturbances(random_(), how));
    while (cluster_.now() < begin + options_.trouble) {
      cluster_.run_for(milliseconds{500 + random_() % 6000});
      auto name = random_() % 2 == 0 ? "web" : "db";
      auto& what = wanted_[name];
      if (random_() % 2 == 0)
        what.replicas = static_cast<int>(1 + random_() % (2 * options_.nodes));
      else
        ++what.revision;
      put(name, what, seconds{5});
    }
    cluster_.run_until([&] { return cluster_.now() >= begin + options_.trouble; }, seconds{60});
  }

  std::map<std::string, std::int64_t> running() const { return running_in(cluster_, wanted_); }

  bool replicas_agree() const {
    for (auto& [name, count] : running()) {
      auto i = wanted_.find(name);
      if (count != (i == wanted_.end() ? 0 : i->second.replicas))
        return false;
    }
    return true;
  }

  std::set<std::string> running_nodes() const {
    std::set<std::string> result;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors)
        result.insert(cluster_.node(i).self.name);
    return result;
  }

  std::set<std::string> alive_as_seen_by(std::uint32_t node) {
    std::set<std::string> result;
    if (auto known = cluster_.members(node))
      for (auto& x : known->members)
        if (x.state == member_alive)
          result.insert(x.who.name());
    return result;
  }

  bool members_agree() {
    auto expected = running_nodes();
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors && alive_as_seen_by(i) != expected)
        return false;
    return true;
  }

  void settle() {
    cluster_.log().add(cluster_.now(), "", "faults have stopped");
    cluster_.run_until([this] { return members_agree(); }, options_.settling, milliseconds{500});
    check_acknowledged();
    put_all();
    cluster_.run_until([this] { return replicas_agree(); }, options_.settling, milliseconds{500});
    cluster_.run_for(seconds{20}); // and so it must stay
  }

  std::map<std::string, std::string> deployments() {
    for (int i = 0; i < 20; ++i) {
      api_request request;
      request.set_version(1);
      request.mutable_get()->set_kind("deployments");
      auto answer = cluster_.ask(any_running(), std::move(request), seconds{10});
      if (!answer || answer->has_refused() || answer->incomplete()) {
        cluster_.run_for(seconds{1});
        continue;
      }
      std::map<std::string, std::string> result;
      for (auto& x : answer->resources()) {
        auto& of = x.what().deployment();
        result[x.what().metadata().name()] =
            text_of(of.replicas(), of.template_().spec().containers(0).command(1));
      }
      return result;
    }
    return {};
  }

  /// Before anything is asked for again.
  void check_acknowledged() {
    auto found = deployments();
    for (auto& [name, possible] : possible_) {
      auto i = found.find(name);
      checkers_.check_acknowledged(name, i == found.end() ? "not there" : i->second, possible,
                                   cluster_.now());
    }
  }

  void judge() {
    auto now = cluster_.now();
    for (auto& [name, count] : running()) {
      auto i = wanted_.find(name);
      checkers_.check_replicas(name, i == wanted_.end() ? 0 : i->second.replicas, count, now);
    }
    checkers_.check_accepts(now);
    auto expected = running_nodes();
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors)
        checkers_.check_members(i, alive_as_seen_by(i), expected, cluster_.now());
  }

  trial_outcome outcome() {
    auto result = outcome_of(cluster_, checkers_);
    if (options_.old_copies > 0)
      result.errors.clear(); // that a journal is an old one is told as an error, and rightly
    result.accepts = checkers_.accepts_seen();
    result.promises = checkers_.promises_seen();
    result.holds = checkers_.holds_seen();
    return result;
  }

  /// The checkers know better.
  void lie_about_capacity() {
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      auto& x = cluster_.node(i);
      x.has.set_cpu_millis(600);
    }
    checkers_ = checkers{known_nodes(), [this](auto n, auto& uid) { return runs(n, uid); }};
  }

  trial_options options_;
  std::mt19937_64 random_;
  cluster cluster_;
  checkers checkers_;
  saboteur saboteur_;
  std::map<std::string, wanted_deployment> wanted_;
  // The last change that was acknowledged, and those after it of which that is not known.
  std::map<std::string, std::vector<std::string>> possible_;
  std::map<std::string, std::vector<std::string>> open_; // those that nobody has answered
};

} // namespace

const char* to_string(sabotage x) {
  constexpr const char* names[] = {
      "none",        "double-booking", "second-accept", "swallowed-accept",
      "silent-kill", "deaf-member",    "lost-answers",  "stale-orders",
      "late-copies", "forged-roster",  "undone-change"};
  return names[static_cast<unsigned>(x)];
}

trial_outcome run_trial(const trial_options& options) {
  return trial{options}.run();
}

std::string command_of(const trial_options& x) {
  std::string result = "build/tests/simulation/simulation --seed " + std::to_string(x.seed)
                       + " --nodes " + std::to_string(x.nodes) + " --virtual-seconds "
                       + std::to_string(x.trouble.count()) + " --incidents "
                       + std::to_string(x.incidents) + " --settling "
                       + std::to_string(x.settling.count());
  if (x.blackouts > 0)
    result += " --blackouts " + std::to_string(x.blackouts);
  if (x.old_copies > 0)
    result += " --old-copies " + std::to_string(x.old_copies);
  if (x.away.count() > 0)
    result += " --away " + std::to_string(x.away.count());
  if (x.sabotage != sabotage::none)
    result += std::string(" --sabotage ") + to_string(x.sabotage);
  return result;
}

} // namespace legion::simulator
