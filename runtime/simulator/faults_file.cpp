#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include <yaml-cpp/yaml.h>

#include "messages/duration.hpp"
#include "messages/time.hpp"
#include "runtime/simulator/disturbance.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;
using kind = disturbance::kind;

/// A wrong place in the file.
struct complaint {
  YAML::Mark where;
  std::string text;
};

constexpr const char* known_faults =
    "crash, restart, stop, pause, resume, partition, cut, heal, loss, duplication, reordering, "
    "delay, disk-full, disk-free, kill, supervisor, wipe, copy or put-back";

class reader {
public:
  explicit reader(std::uint32_t nodes) : nodes_(nodes) {}

  std::vector<disturbance> read(const YAML::Node& root) const {
    std::vector<disturbance> result;
    if (!root.IsSequence())
      throw complaint{root.Mark().is_null() ? YAML::Mark{} : root.Mark(),
                      "a faults file is a list, each entry with `at` and a fault"};
    for (const auto& x : root)
      result.push_back(read_entry(x));
    std::stable_sort(result.begin(), result.end(), [](auto& a, auto& b) { return a.at < b.at; });
    check_copies(root, result);
    return result;
  }

private:
  /// What is put back has to be there.
  void check_copies(const YAML::Node& root, const std::vector<disturbance>& all) const {
    std::set<std::uint32_t> copied;
    for (const auto& x : all)
      for (auto node : x.nodes)
        if (x.what == kind::copy)
          copied.insert(node);
        else if (x.what == kind::put_back && !copied.contains(node))
          for (const auto& entry : root)
            if (entry["put-back"] && read_entry(entry).at == x.at)
              throw complaint{entry["put-back"].Mark(),
                              "there is no earlier `copy` of " + name_of(node) + "'s disk"};
  }

  disturbance read_entry(const YAML::Node& entry) const {
    if (!entry.IsMap())
      throw complaint{entry.Mark(), "an entry is a map such as {at: 5s, crash: node-3}"};
    disturbance result;
    bool timed = false, named = false;
    std::set<std::string> seen;
    for (const auto& field : entry) {
      auto name = text(field.first, "a field's name");
      if (!seen.insert(name).second)
        throw complaint{field.first.Mark(), "`" + name + "` is here twice"};
      if (name == "at") {
        result.at = duration(field.second);
        timed = true;
        continue;
      }
      if (named)
        throw complaint{field.first.Mark(), "one fault an entry: `" + name + "` needs its own"};
      named = true;
      read_fault(result, name, field.first, field.second);
    }
    if (!timed)
      throw complaint{entry.Mark(), "`at` is missing: when it happens, as in `at: 5s`"};
    if (!named)
      throw complaint{entry.Mark(), std::string("no fault is named: ") + known_faults};
    return result;
  }

  void read_fault(disturbance& result, const std::string& name, const YAML::Node& key,
                  const YAML::Node& value) const {
    for (int i = 0; i <= static_cast<int>(kind::put_back); ++i)
      if (name == to_string(static_cast<kind>(i))) {
        result.what = static_cast<kind>(i);
        return read_value(result, value);
      }
    throw complaint{key.Mark(), "`" + name + "` is no fault; known are " + known_faults};
  }

  void read_value(disturbance& result, const YAML::Node& value) const {
    switch (result.what) {
      case kind::heal:
        if (!value.IsNull())
          throw complaint{value.Mark(), "`heal` ends every cut and partition: it takes nothing"};
        return;
      case kind::partition:
        if (!value.IsSequence())
          throw complaint{value.Mark(), "`partition` is a list of lists of nodes"};
        if (value.size() == 0)
          throw complaint{value.Mark(), "no side is named: who is named nowhere is on one more"};
        for (const auto& side : value) {
          if (!side.IsSequence())
            throw complaint{side.Mark(), "`partition` is a list of lists of nodes"};
          result.sides.push_back(nodes(side));
          for (auto x : result.sides.back())
            if (auto other = side_of(x, result.sides); other + 1 != result.sides.size())
              throw complaint{side.Mark(), name_of(x) + " is on another side already"};
        }
        return;
      case kind::cut:
        return read_cut(result, value);
      case kind::loss:
      case kind::duplication:
      case kind::reordering:
        result.fraction = percentage(value);
        return;
      case kind::delay:
        return read_delay(result, value);
      default:
        result.nodes = nodes(value);
    }
  }

  void read_cut(disturbance& result, const YAML::Node& value) const {
    constexpr const char* form = "`cut` is {from: NODE, to: NODE}";
    if (!value.IsMap())
      throw complaint{value.Mark(), form};
    std::optional<std::uint32_t> from, to;
    for (const auto& field : value) {
      auto name = text(field.first, "a field's name");
      if (name != "from" && name != "to")
        throw complaint{field.first.Mark(), "`" + name + "` is not of a cut: " + form};
      auto& end = name == "from" ? from : to;
      if (end)
        throw complaint{field.first.Mark(), "`" + name + "` is here twice"};
      end = node(field.second);
    }
    if (!from || !to)
      throw complaint{value.Mark(), form};
    if (*from == *to)
      throw complaint{value.Mark(), name_of(*from) + " is cut off from another node only"};
    result.nodes = {*from, *to};
  }

  void read_delay(disturbance& result, const YAML::Node& value) const {
    auto both = text(value, "a delay");
    auto dash = both.find('-');
    result.least = duration(both.substr(0, dash), value.Mark());
    result.most = dash == both.npos ? result.least : duration(both.substr(dash + 1), value.Mark());
    if (result.most < result.least)
      throw complaint{value.Mark(), "`" + both + "`: the shorter delay comes first"};
  }

  std::string text(const YAML::Node& x, const char* what) const {
    if (!x.IsScalar())
      throw complaint{x.Mark(), std::string(what) + " is expected here"};
    return x.Scalar();
  }

  std::vector<std::uint32_t> nodes(const YAML::Node& x) const {
    std::vector<std::uint32_t> result;
    if (!x.IsSequence())
      return {node(x)};
    if (x.size() == 0)
      throw complaint{x.Mark(), "no node is named"};
    for (const auto& one : x) {
      auto next = node(one);
      if (std::find(result.begin(), result.end(), next) != result.end())
        throw complaint{one.Mark(), name_of(next) + " is here twice"};
      result.push_back(next);
    }
    return result;
  }

  static std::string name_of(std::uint32_t node) {
    return "`node-" + std::to_string(node + 1) + "`";
  }

  static std::size_t side_of(std::uint32_t node,
                             const std::vector<std::vector<std::uint32_t>>& sides) {
    auto has = [&](const auto& side) {
      return std::find(side.begin(), side.end(), node) != side.end();
    };
    return static_cast<std::size_t>(std::find_if(sides.begin(), sides.end(), has) - sides.begin());
  }

  std::uint32_t node(const YAML::Node& x) const {
    auto name = text(x, "a node's name");
    std::uint32_t number = 0;
    if (name.starts_with("node-")) {
      auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), number);
      if (error != std::errc{} || end != name.data() + name.size())
        number = 0;
    }
    if (number == 0 || number > nodes_ || name != "node-" + std::to_string(number))
      throw complaint{x.Mark(), "`" + name + "` is no node; there are node-1 to node-"
                                    + std::to_string(nodes_)};
    return number - 1;
  }

  microseconds duration(const YAML::Node& x) const { return duration(text(x, "a time"), x.Mark()); }

  static microseconds duration(const std::string& text, const YAML::Mark& where) {
    auto time = read_duration(text);
    if (!time)
      throw complaint{where, "`" + text + "` is no time; allowed are 250ms, 1.5s, 2m"};
    return *time;
  }

  double percentage(const YAML::Node& x) const {
    auto written = text(x, "a percentage");
    double number = 0;
    auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), number);
    std::string unit(written, static_cast<std::size_t>(end - written.data()));
    if (error != std::errc{} || unit != "%" || !(number >= 0 && number <= 100))
      throw complaint{x.Mark(), "`" + written + "` is no percentage; allowed are 0% to 100%"};
    return number / 100;
  }

  std::uint32_t nodes_;
};

} // namespace

result<std::vector<disturbance>> read_disturbances(const std::string& file_name,
                                                   const std::string& text, std::uint32_t nodes) {
  auto refuse = [&](const YAML::Mark& where, const std::string& why) {
    return fault{errc::invalid, file_name + ":" + std::to_string(where.line + 1) + ":"
                                    + std::to_string(where.column + 1) + ": " + why};
  };
  if (text.size() > 1024 * 1024)
    return fault{errc::too_large, file_name + ": a faults file has at most 1 MiB"};
  try {
    return reader{nodes}.read(YAML::Load(text));
  } catch (const complaint& x) {
    return refuse(x.where, x.text);
  } catch (const YAML::Exception& x) {
    return refuse(x.mark, x.msg);
  }
}

} // namespace legion::simulator
