#include "tests/simulation/exclusive_trial.hpp"

#include <algorithm>
#include <set>

#include "messages/vocabulary.hpp"
#include "tests/simulation/trial_parts.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

std::string manifest_of(int revision) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: one\nspec:\n  template:\n"
         "    metadata:\n      labels: {app: one}\n"
         "      annotations: {legion.dev/exclusive: \"true\"}\n"
         "    spec:\n      terminationGracePeriodSeconds: 5\n      containers:\n"
         "        - name: main\n          command: [server, \"revision-"
         + std::to_string(revision) + "\"]\n";
}

class exclusive_trial {
public:
  explicit exclusive_trial(const exclusive_options& options)
      : options_(options), random_(options.seed * 0x9e3779b97f4a7c15ull + 7),
        cluster_(cluster_options_of(options)), checkers_({}, [](auto, auto&) { return false; }) {
    cluster_.log().write_to(options.log);
    watch_cluster hooks;
    hooks.launched = [this](std::uint32_t) {
      ++begun_;
      check();
    };
    hooks.sent = [this](std::uint32_t, std::uint32_t, std::string& bytes) {
      if (options_.sabotage == lease_sabotage::forged_end)
        forge_ends(bytes);
      return true;
    };
    cluster_.set_watcher(std::move(hooks));
  }

  ~exclusive_trial() { cluster_.set_watcher({}); }

  trial_outcome run() {
    cluster_.start_all();
    if (options_.sabotage == lease_sabotage::ignored_leases)
      for (std::uint32_t i = 0; i < cluster_.size(); ++i)
        cluster_.node(i).machine->ignore_leases();
    cluster_.run_for(seconds{10});
    put_until_done();
    cluster_.run_until([this] { return running().size() == 1; }, seconds{30});
    trouble();
    cluster_.log().add(cluster_.now(), "", "faults have stopped");
    put_until_done();
    cluster_.run_until([this] { return running().size() == 1; }, options_.settling);
    cluster_.run_for(seconds{30}); // and so it must stay
    checkers_.check_replicas("one", 1, static_cast<std::int64_t>(running().size()), cluster_.now());
    return outcome();
  }

private:
  static cluster_options cluster_options_of(const exclusive_options& x) {
    cluster_options result;
    result.seed = x.seed;
    result.nodes = x.nodes;
    result.clock_error = 0.005;
    result.habits.stop = {milliseconds{10}, milliseconds{4000}};
    return result;
  }

  std::set<std::string> running() const {
    std::set<std::string> result;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      for (auto& x : cluster_.node(i).machine->processes())
        if (x.status.state() != "exited")
          result.insert(x.status.workload() + "@" + cluster_.node(i).self.name);
    return result;
  }

  void check() { checkers_.check_exclusive("one", 1, running(), cluster_.now()); }

  bool put() {
    std::vector<std::uint32_t> up;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors && !cluster_.node(i).paused)
        up.push_back(i);
    if (up.empty())
      return false;
    api_request request;
    request.set_version(1);
    auto* file = request.mutable_apply()->add_files();
    file->set_name("one.yaml");
    file->set_text(manifest_of(revision_));
    request.mutable_apply()->set_namespace_("default");
    auto answer = cluster_.ask(up[random_() % up.size()], std::move(request), seconds{5});
    auto done = answer && answer->results_size() > 0;
    cluster_.log().add(cluster_.now(), "",
                       "apply revision=" + std::to_string(revision_) + (done ? ": done" : ": not"));
    return done;
  }

  void put_until_done() {
    for (int i = 0; i < 30 && !put(); ++i)
      cluster_.run_for(seconds{1});
  }

  /// What every seed draws, and that which befalls the node that runs it, for as long as it takes.
  void trouble() {
    auto begin = cluster_.now();
    roughness how;
    how.nodes = options_.nodes;
    how.end = options_.trouble;
    how.incidents = options_.incidents;
    cluster_.schedule(draw_disturbances(random_(), how));
    while (cluster_.now() < begin + options_.trouble) {
      cluster_.run_for(milliseconds{2000 + random_() % 15'000});
      if (random_() % 3 == 0) {
        ++revision_;
        put();
      } else {
        strike();
      }
    }
    cluster_.network().heal();
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      act(disturbance::kind::resume, i);
      act(disturbance::kind::restart, i);
    }
  }

  void act(disturbance::kind what, std::uint32_t node) {
    disturbance x;
    x.what = what;
    x.nodes = {node};
    cluster_.apply(x);
  }

  void strike() {
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      auto processes = cluster_.node(i).machine->processes();
      auto runs = std::any_of(processes.begin(), processes.end(),
                              [](const auto& x) { return x.status.state() != "exited"; });
      if (!runs)
        continue;
      using kind = disturbance::kind;
      auto lasts = milliseconds{3000 + random_() % 30'000};
      auto later = [&](kind what) {
        cluster_.system().time().later(lasts, [this, what, i] { act(what, i); });
      };
      switch (random_() % 3) {
        case 0:
          act(kind::crash, i);
          later(kind::restart);
          return;
        case 1:
          act(kind::pause, i);
          later(kind::resume);
          return;
        default:
          cluster_.network().partition({{cluster_.node(i).self.id}});
          cluster_.system().time().later(lasts, [this] { cluster_.network().heal(); });
          return;
      }
    }
  }

  /// Sabotage: what stops is said to have been seen to end.
  static void forge_ends(std::string& bytes) {
    frame what;
    if (!what.ParseFromString(bytes))
      return;
    auto any = false;
    for (auto& x : *what.mutable_messages()) {
      release_reply reply;
      if (x.kind() != message_kind<release_reply> || !reply.ParseFromString(x.body())
          || reply.stopping().empty())
        continue;
      for (auto& y : reply.stopping()) {
        *reply.add_released() = y;
        reply.add_ended(y.uid());
      }
      reply.clear_stopping();
      x.set_body(reply.SerializeAsString());
      any = true;
    }
    if (any)
      bytes = what.SerializeAsString();
  }

  trial_outcome outcome() {
    auto result = outcome_of(cluster_, checkers_);
    result.accepts = begun_;
    return result;
  }

  exclusive_options options_;
  std::mt19937_64 random_;
  cluster cluster_;
  checkers checkers_;
  int revision_ = 0;
  std::uint64_t begun_ = 0;
};

} // namespace

trial_outcome run_exclusive_trial(const exclusive_options& options) {
  return exclusive_trial{options}.run();
}

} // namespace legion::simulator
