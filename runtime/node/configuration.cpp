#include "runtime/node/configuration.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <yaml-cpp/yaml.h>

#include "runtime/console/strange_flag.hpp"
#include "runtime/node/texts.hpp"

namespace legion::node_process {

namespace {

/// Every setting as text, before it is checked: flag, environment and file speak the same language.
struct raw {
  std::string config, data, name, zone, listen, api, ports, cpu, memory, pods, log_level;
  std::vector<std::string> join, labels, taints;
  bool drain = false;
  bool accept_loss = false;
  bool version = false;
};

void add_options(CLI::App& app, raw& x) {
  app.add_option("--config", x.config, "Settings in YAML; the keys are the flags' names")
      ->envname("LEGION_CONFIG")
      ->type_name("FILE");
  app.add_option("--data", x.data, "Where keys, journal and outputs are kept")
      ->envname("LEGION_DATA")
      ->type_name("DIR");
  app.add_option("--name", x.name, "This node's name; default: the host's")
      ->envname("LEGION_NAME")
      ->type_name("N");
  app.add_option("--zone", x.zone, "The zone's path; default: local")
      ->envname("LEGION_ZONE")
      ->type_name("PATH");
  app.add_option("--listen", x.listen, "For other nodes; default: 127.0.0.1:7710")
      ->envname("LEGION_LISTEN")
      ->type_name("HOST:PORT");
  app.add_option("--api", x.api, "For legionctl; default: 127.0.0.1:7711")
      ->envname("LEGION_API")
      ->type_name("HOST:PORT");
  app.add_option("--join", x.join, "A join string, as a node printed it; repeatable")
      ->envname("LEGION_JOIN")
      ->delimiter(',')
      ->type_name("HOST:PORT#PUBLICKEY");
  app.add_option("--ports", x.ports, "Host ports for workloads; default: 20000-20999")
      ->envname("LEGION_PORTS")
      ->type_name("FIRST-LAST");
  app.add_option("--cpu", x.cpu, "Offer so much: 2, 500m or 50%; default: all")
      ->envname("LEGION_CPU")
      ->type_name("QUANTITY");
  app.add_option("--memory", x.memory, "Offer so much: 4Gi or 50%; default: 90%")
      ->envname("LEGION_MEMORY")
      ->type_name("QUANTITY");
  app.add_option("--pods", x.pods, "Most replicas at a time; default: 110")
      ->envname("LEGION_PODS")
      ->type_name("N");
  app.add_option("--label", x.labels, "A label of this node; repeatable")
      ->envname("LEGION_LABEL")
      ->delimiter(',')
      ->type_name("KEY=VALUE");
  app.add_option("--taint", x.taints, "A taint of this node; repeatable")
      ->envname("LEGION_TAINT")
      ->delimiter(',')
      ->type_name("KEY=VALUE:EFFECT");
  app.add_option("--log-level", x.log_level, "debug, info, warn or error; default: info")
      ->envname("LEGION_LOG_LEVEL")
      ->type_name("LEVEL");
  app.add_flag("--drain", x.drain,
               "End this data folder's workloads, hand over what\n"
               "its node keeps, stop it, and wait until done");
  app.add_flag("--accept-loss", x.accept_loss,
               "After a damaged journal that no node can make\n"
               "good: what its keeper groups held is lost, and\n"
               "they begin anew");
  app.add_flag("--version", x.version, "Print the version");
  app.footer("Examples:\n"
             "  legion-node                        found a cluster of one on this machine\n"
             "  legion-node --name b --data /tmp/b --listen 127.0.0.1:7720 \\\n"
             "      --api 127.0.0.1:7721 --join 127.0.0.1:7710#PUBLICKEY    a second node\n"
             "  legion-node --drain --data /tmp/b  end its workloads, then the node\n"
             "SIGTERM stops the node and leaves its workloads running; the next start adopts\n"
             "them.");
}

/// The file's settings go where neither flag nor environment spoke.
result<void> add_file(const CLI::App& app, const std::string& path, raw& x) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fault{errc::not_found, path + ": is a folder; a file is wanted"};
  YAML::Node root;
  try {
    root = YAML::LoadFile(path);
  } catch (const YAML::ParserException& e) {
    return fault{errc::invalid, path + ":" + std::to_string(e.mark.line + 1) + ":"
                                    + std::to_string(e.mark.column + 1) + ": " + e.msg};
  } catch (const std::exception&) { // the stream's own, too
    return fault{errc::not_found, path + ": cannot be read"};
  }
  std::map<std::string, std::string*> texts{
      {"data", &x.data}, {"name", &x.name},          {"zone", &x.zone}, {"listen", &x.listen},
      {"api", &x.api},   {"ports", &x.ports},        {"cpu", &x.cpu},   {"memory", &x.memory},
      {"pods", &x.pods}, {"log-level", &x.log_level}};
  std::map<std::string, std::vector<std::string>*> lists{
      {"join", &x.join}, {"label", &x.labels}, {"taint", &x.taints}};
  if (root.IsNull())
    return {};
  if (!root.IsMap())
    return fault{errc::invalid, path + ":1:1: found no settings, allowed: KEY: VALUE lines"};
  std::set<std::string> seen;
  for (const auto& entry : root) {
    auto where = path + ":" + std::to_string(entry.first.Mark().line + 1) + ":"
                 + std::to_string(entry.first.Mark().column + 1) + ": ";
    auto key = entry.first.IsScalar() ? entry.first.Scalar() : std::string{};
    auto text = texts.find(key);
    auto list = lists.find(key);
    if (text == texts.end() && list == lists.end())
      return fault{errc::invalid, where + "unknown setting \"" + key
                                      + "\", allowed: the names of legion-node's flags"};
    if (!seen.insert(key).second)
      return fault{errc::invalid, where + key + ": found twice, allowed: once"};
    if (app.get_option("--" + key)->count() > 0)
      continue;
    if (entry.second.IsScalar() && text != texts.end())
      *text->second = entry.second.Scalar();
    else if (entry.second.IsScalar())
      list->second->push_back(entry.second.Scalar());
    else if (entry.second.IsSequence() && list != lists.end())
      for (const auto& item : entry.second)
        list->second->push_back(item.IsScalar() ? item.Scalar() : std::string{});
    else
      return fault{errc::invalid,
                   where + key + ": found a " + (entry.second.IsMap() ? "map" : "list")
                       + (list != lists.end() ? ", allowed: a value or a list of them"
                                              : ", allowed: one value")};
  }
  return {};
}

std::string host_name() {
  char buffer[256] = {};
  return gethostname(buffer, sizeof(buffer) - 1) == 0 && buffer[0] ? buffer : "node";
}

result<configuration> check(const raw& x) {
  configuration result;
  result.file = x.config;
  result.drain = x.drain;
  result.accept_loss = x.accept_loss;
  result.data = x.data.empty() ? default_data_folder() : x.data;
  result.name = x.name.empty() ? host_name() : x.name;
  if (!is_dns_label(result.name))
    return fault{errc::invalid,
                 "--name: found \"" + result.name
                     + "\", allowed: up to 63 lower-case letters, digits and dashes"};
  if (!x.zone.empty())
    result.zone = x.zone;
  if (!is_zone_path(result.zone))
    return fault{errc::invalid, "--zone: found \"" + result.zone
                                    + "\", allowed: names of up to 63 lower-case letters, digits "
                                      "and dashes, with / between them, as in eu/fra"};
  for (auto [flag, from, to] : {std::tuple{"--listen", &x.listen, &result.listen},
                                std::tuple{"--api", &x.api, &result.api}}) {
    if (!from->empty())
      *to = *from;
    if (!is_host_and_port(*to))
      return fault{errc::invalid, std::string{flag} + ": found \"" + *to
                                      + "\", allowed: HOST:PORT with a port of 1 to 65535"};
  }
  result.join = x.join;
  if (!x.ports.empty()) {
    auto range = port_range(x.ports);
    if (!range)
      return fault{errc::invalid,
                   "--ports: found \"" + x.ports + "\", allowed: " + range.why().detail};
    std::tie(result.first_port, result.last_port) = *range;
  }
  if (!x.cpu.empty()) {
    auto cpu = cpu_millis(x.cpu);
    if (!cpu)
      return fault{errc::invalid, "--cpu: found \"" + x.cpu + "\", allowed: " + cpu.why().detail};
    result.cpu_millis = *cpu;
  }
  if (!x.memory.empty()) {
    auto memory = memory_bytes(x.memory);
    if (!memory)
      return fault{errc::invalid,
                   "--memory: found \"" + x.memory + "\", allowed: " + memory.why().detail};
    result.memory_bytes = *memory;
  }
  if (!x.pods.empty()) {
    auto [end, error] = std::from_chars(x.pods.data(), x.pods.data() + x.pods.size(), result.pods);
    if (error != std::errc{} || end != x.pods.data() + x.pods.size() || result.pods < 1
        || result.pods > 10000)
      return fault{errc::invalid, "--pods: found \"" + x.pods + "\", allowed: 1 to 10000"};
  }
  for (const auto& text : x.labels) {
    auto parsed = label_of(text);
    if (!parsed)
      return fault{errc::invalid,
                   "--label: found \"" + text + "\", allowed: " + parsed.why().detail};
    result.labels.push_back(*parsed);
  }
  for (const auto& text : x.taints) {
    auto parsed = taint_of(text);
    if (!parsed)
      return fault{errc::invalid,
                   "--taint: found \"" + text + "\", allowed: " + parsed.why().detail};
    result.taints.push_back(*parsed);
  }
  for (const auto& text : x.join)
    if (auto parsed = join_string_of(text); !parsed)
      return fault{errc::invalid,
                   "--join: found \"" + text + "\", allowed: " + parsed.why().detail};
  if (!x.log_level.empty())
    result.log_level = x.log_level;
  auto levels = {"debug", "info", "warn", "error"};
  if (std::find(levels.begin(), levels.end(), result.log_level) == levels.end())
    return fault{errc::invalid, "--log-level: found \"" + result.log_level
                                    + "\", allowed: debug, info, warn or error"};
  return result;
}

} // namespace

std::string default_data_folder() {
  if (geteuid() == 0)
    return "/var/lib/legion";
  if (auto state = std::getenv("XDG_STATE_HOME"); state && *state)
    return std::string{state} + "/legion";
  auto home = std::getenv("HOME");
  return std::string{home ? home : "."} + "/.local/state/legion";
}

command_line read_command_line(int argc, char** argv) {
  CLI::App app{"Runs one node of a Legion cluster. Every machine runs this same program.",
               "legion-node"};
  raw x;
  add_options(app, x);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::ostringstream out, err;
    if (app.exit(e, out, err) == 0)
      return {std::nullopt, out.str(), 0};
    auto strange = console::strange_flag(app, {argv + 1, argv + argc});
    return {std::nullopt,
            "legion-node: " + (strange.empty() ? std::string{e.what()} : strange)
                + "\nsee: legion-node --help\n",
            2};
  }
  if (x.version)
    return {std::nullopt, "legion-node " LEGION_VERSION "\n", 0};
  if (!x.config.empty())
    if (auto read = add_file(app, x.config, x); !read)
      return {std::nullopt, "legion-node: " + read.why().detail + "\n", 2};
  auto checked = check(x);
  if (!checked)
    return {std::nullopt, "legion-node: " + checked.why().detail + "\n", 2};
  return {*checked, {}, 0};
}

} // namespace legion::node_process
