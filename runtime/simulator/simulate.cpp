#include "runtime/simulator/simulate.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>
#include <utility>

#include <unistd.h>

#include "messages/manifest/manifest.hpp"
#include "runtime/simulator/simulate_options.hpp"
#include "runtime/simulator/simulate_report.hpp"
#include "runtime/simulator/simulation.hpp"
#include "runtime/simulator/zone_by_zone.hpp"

namespace legion::simulator {

namespace {

result<std::string> read_text(const std::string& name) {
  if (name == "-")
    return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::error_code error;
  if (std::filesystem::is_directory(name, error))
    return fault{errc::invalid, name + ": it is a folder; a file is wanted"};
  std::ifstream in(name, std::ios::binary);
  if (!in)
    return fault{errc::not_found, name + ": " + std::generic_category().message(errno)};
  std::string text(std::istreambuf_iterator<char>(in), {});
  if (in.bad())
    return fault{errc::disk, name + ": cannot be read"};
  return text;
}

simulation simulation_of(const simulate_options& x) {
  simulation result;
  result.options.seed = x.seed;
  result.options.nodes = x.nodes;
  result.options.zone_size = zone_limit;
  result.options.cpu_millis = x.cpu_millis;
  result.options.memory_bytes = x.memory_bytes;
  result.options.pods = x.pods;
  result.options.log_actors = x.log;
  result.patience = x.patience;
  if (x.log)
    result.log = [](std::string_view line) { std::cout << line << "\n"; };
  return result;
}

/// One line for a person who waits, on standard error; nothing where there is no person.
class progress {
public:
  explicit progress(std::uint32_t zones) : zones_(zones), shown_(zones > 1 && isatty(2)) {}
  ~progress() {
    if (shown_)
      std::fprintf(stderr, "\r%*s\r", width, "");
  }

  void begins(std::uint32_t zone) {
    latest_ = std::max(latest_, zone + 1);
    if (!shown_)
      return;
    char text[width + 1];
    std::snprintf(text, sizeof(text), "zone %u of %u ...", latest_, zones_);
    std::fprintf(stderr, "\r%-*s", width, text);
  }

private:
  static constexpr int width = 40;
  std::uint32_t zones_;
  bool shown_;
  std::uint32_t latest_ = 0;
};

result<simulated> run_shown(const simulation& what) {
  progress shown{what.log ? 1 : zones_of(what.options)};
  return run(what, zones_at_once(), [&](std::uint32_t zone) { shown.begins(zone); });
}

int complain(int code, const std::string& what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
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
  auto what = simulation_of(*options);
  for (auto& name : options->files) {
    auto text = read_text(name);
    if (!text)
      return complain(2, text.why().detail);
    what.files.push_back({name, std::move(*text)});
  }
  auto parsed = manifest::read(what.files);
  for (auto& x : parsed.diagnostics)
    std::fputs((told(x) + "\n").c_str(), stderr);
  if (manifest::refused(parsed))
    return 1;
  if (!options->faults.empty()) {
    auto text = read_text(options->faults);
    if (!text)
      return complain(2, text.why().detail);
    auto read = read_disturbances(options->faults, *text, options->nodes);
    if (!read)
      return complain(2, read.why().detail);
    what.faults = std::move(*read);
  }
  auto came = run_shown(what);
  if (!came)
    return complain(1, came.why().detail);
  std::fputs((options->json ? json_of(*came) : text_of(*came)).c_str(), stdout);
  return came->ready ? 0 : 4;
}

} // namespace legion::simulator
