#include "runtime/simulator/simulate.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <system_error>

#include "messages/manifest/manifest.hpp"
#include "runtime/simulator/cluster.hpp"
#include "runtime/simulator/simulate_options.hpp"
#include "runtime/simulator/simulate_report.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

result<std::string> read_text(const std::string& name) {
  if (name == "-")
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream in(name, std::ios::binary);
  if (!in)
    return fault{errc::not_found, name + ": " + std::generic_category().message(errno)};
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad())
    return fault{errc::disk, name + ": cannot be read"};
  return text;
}

class simulation {
public:
  simulation(const simulate_options& options, std::vector<manifest::source> files,
             std::vector<disturbance> faults)
      : options_(options), files_(std::move(files)), faults_(std::move(faults)),
        cluster_(cluster_options_of(options)) {
    if (options.log)
      cluster_.log().write_to([](std::string_view line) { std::cout << line << "\n"; });
  }

  int run() {
    auto spread = std::chrono::milliseconds{20} * std::min(options_.nodes, zone_limit);
    cluster_.start_all(spread);
    cluster_.run_for(spread);
    cluster_.run_until([this] { return zone_formed(); }, seconds{120}, milliseconds{500});
    formed_ = cluster_.now();
    applied_at_ = cluster_.wall_clock();
    for (std::uint32_t zone = 0; zone < cluster_.zones(); ++zone)
      if (!apply(zone))
        return 1;
    cluster_.schedule(faults_);
    auto last = faults_.empty() ? microseconds{0} : faults_.back().at;
    cluster_.run_for(last);
    bool ready = cluster_.run_until(
        [this] { return look(); }, std::chrono::microseconds{options_.patience}, milliseconds{250});
    ended_ = cluster_.now();
    auto text = options_.json ? json_of(outcome(ready)) : text_of(outcome(ready));
    std::fputs(text.c_str(), stdout);
    return ready ? 0 : 4;
  }

private:
  static cluster_options cluster_options_of(const simulate_options& x) {
    cluster_options result;
    result.seed = x.seed;
    result.nodes = x.nodes;
    result.zone_size = zone_limit;
    result.cpu_millis = x.cpu_millis;
    result.memory_bytes = x.memory_bytes;
    result.pods = x.pods;
    result.log_actors = x.log;
    return result;
  }

  std::uint32_t first_of(std::uint32_t zone) const { return zone * zone_limit; }
  std::uint32_t size_of(std::uint32_t zone) const {
    return std::min(options_.nodes - first_of(zone), zone_limit);
  }

  bool knows_its_zone(std::uint32_t index) {
    auto known = cluster_.members(index);
    return known && known->members.size() >= size_of(index / zone_limit);
  }

  // Who knew everybody a moment ago still does: asks on where it stopped.
  bool zone_formed() {
    while (informed_ < cluster_.size() && knows_its_zone(informed_))
      ++informed_;
    return informed_ == cluster_.size();
  }

  bool apply(std::uint32_t zone) {
    api_request request;
    request.set_version(1);
    for (auto& x : files_) {
      auto* file = request.mutable_apply()->add_files();
      file->set_name(x.name);
      file->set_text(x.text);
    }
    request.mutable_apply()->set_namespace_("default");
    auto answer = cluster_.ask(first_of(zone), std::move(request));
    if (!answer || answer->has_refused() || answer->results_size() == 0) {
      std::fprintf(stderr, "legionctl simulate: zone %u refused: %s\n", zone + 1,
                   !answer                      ? answer.why().detail.c_str()
                   : answer->has_refused()      ? answer->refused().detail().c_str()
                   : answer->diagnostics_size() ? answer->diagnostics(0).text().c_str()
                                                : "nothing was applied");
      return false;
    }
    for (auto& x : answer->results())
      kinds_[x.name().kind()] = true;
    return true;
  }

  std::uint32_t any_up(std::uint32_t zone) const {
    for (auto i = first_of(zone); i < first_of(zone) + size_of(zone); ++i)
      if (cluster_.node(i).actors && !cluster_.node(i).paused)
        return i;
    return first_of(zone);
  }

  // Asks every zone what became of its resources; true if all are ready.
  bool look() {
    placed_.clear();
    bool all = true;
    for (std::uint32_t zone = 0; zone < cluster_.zones(); ++zone)
      for (auto& [kind, yes] : kinds_) {
        api_request request;
        request.set_version(1);
        request.mutable_get()->set_kind(kind == "Pod" ? "pods" : "deployments");
        request.mutable_get()->set_all_namespaces(true);
        auto answer = cluster_.ask(any_up(zone), std::move(request));
        if (!answer || answer->has_refused())
          return false;
        for (auto& x : answer->resources())
          if (x.what().kind() == kind)
            all = note(zone, x) && all;
      }
    return all && !placed_.empty();
  }

  bool note(std::uint32_t zone, const resource_view& x) {
    placed result;
    result.zone = zone + 1;
    result.kind = x.what().kind();
    result.name = x.what().metadata().name();
    result.wanted = x.what().has_pod() ? 1 : x.what().deployment().replicas();
    for (auto& pod : x.pods()) {
      if (pod.state() == "ending" || pod.state() == "replaced" || pod.node_dead())
        continue;
      if (!pod.assessment().ready()) {
        result.waits = pod.note().empty() ? pod.assessment().message() : pod.note();
        continue;
      }
      ++result.ready;
      ++result.nodes[pod.node_name()];
      result.ready_at = std::max(result.ready_at, pod.assessment().ready_since_ms());
    }
    bool ready = result.ready >= result.wanted;
    placed_.push_back(std::move(result));
    return ready;
  }

  simulated outcome(bool ready) const {
    simulated x;
    x.nodes = options_.nodes;
    x.zones = cluster_.zones();
    x.seed = options_.seed;
    x.faults = faults_.size();
    x.last_fault = faults_.empty() ? microseconds{0} : faults_.back().at;
    x.formed = formed_;
    x.ended = ended_;
    x.applied_at = applied_at_;
    x.patience = options_.patience;
    x.ready = ready;
    x.placed = placed_;
    return x;
  }

  simulate_options options_;
  std::vector<manifest::source> files_;
  std::vector<disturbance> faults_;
  cluster cluster_;
  std::map<std::string, bool> kinds_;
  std::vector<placed> placed_;
  microseconds formed_{0};
  microseconds ended_{0};
  wall_ms applied_at_ = 0;
  std::uint32_t informed_ = 0; // so many nodes know their whole zone
};

int complain(int code, const std::string& what) {
  std::fprintf(stderr, "legionctl simulate: %s\n", what.c_str());
  return code;
}

} // namespace

int simulate(int argc, char** argv) {
  auto options = read_simulate_options({argv + std::min(argc, 1), argv + argc});
  if (!options)
    return complain(2, options.why().detail);
  if (options->help) {
    std::fputs(simulate_help(), stdout);
    return 0;
  }
  std::vector<manifest::source> files;
  for (auto& name : options->files) {
    auto text = read_text(name);
    if (!text)
      return complain(2, text.why().detail);
    files.push_back({name, std::move(*text)});
  }
  auto parsed = manifest::read(files);
  for (auto& x : parsed.diagnostics)
    std::fputs((told(x) + "\n").c_str(), stderr);
  if (manifest::refused(parsed))
    return 1;
  std::vector<disturbance> faults;
  if (!options->faults.empty()) {
    auto text = read_text(options->faults);
    if (!text)
      return complain(2, text.why().detail);
    auto read = read_disturbances(options->faults, *text, options->nodes);
    if (!read)
      return complain(2, read.why().detail);
    faults = std::move(*read);
  }
  return simulation{*options, std::move(files), std::move(faults)}.run();
}

} // namespace legion::simulator
