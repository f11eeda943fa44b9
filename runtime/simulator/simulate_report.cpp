#include "runtime/simulator/simulate_report.hpp"

#include <algorithm>
#include <climits>
#include <cstdio>
#include <sstream>

#include "runtime/simulator/simulate_options.hpp"

namespace legion::simulator {

namespace {

constexpr std::size_t columns = 80;
constexpr std::size_t most_rows = 40, most_placements = 20, most_nodes_named = 20;

double seconds_of(std::chrono::microseconds x) {
  return static_cast<double>(x.count()) / 1e6;
}

std::string tenths(double x) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.1f", x);
  return text;
}

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

/// Lines of at most 80 columns where words allow it; all but the first are indented.
std::string wrapped(const std::string& text, std::size_t indent) {
  std::string result, line(std::min(text.find_first_not_of(' '), text.size()), ' ');
  std::istringstream words(text);
  auto begun = false;
  for (std::string word; words >> word; begun = true) {
    if (begun && line.size() + 1 + word.size() > columns) {
      result += line + "\n";
      line = std::string(indent, ' ') + word;
    } else {
      line += (begun ? " " : "") + word;
    }
  }
  return result + line + "\n";
}

/// "Deployment/web", and with its namespace unless that is the default one.
std::string shown(const placed& x) {
  auto space = x.space.empty() || x.space == "default" ? std::string{} : x.space + "/";
  return x.kind + "/" + space + x.name;
}

/// Fewest and most replicas on a node that has any.
std::pair<int, int> spread_of(const placed& x) {
  std::pair<int, int> result{x.nodes.empty() ? 0 : INT_MAX, 0};
  for (const auto& [node, count] : x.nodes) {
    result.first = std::min(result.first, count);
    result.second = std::max(result.second, count);
  }
  return result;
}

std::string row(const std::vector<std::string>& cells) {
  constexpr int widths[] = {-6, -28, 7, 7, 9, 6, 9};
  std::string result;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    auto width = static_cast<std::size_t>(std::abs(widths[i]));
    auto fill = std::string(width > cells[i].size() ? width - cells[i].size() : 0, ' ');
    result += (i ? " " : "") + (widths[i] < 0 ? cells[i] + fill : fill + cells[i]);
  }
  return result + "\n";
}

std::string table_of(const simulated& all) {
  auto result = row({"ZONE", "RESOURCE", "WANTED", "READY", "READY IN", "NODES", "PER NODE"});
  for (std::size_t i = 0; i < std::min(all.placed.size(), most_rows); ++i) {
    const auto& x = all.placed[i];
    auto [fewest, most] = spread_of(x);
    auto per_node = std::to_string(fewest);
    if (fewest != most)
      per_node += "-" + std::to_string(most);
    auto time = tenths(seconds_of(x.ready_in)) + "s";
    result += row({std::to_string(x.zone), shown(x), std::to_string(x.wanted),
                   std::to_string(x.ready), x.ready >= x.wanted && x.wanted > 0 ? time : "-",
                   std::to_string(x.nodes.size()), x.nodes.empty() ? "-" : per_node});
    if (x.ready < x.wanted && !x.waits.empty())
      result += wrapped("       waits: " + x.waits, 14);
  }
  if (all.placed.size() > most_rows)
    result += "... and " + std::to_string(all.placed.size() - most_rows)
              + " more; -o json has all of them\n";
  return result;
}

std::string placement_of(const simulated& all) {
  std::string result;
  for (std::size_t i = 0; i < std::min(all.placed.size(), most_placements); ++i) {
    const auto& x = all.placed[i];
    auto line = (all.zones > 1 ? "Zone " + std::to_string(x.zone) + ": " : std::string{}) + shown(x)
                + " runs on";
    if (x.nodes.empty())
      line += " no node";
    std::size_t shown = 0;
    for (const auto& [node, count] : x.nodes) {
      if (++shown > most_nodes_named)
        break;
      line += (shown == 1 ? " " : ", ") + node + (count > 1 ? " x" + std::to_string(count) : "");
    }
    if (x.nodes.size() > most_nodes_named)
      line += ", and " + std::to_string(x.nodes.size() - most_nodes_named) + " more nodes";
    result += "\n" + wrapped(line, 2);
  }
  if (all.placed.size() > most_placements)
    result += "\n... and " + std::to_string(all.placed.size() - most_placements)
              + " more; -o json has all of them\n";
  return result;
}

} // namespace

std::string told(const diagnostic& x) {
  auto place = x.file();
  if (x.line())
    place += ":" + std::to_string(x.line()) + ":" + std::to_string(x.column());
  place += ": ";
  auto text = x.text().starts_with(place) ? x.text().substr(place.size()) : x.text();
  return place + (x.warning() ? "warning: " : "error: ") + text;
}

std::string text_of(const simulated& x) {
  auto plural = [](std::uint64_t n) { return n == 1 ? "" : "s"; };
  auto result = std::to_string(x.nodes) + " node" + plural(x.nodes) + " in "
                + std::to_string(x.zones) + " zone" + plural(x.zones) + ", seed "
                + std::to_string(x.seed) + "; all times are virtual.\n";
  if (x.zones > 1)
    result += "A zone holds at most " + std::to_string(zone_limit)
              + " nodes: the zones are independent, and each\nruns the whole manifest.\n";
  result +=
      "Formed after " + tenths(seconds_of(x.formed)) + " s.\n\n" + table_of(x) + placement_of(x);
  auto count = std::to_string(x.faults) + " fault" + plural(x.faults) + ", the last at "
               + tenths(seconds_of(x.last_fault)) + " s";
  auto after = tenths(seconds_of(x.ended)) + " s after apply";
  if (x.faults > 0)
    result += "\n" + count
              + (x.ready ? "; all was ready again at " + after + ".\n"
                         : "; the run ended at " + after + ".\n");
  if (!x.ready)
    result += "\nNot all is ready " + std::to_string(x.patience.count()) + " s after "
              + (x.faults > 0 ? "the last fault" : "apply") + ".\n";
  return result;
}

std::string json_of(const simulated& x) {
  std::ostringstream out;
  out << "{\"nodes\": " << x.nodes << ", \"zones\": " << x.zones << ", \"seed\": " << x.seed
      << ", \"ready\": " << (x.ready ? "true" : "false")
      << ", \"formedSeconds\": " << seconds_of(x.formed) << ", \"faults\": " << x.faults
      << ", \"resources\": [";
  bool first = true;
  for (const auto& y : x.placed) {
    out << (first ? "" : ",") << "\n  {\"zone\": " << y.zone << ", \"kind\": " << json_text(y.kind)
        << ", \"namespace\": " << json_text(y.space) << ", \"name\": " << json_text(y.name)
        << ", \"replicas\": " << y.wanted << ", \"readyReplicas\": " << y.ready;
    if (y.ready >= y.wanted && y.wanted > 0)
      out << ", \"secondsToReady\": " << seconds_of(y.ready_in);
    out << ", \"fewestPerNode\": " << spread_of(y).first
        << ", \"mostPerNode\": " << spread_of(y).second << ", \"placement\": {";
    bool first_node = true;
    for (const auto& [node, count] : y.nodes) {
      out << (first_node ? "" : ", ") << json_text(node) << ": " << count;
      first_node = false;
    }
    out << "}}";
    first = false;
  }
  out << "\n]}\n";
  return out.str();
}

} // namespace legion::simulator
