// The simulator's size and speed: 10,000 nodes as 80 zones of 125, each of which joins for 10 virtual
// seconds and idles for 10, as many zones at once as there are cores; and a Deployment of 1,000 replicas
// in one zone of 125 nodes. Every node really joins; nothing is warmed up.
// ninja -C build tests/bench/simulator/simulator_bench (a release build), then run it. --nodes N for
// fewer, --idle-only without the Deployment, --at-once N for another number of zones at once.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <string>

#include <sys/resource.h>

#include "runtime/simulator/cluster.hpp"
#include "runtime/simulator/zone_by_zone.hpp"

namespace {

using namespace legion;
using namespace legion::simulator;

/// A field of /proc/self/status, in bytes: VmRSS, VmHWM (the most that VmRSS ever was), RssAnon.
double status_bytes(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field + ":"))
      return std::strtod(line.c_str() + field.size() + 1, nullptr) * 1024;
  return 0;
}

double cpu_seconds() {
  rusage x{};
  getrusage(RUSAGE_SELF, &x);
  return static_cast<double>(x.ru_utime.tv_sec + x.ru_stime.tv_sec)
         + static_cast<double>(x.ru_utime.tv_usec + x.ru_stime.tv_usec) / 1e6;
}

class stopwatch {
public:
  /// "1.2 s real, 1.1 s of CPU": on a machine that does other work, too, the latter is what counts.
  std::string text() const {
    using clock = std::chrono::steady_clock;
    char buffer[64];
    std::snprintf(buffer, sizeof(buffer), "%.1f s real, %.1f s of CPU",
                  std::chrono::duration<double>(clock::now() - begin_).count(),
                  cpu_seconds() - cpu_);
    return buffer;
  }

private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_seconds();
};

/// What the lives of all zones sum up to.
struct lives {
  std::mutex lock;
  std::uint32_t nodes_now = 0;  // of the zones that live
  std::uint32_t nodes_most = 0; // at once
  double most_memory = 0; // of the process at the end of a zone, without the pages of its program
  std::size_t fewest_known = 1000;
  std::uint64_t steps = 0;
  std::uint64_t steps_idle = 0;
  transport::simulated::traffic sent;
};

void live(cluster_options options, std::uint32_t zone, lives& all) {
  options.zone = zone;
  cluster x{options};
  {
    std::lock_guard guard{all.lock};
    all.nodes_now += x.size();
    all.nodes_most = std::max(all.nodes_most, all.nodes_now);
  }
  x.start_all(std::chrono::seconds{5});
  x.run_for(std::chrono::seconds{10});
  auto known = x.members(0);
  auto steps = x.system().steps();
  x.run_for(std::chrono::seconds{10});
  std::lock_guard guard{all.lock};
  all.most_memory = std::max(all.most_memory, status_bytes("RssAnon"));
  all.nodes_now -= x.size();
  all.fewest_known = std::min(all.fewest_known, known ? known->members.size() : 0);
  all.steps += steps;
  all.steps_idle += x.system().steps() - steps;
  all.sent.frames += x.network().counts().frames;
  all.sent.bytes += x.network().counts().bytes;
}

void idle(std::uint32_t nodes, std::uint32_t at_once) {
  auto before = status_bytes("VmRSS"), before_anonymous = status_bytes("RssAnon");
  stopwatch watch;
  cluster_options options;
  options.nodes = nodes;
  options.log_actors = false;
  lives all;
  zone_by_zone(zones_of(options), at_once, [&](std::uint32_t zone) {
    live(options, zone, all);
    return true;
  });
  auto grown = (status_bytes("VmHWM") - before) / 1000;
  std::printf("%u nodes in %u zones joined and idled for 10 virtual seconds, %u zones at once: %s "
              "(under 60)\n",
              nodes, zones_of(options), at_once, watch.text().c_str());
  std::printf("  every first node knew at least %zu members; %llu steps to join, %llu idle; %llu "
              "frames, %.0f KB a node\n",
              all.fewest_known, static_cast<unsigned long long>(all.steps),
              static_cast<unsigned long long>(all.steps_idle),
              static_cast<unsigned long long>(all.sent.frames),
              static_cast<double>(all.sent.bytes) / 1000 / nodes);
  std::printf("  peak of the process: %.1f MB more than at begin\n"
              "    %.1f KB for each node that was simulated (at most 40)\n"
              "    %.1f KB for each of the %u nodes that lived at once; %.1f KB without what it "
              "read of its program\n",
              grown / 1000, grown / nodes, grown / all.nodes_most, all.nodes_most,
              (all.most_memory - before_anonymous) / 1000 / all.nodes_most);
  std::fflush(stdout);
}

std::int64_t ready(cluster& x) {
  api_request request;
  request.set_version(1);
  request.mutable_get()->set_kind("deployments");
  auto answer = x.ask(0, std::move(request));
  return answer && answer->resources_size() > 0 ? answer->resources(0).ready() : 0;
}

void place(int replicas) {
  cluster_options options;
  options.nodes = 125;
  options.log_actors = false;
  cluster x{options};
  x.start_all();
  x.run_for(std::chrono::seconds{10});
  stopwatch watch;
  auto applied = x.now();
  api_request request;
  request.set_version(1);
  request.mutable_apply()->set_namespace_("default");
  auto* file = request.mutable_apply()->add_files();
  file->set_name("web.yaml");
  file->set_text("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: "
                 + std::to_string(replicas)
                 + "\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:"
                   "\n        - {name: main, command: [server], resources: {requests: {cpu: 100m, "
                   "memory: 64Mi}}}\n");
  auto answer = x.ask(0, std::move(request));
  if (!answer || answer->results_size() == 0)
    std::printf("apply was refused\n");
  bool done = x.run_until([&] { return ready(x) >= replicas; }, std::chrono::seconds{120},
                          std::chrono::milliseconds{500});
  std::printf("%d replicas on 125 nodes %s: %s (under 10), %.1f s virtual\n", replicas,
              done ? "ready" : "NOT READY", watch.text().c_str(),
              static_cast<double>((x.now() - applied).count()) / 1e6);
}

} // namespace

int main(int argc, char** argv) {
  std::uint32_t nodes = 10000, at_once = zones_at_once();
  bool idle_only = false;
  for (int i = 1; i < argc; ++i) {
    auto number = [&] { return static_cast<std::uint32_t>(std::strtoul(argv[++i], nullptr, 10)); };
    if (argv[i] == std::string{"--nodes"} && i + 1 < argc)
      nodes = number();
    else if (argv[i] == std::string{"--at-once"} && i + 1 < argc)
      at_once = number();
    else if (argv[i] == std::string{"--idle-only"})
      idle_only = true;
    else
      return std::fprintf(stderr, "simulator_bench [--nodes N] [--at-once N] [--idle-only]\n"), 2;
  }
  // First: what a Deployment leaves behind in the allocator would hide what a node takes.
  idle(nodes, at_once);
  if (!idle_only)
    place(1000);
}
