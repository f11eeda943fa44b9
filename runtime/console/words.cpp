#include "runtime/console/words.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "messages/manifest/fields.hpp"

namespace legion::console {

namespace {

/// Length of the well-formed UTF-8 sequence at the start; 0 if there is none.
std::size_t sequence_length(std::string_view x) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(x[i]); };
  auto first = byte(0);
  std::size_t length = first < 0x80   ? 1
                       : first < 0xc2 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
  if (length == 0 || length > x.size())
    return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f)
      || (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f))
    return 0;
  return length;
}

/// Control characters of one or two bytes, and those that turn the direction of text around.
bool is_control(std::string_view x) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(x[i]); };
  if (x.size() == 1)
    return byte(0) < 0x20 || byte(0) == 0x7f;
  if (x.size() == 2)
    return byte(0) == 0xc2 && byte(1) < 0xa0;
  if (x.size() == 3 && byte(0) == 0xe2)
    return (byte(1) == 0x80
            && ((byte(2) >= 0x8e && byte(2) <= 0x8f) || (byte(2) >= 0xa8 && byte(2) <= 0xae)))
           || (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);
  return false;
}

/// A colour: ESC [ digits and semicolons m. 0 if it is something else.
std::size_t colour_length(std::string_view x) {
  if (!x.starts_with("\x1b["))
    return 0;
  auto end = x.find_first_not_of("0123456789;", 2);
  return end != std::string_view::npos && x[end] == 'm' ? end + 1 : 0;
}

template <class Keep>
std::string filtered(std::string_view text, Keep keep) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    auto kept = keep(text);
    auto length = kept ? kept : sequence_length(text);
    if (kept == 0 && (length == 0 || is_control(text.substr(0, length)))) {
      result += '?';
      length = std::max<std::size_t>(length, 1);
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return result;
}

std::string fixed_point(double x, const char* unit) {
  char text[32];
  std::snprintf(text, sizeof(text), x < 10 ? "%.1f" : "%.0f", x);
  std::string result{text};
  if (result.ends_with(".0"))
    result.resize(result.size() - 2);
  return result + unit;
}

std::string container_word(const container_status& x) {
  if (x.state() == "waiting")
    return x.reason();
  if (x.state() != "terminated")
    return {};
  if (!x.reason().empty())
    return x.reason();
  return x.signal() ? "Signal:" + std::to_string(x.signal())
                    : "ExitCode:" + std::to_string(x.exit_code());
}

} // namespace

std::string plain(std::string_view text) {
  return filtered(text, [](std::string_view) -> std::size_t { return 0; });
}

std::string plain_output(std::string_view text) {
  return filtered(text, [](std::string_view x) -> std::size_t {
    return x[0] == '\n' || x[0] == '\t' || x[0] == '\r' ? 1 : colour_length(x);
  });
}

std::vector<std::string> lines_of(std::string_view text, std::size_t first, std::size_t others) {
  std::vector<std::string> result(1);
  for (std::size_t from = 0; from < text.size();) {
    auto end = std::min(text.find(' ', from), text.size());
    auto word = text.substr(from, end - from);
    auto& line = result.back();
    auto width = result.size() == 1 ? first : others;
    if (word.empty())
      ; // of two spaces in a row one is enough
    else if (line.empty())
      line = word;
    else if (line.size() + 1 + word.size() <= width)
      line.append(" ").append(word);
    else
      result.emplace_back(word);
    from = end + 1;
  }
  return result;
}

std::string folded(std::string_view text) {
  constexpr std::size_t columns = 80, indent = 2;
  std::string result;
  for (std::size_t from = 0;;) {
    auto end = std::min(text.find('\n', from), text.size());
    auto line = text.substr(from, end - from);
    auto margin = std::min(line.find_first_not_of(' '), line.size());
    auto gap = std::string(margin, ' ');
    for (const auto& x : lines_of(line.substr(margin), columns - std::min(columns / 2, margin),
                                  columns - std::min(columns / 2, margin + indent))) {
      result += gap + x + '\n';
      gap = std::string(margin + indent, ' ');
    }
    if (end == text.size())
      break;
    from = end + 1;
  }
  result.pop_back();
  return result;
}

std::string amounts(const capacity& x) {
  return cpu(x.cpu_millis()) + " cpu, " + memory_short(x.memory_bytes()) + " memory, "
         + std::to_string(x.ports()) + " ports, " + std::to_string(x.pods()) + " pods";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  auto fewest = std::min<std::size_t>(3, word.size()); // edits; a word of another is no slip
  for (const auto& x : known)
    if (auto edits = manifest::edit_distance(word, x); edits < fewest) {
      fewest = edits;
      nearest = &x;
    }
  return nearest ? ", did you mean '" + *nearest + "'?" : "";
}

std::string age(wall_ms since, wall_ms now) {
  if (since <= 0)
    return "<none>";
  auto s = std::max<wall_ms>(0, now - since) / 1000;
  auto two = [](wall_ms a, const char* unit_a, wall_ms b, const char* unit_b) {
    return std::to_string(a) + unit_a + (b ? std::to_string(b) + unit_b : "");
  };
  constexpr wall_ms minute = 60, hour = 3600, day = 86400;
  if (s < 2 * minute)
    return std::to_string(s) + "s";
  if (s < 10 * minute)
    return two(s / minute, "m", s % minute, "s");
  if (s < 3 * hour)
    return std::to_string(s / minute) + "m";
  if (s < 8 * hour)
    return two(s / hour, "h", s % hour / minute, "m");
  if (s < 2 * day)
    return std::to_string(s / hour) + "h";
  if (s < 8 * day)
    return two(s / day, "d", s % day / hour, "h");
  return std::to_string(s / day) + "d";
}

std::string rfc3339(wall_ms x) {
  if (x <= 0)
    return {};
  auto seconds = static_cast<std::time_t>(x / 1000);
  std::tm parts{};
  if (!::gmtime_r(&seconds, &parts))
    return {};
  char text[64];
  auto size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text, size};
}

std::string cpu(std::int64_t millis) {
  return millis % 1000 == 0 ? std::to_string(millis / 1000) : std::to_string(millis) + "m";
}

std::string memory(std::int64_t bytes) {
  constexpr std::array<const char*, 5> units{"", "Ki", "Mi", "Gi", "Ti"};
  std::size_t unit = 0;
  while (bytes != 0 && bytes % 1024 == 0 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return std::to_string(bytes) + units[unit];
}

std::string memory_short(std::int64_t bytes) {
  auto x = static_cast<double>(bytes);
  for (const auto* unit : {"", "Ki", "Mi", "Gi"}) {
    if (x < 1024)
      return fixed_point(x, unit);
    x /= 1024;
  }
  return fixed_point(x, "Ti");
}

std::string or_none(std::string text) {
  return text.empty() ? "<none>" : text;
}

std::string verdict_word(verdict x) {
  switch (x) {
    case verdict_kept:
      return "kept";
    case verdict_repaired:
      return "repaired";
    case verdict_not_kept:
      return "not kept";
    default:
      return "unknown";
  }
}

std::string node_status(const node_view& x) {
  std::string word;
  switch (x.state()) {
    case member_alive:
      word = !x.answered() ? "Unknown" : x.joining().empty() ? "Ready" : "Joining";
      break;
    case member_suspect:
      word = "Suspect";
      break;
    case member_left:
      word = "Left";
      break;
    default:
      word = "NotReady";
  }
  for (const auto& y : x.conditions())
    if (y.status())
      word += "," + plain(y.type());
  if (x.member().draining() && x.state() != member_left)
    word += ",Draining";
  return x.member().cordoned() ? word + ",SchedulingDisabled" : word;
}

std::string kind_name(std::string_view kind) {
  return kind == "Deployment" ? "deployment.apps" : kind == "Pod" ? "pod" : plain(kind);
}

std::string pod_status(const pod_view& x) {
  if (x.state() == "gone")
    return "Gone";
  if (x.node_dead())
    return "Unknown";
  const auto& seen = x.assessment();
  if (x.state() == "ending" || x.state() == "replaced" || seen.phase() == "Terminating")
    return "Terminating";
  if (x.state() == "missing")
    return "Pending";
  const auto& all = seen.containers();
  auto runs =
      std::any_of(all.begin(), all.end(), [](const auto& y) { return y.state() == "running"; });
  auto some_done = false;
  for (const auto& container : all) {
    auto done =
        container.state() == "terminated" && container.exit_code() == 0 && container.signal() == 0;
    some_done = some_done || done;
    auto other = done && (runs || seen.phase() == "Failed"); // another one tells more
    if (auto word = container_word(container); !word.empty() && !other)
      return plain(word);
  }
  if (some_done && runs) // as kubectl has it
    return seen.ready() ? "Running" : "NotReady";
  if (seen.phase() == "Succeeded")
    return "Completed";
  return seen.phase().empty() ? "Pending" : plain(seen.phase());
}

std::uint32_t pod_restarts(const pod_view& x) {
  std::uint32_t sum = 0;
  for (const auto& container : x.assessment().containers())
    sum += container.restarts();
  return std::max(sum, x.assessment().restarts());
}

std::string ports(const assessment& x) {
  std::string result;
  for (const auto& port : x.ports())
    result += (result.empty() ? "" : ",") + (port.name().empty() ? "" : plain(port.name()) + ":")
              + std::to_string(port.container_port()) + "->"
              + (x.host_ip().empty() ? "" : plain(x.host_ip()) + ":")
              + std::to_string(port.host_port())
              + (port.protocol().empty() || port.protocol() == "TCP" ? "" : "/" + port.protocol());
  return result;
}

} // namespace legion::console
