#include "tests/simulation/raised_exclusive_trial.hpp"

#include <algorithm>
#include <set>

#include "actors/group/whereabouts.hpp"
#include "tests/simulation/trial_parts.hpp"

namespace legion::simulator {

namespace {

constexpr const char* manifest =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: one\nspec:\n  template:\n"
    "    metadata:\n      labels: {app: one}\n"
    "      annotations: {legion.dev/exclusive: \"true\"}\n"
    "    spec:\n      terminationGracePeriodSeconds: 5\n      containers:\n"
    "        - name: main\n          command: [server]\n";

resource_name name_of_it() {
  resource_name x;
  x.set_kind("Deployment");
  x.set_namespace_("default");
  x.set_name("one");
  return x;
}

class raised_exclusive_trial {
public:
  explicit raised_exclusive_trial(const raised_exclusive_options& options)
      : options_(options), random_(options.seed * 0x9e3779b97f4a7c15ull + 11),
        cluster_(cluster_options_of(options)), checkers_({}, [](auto, auto&) { return false; }) {
    cluster_.log().write_to(options.log);
    watch_cluster hooks;
    hooks.launched = [this](std::uint32_t) {
      ++begun_;
      checkers_.check_exclusive("one", 1, running(), cluster_.now());
    };
    cluster_.set_watcher(std::move(hooks));
  }

  ~raised_exclusive_trial() { cluster_.set_watcher({}); }

  trial_outcome run() {
    cluster_.start_all();
    cluster_.run_for(seconds{10});
    expect(repeated([this] { return apply(); }), "put", "it was not applied");
    cluster_.run_until([this] { return running().size() == 1; }, seconds{30});
    cluster_.run_for(seconds{25}); // the groups have grown by then
    auto backup = kept();
    auto holder = where();
    if (!holder || !backup)
      expect(false, "begin", "it does not run");
    else
      lose_and_raise(*holder, *backup);
    return outcome();
  }

private:
  using kind = disturbance::kind;

  static cluster_options cluster_options_of(const raised_exclusive_options& x) {
    cluster_options result;
    result.seed = x.seed;
    result.nodes = x.nodes;
    result.clock_error = 0.005;
    result.log_debug = x.debug;
    return result;
  }

  void lose_and_raise(std::uint32_t holder, const group_state& backup) {
    std::vector<std::uint32_t> lost;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (i != holder)
        lost.push_back(i);
    std::shuffle(lost.begin(), lost.end(), random_);
    here_ = lost.back();
    lost.pop_back();
    auto comes_back = send_away(holder);
    // Were they to come back with their logs, and among themselves, they would go on: see 0010.
    auto come_back = random_() % 2 == 0;
    for (auto i : lost) {
      act(kind::wipe, i);
      act(kind::supervisor, i);
    }
    cluster_.run_for(milliseconds{random_() % 6'000});
    expect(repeated([this] { return raise(); }), "rebuild", "not every group answers");
    auto again = random_() % 3 == 0; // another leader, which was not there when it was raised
    if (again)
      start_again(milliseconds{random_() % 2'000});
    auto restores = random_() % 2 == 0;
    auto done = repeated([&] { return restores ? restore(backup) : apply(); });
    expect(done, "put", "it was not put back");
    if (!again && random_() % 3 == 0)
      start_again(milliseconds{random_() % 4'000});
    cluster_.run_for(milliseconds{random_() % 20'000});
    comes_back();
    for (auto i : come_back ? lost : std::vector<std::uint32_t>{}) {
      act(kind::restart, i);
      cluster_.run_for(milliseconds{random_() % 10'000});
    }
    cluster_.run_until([this] { return running().size() == 1; }, options_.settling);
    cluster_.run_for(seconds{30}); // and so it must stay
    checkers_.check_replicas("one", 1, static_cast<std::int64_t>(running().size()), cluster_.now());
  }

  /// What runs there runs on. Returns what brings the node back.
  std::function<void()> send_away(std::uint32_t holder) {
    switch (random_() % 4) {
      case 0:
        act(kind::pause, holder);
        return [=, this] { act(kind::resume, holder); };
      case 1:
        act(kind::crash, holder);
        return [=, this] {
          if (random_() % 2 == 0)
            act(kind::supervisor, holder); // its machine began anew: nothing runs, all is promised
          act(kind::restart, holder);
        };
      default:
        cluster_.network().partition({{cluster_.node(holder).self.id}});
        return [this] { cluster_.network().heal(); };
    }
  }

  void start_again(milliseconds after) {
    cluster_.run_for(after);
    act(kind::crash, here_);
    act(kind::restart, here_);
    cluster_.run_for(seconds{1});
  }

  bool raise() {
    api_request x;
    x.mutable_rebuild();
    auto answer = ask(std::move(x), seconds{90});
    return answer && !answer->has_refused() && answer->rebuild().groups().empty();
  }

  bool apply() {
    api_request x;
    auto* file = x.mutable_apply()->add_files();
    file->set_name("one.yaml");
    file->set_text(manifest);
    x.mutable_apply()->set_namespace_("default");
    auto answer = ask(std::move(x), seconds{5});
    return answer && !answer->has_refused() && answer->results_size() > 0;
  }

  bool restore(const group_state& backup) {
    api_request x;
    *x.mutable_restore()->mutable_resources() = backup.resources();
    x.mutable_restore()->set_incarnation(backup.incarnation());
    x.mutable_restore()->set_missing_only(true);
    auto answer = ask(std::move(x), seconds{5});
    return answer && !answer->has_refused();
  }

  std::optional<group_state> kept() {
    api_request x;
    x.mutable_backup()->add_groups(value(group::group_of(name_of_it())));
    auto answer = ask(std::move(x), seconds{10});
    if (!answer || answer->backup().states().empty())
      return std::nullopt;
    return answer->backup().states(0);
  }

  std::optional<api_reply> ask(api_request x, std::chrono::microseconds patience) {
    x.set_version(1);
    auto answer = cluster_.ask(here_, std::move(x), patience);
    cluster_.log().add(cluster_.now(), "",
                       !answer                 ? "no answer: " + answer.why().detail
                       : answer->has_refused() ? "refused: " + answer->refused().detail()
                                               : "answered");
    return answer ? std::optional{*answer} : std::nullopt;
  }

  bool repeated(const std::function<bool()>& what) {
    for (int i = 0; i < 30; ++i) {
      if (what())
        return true;
      cluster_.run_for(milliseconds{500});
    }
    return false;
  }

  bool runs_at(std::uint32_t i) const {
    auto all = cluster_.node(i).machine->processes();
    return std::any_of(all.begin(), all.end(),
                       [](const auto& x) { return x.status.state() != "exited"; });
  }

  std::optional<std::uint32_t> where() const {
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (runs_at(i))
        return i;
    return std::nullopt;
  }

  std::set<std::string> running() const {
    std::set<std::string> result;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      if (runs_at(i))
        result.insert(cluster_.node(i).self.name);
    return result;
  }

  void act(kind what, std::uint32_t node) {
    disturbance x;
    x.what = what;
    x.nodes = {node};
    cluster_.apply(x);
  }

  void expect(bool what, const char* checker, const std::string& why) {
    if (!what)
      mine_.push_back({cluster_.now(), checker, why});
  }

  trial_outcome outcome() {
    auto result = outcome_of(cluster_, checkers_, mine_);
    result.accepts = begun_;
    return result;
  }

  raised_exclusive_options options_;
  std::mt19937_64 random_;
  cluster cluster_;
  checkers checkers_;
  std::vector<violation> mine_;
  std::uint32_t here_ = 0; // who is asked
  std::uint64_t begun_ = 0;
};

} // namespace

trial_outcome run_raised_exclusive_trial(const raised_exclusive_options& options) {
  return raised_exclusive_trial{options}.run();
}

} // namespace legion::simulator
