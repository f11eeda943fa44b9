// The simulator's size and speed: 10,000 nodes as 80 zones of 125, idle for 10 virtual seconds, and
// a Deployment of 1,000 replicas in one zone of 125 nodes. Every node really joins; nothing is
// warmed up. ninja -C build tests/bench/simulator/simulator_bench (a release build), then run it.
// --nodes N for fewer, --idle-only without the Deployment.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "runtime/simulator/cluster.hpp"

namespace {

using namespace legion;
using namespace legion::simulator;

double resident_bytes() {
  long pages = 0, resident = 0;
  if (auto* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%ld %ld", &pages, &resident) != 2)
      resident = 0;
    std::fclose(f);
  }
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
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

std::uint64_t steps_of(cluster& x) {
  std::uint64_t result = 0;
  for (std::uint32_t zone = 0; zone < x.zones(); ++zone)
    result += x.system(zone).steps();
  return result;
}

void idle(std::uint32_t nodes) {
  auto before = resident_bytes();
  stopwatch watch;
  cluster_options options;
  options.nodes = nodes;
  options.log_actors = false;
  cluster x{options};
  x.start_all(std::chrono::seconds{5});
  std::printf("%u nodes made: %s, %.1f KB a node\n", nodes, watch.text().c_str(),
              (resident_bytes() - before) / 1000 / nodes);
  std::fflush(stdout);
  x.run_for(std::chrono::seconds{10});
  std::size_t fewest = 1000;
  for (std::uint32_t i = 0; i < nodes; i += 125)
    if (auto known = x.members(i))
      fewest = std::min(fewest, known->members.size());
  std::printf("joined: %s, %.1f KB a node, every first node knows at least %zu members\n",
              watch.text().c_str(), (resident_bytes() - before) / 1000 / nodes, fewest);
  transport::simulated::traffic sent;
  for (std::uint32_t zone = 0; zone < x.zones(); ++zone) {
    sent.frames += x.network(zone).counts().frames;
    sent.bytes += x.network(zone).counts().bytes;
  }
  auto steps = steps_of(x);
  std::printf("  %llu steps, %llu frames, %.0f KB a node\n", static_cast<unsigned long long>(steps),
              static_cast<unsigned long long>(sent.frames),
              static_cast<double>(sent.bytes) / 1000 / nodes);
  stopwatch idling;
  x.run_for(std::chrono::seconds{10});
  double now = resident_bytes() - before;
  malloc_trim(0);
  std::printf("idle for 10 virtual seconds: %s, %llu steps; %.1f KB a node, %.1f after "
              "malloc_trim (at most 40)\n",
              idling.text().c_str(), static_cast<unsigned long long>(steps_of(x) - steps),
              now / 1000 / nodes, (resident_bytes() - before) / 1000 / nodes);
  std::printf("all of it: %s (under 60)\n", watch.text().c_str());
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
  std::uint32_t nodes = 10000;
  bool idle_only = false;
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == std::string{"--nodes"} && i + 1 < argc)
      nodes = static_cast<std::uint32_t>(std::strtoul(argv[++i], nullptr, 10));
    else if (argv[i] == std::string{"--idle-only"})
      idle_only = true;
    else
      return std::fprintf(stderr, "simulator_bench [--nodes N] [--idle-only]\n"), 2;
  }
  idle(
      nodes); // first: what a Deployment leaves behind in the allocator would hide what a node takes
  if (!idle_only)
    place(1000);
}
