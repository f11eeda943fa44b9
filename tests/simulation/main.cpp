// Runs trials: one seed, or many. Each failure prints the one command that replays it.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/simulation/exclusive_trial.hpp"
#include "tests/simulation/raised_exclusive_trial.hpp"
#include "tests/simulation/rebuilding_trial.hpp"
#include "tests/simulation/trial.hpp"

namespace {

using namespace legion::simulator;

constexpr const char* usage =
    "simulation [--seed N | --seeds FIRST-LAST] [--nodes N] [--virtual-seconds N]\n"
    "           [--incidents N] [--blackouts N] [--old-copies N] [--settling SECONDS]\n"
    "           [--away SECONDS] [--sabotage NAME] [--log] [--debug]\n"
    "simulation --exclusive [--seed N | --seeds FIRST-LAST] [--log]\n"
    "simulation --rebuild [--exclusive] [--seed N | --seeds FIRST-LAST] [--log] [--debug]\n"
    "Runs whole clusters under virtual time; checkers watch. Without --nodes, the seed decides.\n";

struct arguments {
  std::uint64_t first = 1;
  std::uint64_t last = 1;
  trial_options trial;
  bool nodes_given = false;
  bool log = false;
  bool exclusive = false;
  bool rebuild = false;
};

trial_outcome run_rebuilding(const arguments& x, std::uint64_t seed) {
  rebuilding_options options;
  options.seed = seed;
  options.debug = x.trial.debug;
  if (x.log)
    options.log = [](std::string_view line) {
      std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    };
  return run_rebuilding_trial(options);
}

trial_outcome run_raised_exclusive(const arguments& x, std::uint64_t seed) {
  raised_exclusive_options options;
  options.seed = seed;
  options.debug = x.trial.debug;
  if (x.log)
    options.log = [](std::string_view line) {
      std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    };
  return run_raised_exclusive_trial(options);
}

trial_outcome run_exclusive(const arguments& x, std::uint64_t seed) {
  exclusive_options options;
  options.seed = seed;
  if (x.log)
    options.log = [](std::string_view line) {
      std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    };
  return run_exclusive_trial(options);
}

bool read(int argc, char** argv, arguments& x) {
  for (int i = 1; i < argc; ++i) {
    std::string flag = argv[i];
    if (flag == "--exclusive" || flag == "--rebuild") {
      (flag == "--exclusive" ? x.exclusive : x.rebuild) = true;
      continue;
    }
    if (flag == "--log" || flag == "--debug") {
      x.log = true;
      x.trial.debug = flag == "--debug";
      continue;
    }
    if (i + 1 == argc)
      return false;
    const char* value = argv[++i];
    auto number = std::strtoull(value, nullptr, 10);
    if (flag != "--sabotage" && (*value < '0' || *value > '9'))
      return false;
    if (flag == "--seed")
      x.first = x.last = number;
    else if (flag == "--seeds" && std::strchr(value, '-'))
      x.first = number, x.last = std::strtoull(std::strchr(value, '-') + 1, nullptr, 10);
    else if (flag == "--nodes")
      x.trial.nodes = static_cast<std::uint32_t>(number), x.nodes_given = number > 0;
    else if (flag == "--virtual-seconds")
      x.trial.trouble = std::chrono::seconds{number};
    else if (flag == "--incidents")
      x.trial.incidents = static_cast<std::uint32_t>(number);
    else if (flag == "--blackouts")
      x.trial.blackouts = static_cast<std::uint32_t>(number);
    else if (flag == "--old-copies")
      x.trial.old_copies = static_cast<std::uint32_t>(number);
    else if (flag == "--away")
      x.trial.away = std::chrono::seconds{number};
    else if (flag == "--settling")
      x.trial.settling = std::chrono::seconds{number};
    else if (flag == "--sabotage") {
      auto known = false;
      for (int s = 0; s <= static_cast<int>(sabotage::undone_change); ++s)
        if (std::strcmp(to_string(static_cast<sabotage>(s)), value) == 0) {
          x.trial.sabotage = static_cast<sabotage>(s);
          known = true;
        }
      if (!known)
        return false;
    } else
      return false;
  }
  return true;
}

bool run(const arguments& x, std::uint64_t seed) {
  auto options = x.trial;
  options.seed = seed;
  if (!x.nodes_given)
    options.nodes = static_cast<std::uint32_t>(3 + seed % 5);
  if (x.log)
    options.log = [](std::string_view line) {
      std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
    };
  auto begin = std::chrono::steady_clock::now();
  auto y = x.exclusive && x.rebuild ? run_raised_exclusive(x, seed)
           : x.exclusive            ? run_exclusive(x, seed)
           : x.rebuild              ? run_rebuilding(x, seed)
                                    : run_trial(options);
  std::chrono::duration<double> real = std::chrono::steady_clock::now() - begin;
  std::printf("seed %llu: %s nodes=%u virtual=%.1fs real=%.1fs steps=%llu accepts=%llu "
              "promises=%llu holds=%llu frames=%llu lost=%llu digest=%016llx\n",
              static_cast<unsigned long long>(seed), y.good() ? "passed" : "FAILED", options.nodes,
              static_cast<double>(y.took.count()) / 1e6, real.count(),
              static_cast<unsigned long long>(y.steps), static_cast<unsigned long long>(y.accepts),
              static_cast<unsigned long long>(y.promises), static_cast<unsigned long long>(y.holds),
              static_cast<unsigned long long>(y.traffic.frames),
              static_cast<unsigned long long>(y.traffic.lost),
              static_cast<unsigned long long>(y.digest));
  for (auto& v : y.violations)
    std::printf("  %s %s: %s\n", time_text(v.time).c_str(), v.checker.c_str(), v.what.c_str());
  for (auto& e : y.errors)
    std::printf("  %s\n", e.c_str());
  if (!y.good())
    std::printf("  replay: %s --log\n",
                x.exclusive || x.rebuild
                    ? (std::string{"build/tests/simulation/simulation "}
                       + (x.rebuild ? "--rebuild" : "") + (x.rebuild && x.exclusive ? " " : "")
                       + (x.exclusive ? "--exclusive" : "") + " --seed " + std::to_string(seed))
                          .c_str()
                    : command_of(options).c_str());
  std::fflush(stdout);
  return y.good();
}

} // namespace

int main(int argc, char** argv) {
  arguments x;
  if (!read(argc, argv, x)) {
    std::fputs(usage, stderr);
    return 2;
  }
  std::uint64_t failed = 0;
  for (auto seed = x.first; seed <= x.last; ++seed)
    failed += run(x, seed) ? 0 : 1;
  std::printf("simulation: %llu passed, %llu failed\n",
              static_cast<unsigned long long>(x.last - x.first + 1 - failed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}
