#include "runtime/simulator/simulation.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

#include "runtime/simulator/zone_by_zone.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

cluster_options only(cluster_options x, std::uint32_t zone) {
  x.zone = zone;
  return x;
}

/// The first thing that is wrong with a manifest says more than that nothing was applied.
std::string reason_of(const api_reply& x) {
  for (const auto& y : x.diagnostics())
    if (!y.warning())
      return y.text();
  return x.has_refused() ? x.refused().detail() : "nothing was applied";
}

class zone_life {
public:
  zone_life(const simulation& what, std::uint32_t zone)
      : what_(what), zone_(zone), cluster_(only(what.options, zone)) {
    cluster_.log().write_to(what.log);
    if (zones_of(what.options) > 1)
      cluster_.log().add(cluster_.now(), "",
                         "zone number=" + std::to_string(zone + 1)
                             + " first=" + cluster_.node(0).self.name
                             + " nodes=" + std::to_string(cluster_.size()));
  }

  /// What ends with it did not go wrong: it is no line in the log.
  ~zone_life() { cluster_.log().write_to(nullptr); }
  zone_life(const zone_life&) = delete;
  zone_life& operator=(const zone_life&) = delete;

  zone_outcome live() {
    zone_outcome result;
    auto spread = std::chrono::milliseconds{20} * cluster_.size();
    cluster_.start_all(spread);
    cluster_.run_for(spread);
    cluster_.run_until([this] { return formed(); }, seconds{120}, milliseconds{500});
    result.formed = cluster_.now();
    applied_at_ = cluster_.wall_clock();
    result.refused = apply();
    if (!result.refused.empty())
      return result;
    (void)look(); // what there is, before anything goes wrong
    cluster_.schedule(what_.faults);
    auto last = what_.faults.empty() ? microseconds{0} : what_.faults.back().at;
    auto over = cluster_.now() + last;
    if (last > microseconds{0}) // it may be ready before anything goes wrong
      cluster_.run_until([this] { return look(); }, last, milliseconds{250});
    if (cluster_.now() < over)
      cluster_.run_for(over - cluster_.now());
    result.ready = cluster_.run_until([this] { return look(); }, microseconds{what_.patience},
                                      milliseconds{250});
    result.ended = cluster_.now() - result.formed;
    result.placed = std::move(placed_);
    return result;
  }

private:
  bool knows_its_zone(std::uint32_t index) {
    auto known = cluster_.members(index);
    return known && known->members.size() >= cluster_.size();
  }

  // Who knew everybody a moment ago still does: asks on where it stopped.
  bool formed() {
    while (informed_ < cluster_.size() && knows_its_zone(informed_))
      ++informed_;
    return informed_ == cluster_.size();
  }

  // Why it was refused; empty if it was not.
  std::string apply() {
    api_request request;
    request.set_version(1);
    for (auto& x : what_.files) {
      auto* file = request.mutable_apply()->add_files();
      file->set_name(x.name);
      file->set_text(x.text);
    }
    auto answer = cluster_.ask(0, std::move(request));
    if (!answer)
      return answer.why().detail;
    if (answer->has_refused() || answer->results_size() == 0)
      return reason_of(*answer);
    for (auto& x : answer->results())
      kinds_.insert(x.name().kind());
    return {};
  }

  bool is_up(std::uint32_t index) const {
    return cluster_.node(index).actors && !cluster_.node(index).paused;
  }

  /// What became of the resources; true if all are ready. A node that cannot tell of all of them, for
  /// it is cut off, gives way to the next, for three at most.
  bool look() {
    std::vector<placed> best;
    auto ready = false;
    for (std::uint32_t i = 0, asked = 0; i < cluster_.size() && asked < 3; ++i) {
      if (!is_up(informant_)) {
        informant_ = (informant_ + 1) % cluster_.size();
        continue;
      }
      ++asked;
      placed_.clear();
      auto told = ask_all(informant_);
      if (told || placed_.size() >= best.size())
        best = placed_;
      ready = told && all_ready();
      if (told)
        break;
      informant_ = (informant_ + 1) % cluster_.size();
    }
    placed_ = std::move(best);
    remember();
    return ready;
  }

  /// False: this node did not hear all keepers.
  bool ask_all(std::uint32_t index) {
    auto whole = true;
    for (auto& kind : kinds_) {
      api_request request;
      request.set_version(1);
      request.mutable_get()->set_kind(kind == "Pod" ? "pods" : "deployments");
      request.mutable_get()->set_all_namespaces(true);
      auto answer = cluster_.ask(index, std::move(request));
      if (!answer || answer->has_refused())
        return false;
      for (auto& x : answer->resources()) {
        if (x.what().kind() != kind)
          continue;
        note(x);
        whole = whole && !x.keeper_dead();
      }
    }
    return whole && placed_.size() >= known_.size();
  }

  bool all_ready() const {
    return !placed_.empty() && std::all_of(placed_.begin(), placed_.end(), [](const placed& x) {
      return x.ready >= x.wanted;
    });
  }

  /// What nobody tells of any more is not forgotten: it is not ready.
  void remember() {
    auto key_of = [](const placed& x) { return std::tuple{x.kind, x.space, x.name}; };
    for (const auto& x : placed_)
      known_.insert_or_assign(key_of(x), x);
    for (const auto& [key, x] : known_)
      if (std::none_of(placed_.begin(), placed_.end(),
                       [&](const placed& y) { return key_of(y) == key; })) {
        auto& missing = placed_.emplace_back();
        missing.zone = x.zone;
        std::tie(missing.kind, missing.space, missing.name) = key;
        missing.wanted = x.wanted;
        missing.waits = "no node answers for it";
      }
  }

  static bool is_of_this_life(const pod_view& x, const process_status& of) {
    const auto& all = x.assessment().containers();
    return std::any_of(all.begin(), all.end(), [&](const container_status& y) {
      return y.name() == of.container() && y.life() == of.life();
    });
  }

  /// Its keeper may not have heard yet of what befell it.
  std::string hidden_trouble(const pod_view& x) const {
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
      const auto& node = cluster_.node(i);
      if (node.self.name != x.node_name())
        continue;
      if (!is_up(i))
        return node.self.name + (node.paused ? " stands still" : " is down");
      for (const auto& y : node.machine->processes())
        if (y.status.workload() == x.slot().uid() && y.status.state() == "running"
            && is_of_this_life(x, y.status))
          return {};
      return "it has ended on " + node.self.name;
    }
    return "it is on no node";
  }

  void note(const resource_view& x) {
    placed result;
    result.zone = zone_ + 1;
    result.kind = x.what().kind();
    result.space = x.what().metadata().namespace_();
    result.name = x.what().metadata().name();
    result.wanted = x.what().has_pod() ? 1 : x.what().deployment().replicas();
    for (auto& pod : x.pods()) {
      if (pod.state() == "ending" || pod.state() == "replaced" || pod.node_dead())
        continue;
      if (!pod.assessment().ready()) {
        result.waits = pod.note().empty() ? pod.assessment().message() : pod.note();
        continue;
      }
      if (auto trouble = hidden_trouble(pod); !trouble.empty()) {
        result.waits = pod.slot().pod() + ": " + trouble;
        continue;
      }
      ++result.ready;
      ++result.nodes[pod.node_name()];
      result.ready_in =
          std::max(result.ready_in, milliseconds{pod.assessment().ready_since_ms() - applied_at_});
    }
    if (result.ready >= result.wanted) // what a fault undoes later is told apart
      result.ready_in =
          first_ready_
              .try_emplace(std::tuple{result.kind, result.space, result.name}, result.ready_in)
              .first->second;
    placed_.push_back(std::move(result));
  }

  const simulation& what_;
  std::uint32_t zone_;
  cluster cluster_;
  std::set<std::string> kinds_;
  std::vector<placed> placed_;
  std::map<std::tuple<std::string, std::string, std::string>, placed> known_; // as last told of
  std::map<std::tuple<std::string, std::string, std::string>, milliseconds> first_ready_;
  std::uint32_t informant_ = 0; // who is asked
  wall_ms applied_at_ = 0;
  std::uint32_t informed_ = 0; // so many nodes know their whole zone
};

} // namespace

zone_outcome live(const simulation& what, std::uint32_t zone) {
  return zone_life{what, zone}.live();
}

result<simulated> run(const simulation& what, std::uint32_t at_once,
                      const std::function<void(std::uint32_t zone)>& begins) {
  std::vector<zone_outcome> zones(zones_of(what.options));
  std::mutex one_begins;
  auto count = static_cast<std::uint32_t>(zones.size());
  zone_by_zone(count, what.log ? 1 : at_once, [&](std::uint32_t zone) {
    if (begins) {
      std::lock_guard guard{one_begins};
      begins(zone);
    }
    zones[zone] = live(what, zone);
    return zones[zone].refused.empty();
  });
  simulated all;
  all.nodes = what.options.nodes;
  all.zones = count;
  all.seed = what.options.seed;
  all.faults = what.faults.size();
  all.last_fault = what.faults.empty() ? microseconds{0} : what.faults.back().at;
  all.patience = what.patience;
  all.ready = true;
  for (auto& x : zones) { // all that come before one that refused have lived
    if (!x.refused.empty())
      return fault{errc::invalid,
                   "zone " + std::to_string(&x - zones.data() + 1) + " refused: " + x.refused};
    all.formed = std::max(all.formed, x.formed);
    all.ended = std::max(all.ended, x.ended);
    all.ready = all.ready && x.ready;
    std::move(x.placed.begin(), x.placed.end(), std::back_inserter(all.placed));
  }
  return all;
}

} // namespace legion::simulator
