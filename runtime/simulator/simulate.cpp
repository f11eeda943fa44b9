#include "runtime/simulator/simulate.hpp"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>

#include "messages/manifest/manifest.hpp"
#include "runtime/simulator/cluster.hpp"
#include "runtime/simulator/simulate_options.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

/// What came of one resource in one zone.
struct placed {
  std::uint32_t zone = 0;
  std::string kind;
  std::string name;
  std::int32_t wanted = 0;
  std::int32_t ready = 0;
  wall_ms ready_at = 0;             // of its last replica
  std::map<std::string, int> nodes; // ready replicas
  std::string waits;                // why one that is not ready waits
};

std::string json_text(const std::string& x) {
  std::string result = "\"";
  for (char c : x) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (static_cast<unsigned char>(c) < 32) {
      char buffer[8];
      std::snprintf(buffer, sizeof(buffer), "\\u%04x", c);
      result += buffer;
    } else {
      result += c;
    }
  }
  return result + "\"";
}

result<std::string> read_text(const std::string& name) {
  if (name == "-")
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream in(name, std::ios::binary);
  if (!in)
    return fault{errc::not_found, name + ": cannot be read"};
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
    options_.json ? print_json(ready) : print_text(ready);
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

  void print_text(bool ready) const {
    std::printf("%u node%s in %u zone%s, seed %llu; all times are virtual.\n", options_.nodes,
                options_.nodes == 1 ? "" : "s", cluster_.zones(), cluster_.zones() == 1 ? "" : "s",
                static_cast<unsigned long long>(options_.seed));
    if (cluster_.zones() > 1)
      std::printf("A zone holds at most %u nodes: the zones are independent, and each runs the "
                  "whole manifest.\n",
                  zone_limit);
    std::printf("Formed after %.1f s.\n\n", seconds_of(formed_));
    print_table();
    if (!faults_.empty())
      std::printf("\n%zu faults, the last at %.1f s; all was ready again at %.1f s after apply.\n",
                  faults_.size(), seconds_of(faults_.back().at), seconds_of(ended_ - formed_));
    if (!ready)
      std::printf("\nNot all is ready %lld s after the last fault.\n",
                  static_cast<long long>(options_.patience.count()));
  }

  void print_table() const {
    std::printf("%-6s %-28s %7s %7s %9s %6s %9s\n", "ZONE", "RESOURCE", "WANTED", "READY",
                "READY IN", "NODES", "PER NODE");
    std::size_t shown = 0;
    for (auto& x : placed_) {
      if (++shown > 40) {
        std::printf("... and %zu more; -o json has all of them\n", placed_.size() - 40);
        break;
      }
      auto spread = spread_of(x);
      std::string per_node = std::to_string(spread.first);
      if (spread.first != spread.second)
        per_node += "-" + std::to_string(spread.second);
      char time[32];
      std::snprintf(time, sizeof(time), "%.1fs",
                    static_cast<double>(x.ready_at - applied_at_) / 1000);
      std::printf("%-6u %-28s %7d %7d %9s %6zu %9s\n", x.zone, (x.kind + "/" + x.name).c_str(),
                  x.wanted, x.ready, x.ready >= x.wanted && x.wanted > 0 ? time : "-",
                  x.nodes.size(), x.nodes.empty() ? "-" : per_node.c_str());
      if (x.ready < x.wanted && !x.waits.empty())
        std::printf("       waits: %s\n", x.waits.c_str());
    }
    if (cluster_.zones() == 1)
      print_placement();
  }

  void print_placement() const {
    for (auto& x : placed_) {
      std::printf("\n%s/%s runs on", x.kind.c_str(), x.name.c_str());
      std::size_t shown = 0;
      for (auto& [node, count] : x.nodes) {
        if (++shown > 20)
          break;
        std::printf("%s %s%s", shown == 1 ? "" : ",", node.c_str(),
                    count > 1 ? (" x" + std::to_string(count)).c_str() : "");
      }
      if (x.nodes.size() > 20)
        std::printf(", and %zu more nodes", x.nodes.size() - 20);
      std::printf("\n");
    }
  }

  // Fewest and most replicas on a node that has any.
  static std::pair<int, int> spread_of(const placed& x) {
    std::pair<int, int> result{x.nodes.empty() ? 0 : INT32_MAX, 0};
    for (auto& [node, count] : x.nodes) {
      result.first = std::min(result.first, count);
      result.second = std::max(result.second, count);
    }
    return result;
  }

  static double seconds_of(microseconds x) { return static_cast<double>(x.count()) / 1e6; }

  void print_json(bool ready) const {
    std::ostringstream out;
    out << "{\"nodes\": " << options_.nodes << ", \"zones\": " << cluster_.zones()
        << ", \"seed\": " << options_.seed << ", \"ready\": " << (ready ? "true" : "false")
        << ", \"formedSeconds\": " << seconds_of(formed_) << ", \"faults\": " << faults_.size()
        << ", \"resources\": [";
    bool first = true;
    for (auto& x : placed_) {
      out << (first ? "" : ",") << "\n  {\"zone\": " << x.zone
          << ", \"kind\": " << json_text(x.kind) << ", \"name\": " << json_text(x.name)
          << ", \"replicas\": " << x.wanted << ", \"readyReplicas\": " << x.ready;
      if (x.ready >= x.wanted && x.wanted > 0)
        out << ", \"secondsToReady\": " << static_cast<double>(x.ready_at - applied_at_) / 1000;
      out << ", \"fewestPerNode\": " << spread_of(x).first
          << ", \"mostPerNode\": " << spread_of(x).second << ", \"placement\": {";
      bool first_node = true;
      for (auto& [node, count] : x.nodes) {
        out << (first_node ? "" : ", ") << json_text(node) << ": " << count;
        first_node = false;
      }
      out << "}}";
      first = false;
    }
    out << "\n]}\n";
    std::cout << out.str();
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
      return complain(1, text.why().detail);
    files.push_back({name, std::move(*text)});
  }
  auto parsed = manifest::read(files);
  for (auto& x : parsed.diagnostics)
    std::fprintf(stderr, "%s\n", x.text().c_str());
  if (manifest::refused(parsed))
    return 1;
  std::vector<disturbance> faults;
  if (!options->faults.empty()) {
    auto text = read_text(options->faults);
    if (!text)
      return complain(1, text.why().detail);
    auto read = read_disturbances(options->faults, *text, options->nodes);
    if (!read)
      return complain(1, read.why().detail);
    faults = std::move(*read);
  }
  return simulation{*options, std::move(files), std::move(faults)}.run();
}

} // namespace legion::simulator
