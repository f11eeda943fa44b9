#include "runtime/api/target.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <yaml-cpp/yaml.h>

namespace legion::api {

namespace {

void add_list(std::vector<std::string>& to, const std::string& text) {
  std::istringstream parts{text};
  for (std::string part; std::getline(parts, part, ',');) {
    auto first = part.find_first_not_of(" \t\n");
    if (first == std::string::npos)
      continue;
    to.push_back(part.substr(first, part.find_last_not_of(" \t\n") - first + 1));
  }
}

result<std::vector<std::string>> read_context(const std::string& path, const std::string& text) {
  auto bad = fault{errc::invalid, path
                                      + ": expected `target: ADDRESS[,ADDRESS...]`, where ADDRESS "
                                        "is HOST:PORT or the path of a socket"};
  try {
    auto root = YAML::Load(text);
    auto target = root.IsMap() ? root["target"] : YAML::Node{};
    std::vector<std::string> found;
    if (target.IsScalar())
      add_list(found, target.as<std::string>());
    else if (target.IsSequence())
      for (const auto& x : target)
        add_list(found, x.as<std::string>());
    if (found.empty())
      return bad;
    return found;
  } catch (const YAML::Exception& why) {
    bad.detail += std::string{": "} + why.what();
    return bad;
  }
}

/// As far as can be seen without asking anybody: a path, or HOST:PORT.
result<targets> checked(targets x) {
  for (const auto& address : x.addresses)
    if (address.find('/') == std::string::npos)
      if (auto found = parse_endpoint(address); !found)
        return fault{errc::invalid, x.named_by + ": " + found.why().detail};
  return x;
}

std::string environment(const char* name) {
  const auto* value = std::getenv(name);
  return value ? value : "";
}

} // namespace

result<endpoint> parse_endpoint(std::string_view text) {
  auto bad =
      fault{errc::invalid,
            "'" + std::string{text} + "' is not HOST:PORT (such as 127.0.0.1:7711 or [::1]:7711)"};
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0)
    return bad;
  auto host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  else if (host.find_first_of(":[]") != std::string_view::npos)
    return bad;
  auto digits = text.substr(colon + 1);
  endpoint found{std::string{host}, 0};
  auto* end = digits.data() + digits.size();
  auto [stop, failed] = std::from_chars(digits.data(), end, found.port);
  if (failed != std::errc{} || stop != end)
    return bad;
  return found;
}

result<targets> find_targets(const target_sources& from) {
  targets found;
  if (add_list(found.addresses, from.flag); !found.addresses.empty()) {
    found.named_by = "--target";
    return checked(std::move(found));
  }
  if (add_list(found.addresses, from.environment); !found.addresses.empty()) {
    found.named_by = "$LEGION_TARGET";
    return checked(std::move(found));
  }
  if (!from.context_text.empty()) {
    auto listed = read_context(from.context_path, from.context_text);
    if (!listed)
      return listed.why();
    found.addresses = std::move(*listed);
    found.named_by = from.context_path;
    return checked(std::move(found));
  }
  if (!from.data_folder.empty())
    found.addresses.push_back(from.data_folder + "/api.sock");
  found.addresses.push_back("127.0.0.1:7711");
  found.named_by = "this machine";
  return found;
}

target_sources sources_of_process(std::string flag) {
  target_sources from;
  from.flag = std::move(flag);
  from.environment = environment("LEGION_TARGET");
  auto home = environment("HOME");
  auto config = environment("XDG_CONFIG_HOME");
  if (config.empty() && !home.empty())
    config = home + "/.config";
  from.context_path = config + "/legion/context.yaml";
  if (std::ifstream file{from.context_path}; file) {
    std::ostringstream text;
    text << file.rdbuf();
    from.context_text = text.str();
  }
  auto state = environment("XDG_STATE_HOME");
  if (state.empty() && !home.empty())
    state = home + "/.local/state";
  if (::geteuid() == 0)
    from.data_folder = "/var/lib/legion";
  else if (!state.empty())
    from.data_folder = state + "/legion";
  return from;
}

} // namespace legion::api
