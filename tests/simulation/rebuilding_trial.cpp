#include "tests/simulation/rebuilding_trial.hpp"
#include "tests/simulation/trial_parts.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace legion::simulator {

namespace {

std::string manifest_of(const std::string& name, int replicas) {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: " + name
         + "\nspec:\n  replicas: " + std::to_string(replicas)
         + "\n  template:\n    metadata:\n      labels: {app: " + name
         + "}\n    spec:\n      terminationGracePeriodSeconds: 2\n      containers:\n"
           "        - name: main\n          command: [server]\n"
           "          resources: {requests: {cpu: 100m, memory: 64Mi}}\n";
}

class rebuilding_trial {
public:
  explicit rebuilding_trial(const rebuilding_options& options)
      : options_(options), random_(options.seed * 0x9e3779b97f4a7c15ull + 3),
        cluster_(cluster_options_of(options)), checkers_({}, [](auto, auto&) { return false; }) {
    cluster_.log().write_to(options.log);
  }

  trial_outcome run() {
    cluster_.start_all();
    cluster_.run_for(seconds{10});
    for (int i = 0; i < 12; ++i)
      wanted_["app" + std::to_string(i)] = static_cast<int>(1 + random_() % 4);
    for (auto& [name, replicas] : wanted_)
      expect(put(name, replicas), "put", name);
    cluster_.run_until([this] { return agree(); }, seconds{60}, milliseconds{500});
    cluster_.run_for(seconds{20}); // the groups have grown by then
    auto lost = strike();
    raise();
    change("after");
    give_back(lost);
    cluster_.run_until([this] { return agree(); }, options_.settling, seconds{1});
    cluster_.run_for(seconds{20}); // and so it must stay
    judge();
    return outcome();
  }

private:
  static cluster_options cluster_options_of(const rebuilding_options& x) {
    cluster_options result;
    result.seed = x.seed;
    result.nodes = x.nodes;
    result.log_debug = x.debug;
    return result;
  }

  void expect(bool what, const char* checker, const std::string& why) {
    if (!what)
      mine_.push_back({cluster_.now(), checker, why});
  }

  std::uint32_t any_running() {
    std::vector<std::uint32_t> up;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (cluster_.node(i).actors)
        up.push_back(i);
    return up[random_() % up.size()];
  }

  bool put(const std::string& name, int replicas) {
    for (int i = 0; i < 20; ++i) {
      api_request request;
      request.set_version(1);
      auto* file = request.mutable_apply()->add_files();
      file->set_name(name + ".yaml");
      file->set_text(manifest_of(name, replicas));
      request.mutable_apply()->set_namespace_("default");
      auto answer = cluster_.ask(any_running(), std::move(request), seconds{20});
      auto done = answer && !answer->has_refused() && answer->results_size() > 0;
      cluster_.log().add(cluster_.now(), "",
                         "apply " + name + " replicas=" + std::to_string(replicas)
                             + (done ? ": done" : ": not"));
      if (done)
        return true;
      cluster_.run_for(seconds{1});
    }
    return false;
  }

  void act(disturbance::kind what, std::uint32_t node) {
    disturbance x;
    x.what = what;
    x.nodes = {node};
    cluster_.apply(x);
  }

  /// All but one or two nodes go, each with its disk or without.
  std::vector<std::uint32_t> strike() {
    std::vector<std::uint32_t> all;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      all.push_back(i);
    std::shuffle(all.begin(), all.end(), random_);
    all.resize(cluster_.size() - 1 - random_() % 2);
    auto disks = random_() % 3; // all go, none, or some
    for (auto i : all) {
      auto wiped = disks == 0 || (disks == 2 && random_() % 2 == 0);
      act(wiped ? disturbance::kind::wipe : disturbance::kind::crash, i);
      act(disturbance::kind::supervisor, i); // the machine, and what ran there
    }
    cluster_.run_for(seconds{15});
    return all;
  }

  void raise() {
    for (int i = 0; i < 5; ++i) {
      api_request request;
      request.set_version(1);
      request.mutable_rebuild();
      auto answer = cluster_.ask(any_running(), std::move(request), seconds{90});
      if (!answer) {
        cluster_.log().add(cluster_.now(), "", "rebuild: " + answer.why().detail);
      } else {
        for (auto& x : answer->rebuild().groups()) {
          raised_ += x.state() == "raised";
          cluster_.log().add(cluster_.now(), "",
                             "rebuild group=" + std::to_string(x.group()) + " " + x.state() + " on "
                                 + x.node_name() + " promises=" + std::to_string(x.promises()) + " "
                                 + x.detail());
        }
        if (!answer->has_refused() && answer->rebuild().groups().empty())
          return; // all answer
      }
      cluster_.run_for(seconds{2});
    }
    expect(false, "rebuild", "not every group answers");
  }

  /// What is changed now was changed in the new incarnation, and holds.
  void change(const std::string& word) {
    for (auto& [name, replicas] : wanted_) {
      if (random_() % 3 == 0)
        replicas = static_cast<int>(1 + random_() % 4);
      expect(put(name, replicas), "put", name + " " + word);
    }
    cluster_.run_for(seconds{15});
  }

  /// Together or one by one, while things change.
  void give_back(const std::vector<std::uint32_t>& lost) {
    auto together = random_() % 2 == 0;
    for (auto i : lost) {
      act(disturbance::kind::restart, i);
      if (!together)
        cluster_.run_for(milliseconds{random_() % 20'000});
    }
    meet(lost);
    change("while they come back");
  }

  /// A node whose disk is another may have joined only others like it: its owner names it somebody.
  void meet(const std::vector<std::uint32_t>& lost) {
    std::set<std::string> all;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      all.insert(cluster_.node(i).self.name);
    for (int tries = 0; tries < 20; ++tries) {
      cluster_.run_for(seconds{8});
      auto apart = false;
      for (auto i : lost) {
        std::set<std::string> known;
        if (auto members = cluster_.members(i))
          for (auto& x : members->members)
            known.insert(x.who.name());
        if (known == all)
          continue;
        apart = true;
        act(disturbance::kind::crash, i);
        act(disturbance::kind::restart, i);
      }
      if (!apart)
        return;
    }
    expect(false, "members", "some never met");
  }

  std::map<std::string, std::int64_t> running() const { return running_in(cluster_, wanted_); }

  bool agree() const {
    for (auto& [name, count] : running()) {
      auto i = wanted_.find(name);
      if (count != (i == wanted_.end() ? 0 : i->second))
        return false;
    }
    return true;
  }

  void judge() {
    for (auto& [name, count] : running()) {
      auto i = wanted_.find(name);
      checkers_.check_replicas(name, i == wanted_.end() ? 0 : i->second, count, cluster_.now());
    }
    // Any node answers for all of it, as it was changed last.
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      api_request request;
      request.set_version(1);
      request.mutable_get()->set_kind("deployments");
      auto answer = cluster_.ask(i, std::move(request), seconds{10});
      std::map<std::string, int> listed;
      if (answer)
        for (auto& x : answer->resources())
          if (!x.deleting())
            listed[x.what().metadata().name()] = x.what().deployment().replicas();
      expect(listed == wanted_, "reads", cluster_.node(i).self.name + " tells of something else");
    }
  }

  trial_outcome outcome() {
    auto result = outcome_of(cluster_, checkers_, mine_);
    result.accepts = raised_;
    return result;
  }

  rebuilding_options options_;
  std::mt19937_64 random_;
  cluster cluster_;
  checkers checkers_;
  std::vector<violation> mine_;
  std::map<std::string, int> wanted_;
  std::uint64_t raised_ = 0;
};

} // namespace

trial_outcome run_rebuilding_trial(const rebuilding_options& options) {
  return rebuilding_trial{options}.run();
}

} // namespace legion::simulator
