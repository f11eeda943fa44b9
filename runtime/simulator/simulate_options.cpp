#include "runtime/simulator/simulate_options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "messages/duration.hpp"
#include "messages/manifest/quantity.hpp"

namespace legion::simulator {

namespace {

template <class T>
std::optional<T> number_of(const std::string& text, T least, T most) {
  T value{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least || value > most)
    return std::nullopt;
  return value;
}

fault usage(const std::string& flag, const std::string& found, const std::string& allowed) {
  return {errc::invalid, flag + " " + found + ": allowed is " + allowed};
}

result<void> set(simulate_options& x, const std::string& flag, const std::string& value) {
  if (flag == "-f" || flag == "--filename") {
    x.files.push_back(value);
  } else if (flag == "--faults") {
    x.faults = value;
  } else if (flag == "--nodes") {
    auto n = number_of<std::uint32_t>(value, 1, most_nodes);
    if (!n)
      return usage(flag, value, "1 to " + std::to_string(most_nodes));
    x.nodes = *n;
  } else if (flag == "--seed") {
    auto n = number_of<std::uint64_t>(value, 0, UINT64_MAX);
    if (!n)
      return usage(flag, value, "a whole number");
    x.seed = *n;
  } else if (flag == "--patience") {
    auto time = read_duration_or_seconds(value);
    auto whole = std::chrono::floor<std::chrono::seconds>(time.value_or(std::chrono::seconds{0}));
    if (!time || whole != *time || whole.count() < 1 || whole > std::chrono::hours{24})
      return usage(flag, value, "1s to 24h in whole seconds, as 90s, 2m or 1h30m");
    x.patience = whole;
  } else if (flag == "--cpu" || flag == "--memory") {
    auto in = flag == "--cpu" ? manifest::unit::thousandths : manifest::unit::ones;
    auto n = manifest::parse_quantity(value, in);
    if (!n || *n <= 0)
      return usage(flag, value, "a quantity such as 4, 500m or 16Gi");
    (flag == "--cpu" ? x.cpu_millis : x.memory_bytes) = *n;
  } else if (flag == "--pods") {
    auto n = number_of<int>(value, 1, 10000);
    if (!n)
      return usage(flag, value, "1 to 10000");
    x.pods = *n;
  } else if (flag == "-o" || flag == "--output") {
    if (value != "json")
      return usage(flag, value, "json");
    x.json = true;
  }
  return {};
}

/// Flags that want a value; `set` knows each.
constexpr std::array valued{"-f",    "--filename", "--faults", "--nodes", "--seed",  "--patience",
                            "--cpu", "--memory",   "--pods",   "-o",      "--output"};

bool wants_value(const std::string& flag) {
  return std::find(valued.begin(), valued.end(), flag) != valued.end();
}

} // namespace

const char* simulate_help() {
  return "Run a manifest on a cluster that exists in this process only.\n"
         "\n"
         "  legionctl simulate -f FILE [flags]\n"
         "\n"
         "The real actors run, under virtual time, on a simulated network, with fake\n"
         "workloads. The same seed gives the same run.\n"
         "\n"
         "  -f, --filename FILE  manifest; may be given several times; - is standard input\n"
         "      --nodes N        how many nodes (3); over 125 make independent zones of\n"
         "                       at most 125, and each zone runs the manifest\n"
         "      --seed N         what decides everything (1)\n"
         "      --faults FILE    what goes wrong, and when: see docs/simulator.md\n"
         "      --patience 120s  virtual time after the last fault for all to be ready\n"
         "      --cpu 4 --memory 16Gi --pods 110   what each node has\n"
         "      --log            print what happens, zone after zone: then one zone lives\n"
         "                       at a time, else as many as there are cores\n"
         "  -o, --output json    the result as JSON\n"
         "\n"
         "Examples:\n"
         "  legionctl simulate -f web.yaml --nodes 50\n"
         "  legionctl simulate -f web.yaml --nodes 5 --seed 7 --faults faults.yaml --log\n";
}

result<simulate_options> read_simulate_options(const std::vector<std::string>& arguments) {
  simulate_options result;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    auto flag = arguments[i];
    if (flag == "--help" || flag == "-h") {
      result.help = true;
      return result;
    }
    if (flag == "--log") {
      result.log = true;
      continue;
    }
    std::string value;
    if (auto equals = flag.find('='); flag.starts_with("--") && equals != flag.npos) {
      value = flag.substr(equals + 1);
      flag.resize(equals);
    } else if (flag.size() > 2 && flag[1] != '-' && wants_value(flag.substr(0, 2))) {
      value = flag.substr(2);
      flag.resize(2);
    } else if (wants_value(flag)) {
      if (i + 1 == arguments.size())
        return fault{errc::invalid, flag + " wants a value"};
      value = arguments[++i];
    }
    if (!flag.starts_with('-'))
      return fault{errc::invalid, "'" + flag + "' is no flag: the manifest is given with -f FILE"};
    if (!wants_value(flag))
      return fault{errc::invalid, "there is no flag '" + flag + "'; see legionctl simulate --help"};
    if (auto done = set(result, flag, value); !done)
      return done.why();
  }
  if (result.files.empty())
    return fault{errc::invalid, "which manifest? Give one with -f FILE"};
  return result;
}

} // namespace legion::simulator
