#include "messages/manifest/strangers.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace legion::manifest {

namespace {

/// One line after the other, with its number.
class lines {
public:
  explicit lines(std::string_view text) : rest_(text) {}
  bool next() {
    if (rest_.empty())
      return false;
    auto end = std::min(rest_.find('\n'), rest_.size());
    line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number;
    return true;
  }
  std::string_view line;
  std::uint32_t number = 0;

private:
  std::string_view rest_;
};

/// In characters, from 1.
std::uint32_t column_of(std::string_view line, std::size_t at) {
  return 1
         + static_cast<std::uint32_t>(
             std::count_if(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(at),
                           [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::optional<broken> helm_template(std::string_view text) {
  for (lines all{text}; all.next();) {
    auto at = all.line.find("{{");
    auto before = all.line.substr(0, std::min(at, all.line.size()));
    if (at == all.line.npos || all.line.find("}}", at) == all.line.npos
        || before.find('#') != before.npos)
      continue;
    return broken{{all.number, column_of(all.line, at)},
                  "",
                  "{{ }}, a template as Helm uses",
                  "what it is rendered to: helm template CHART | legionctl apply -f -"};
  }
  return std::nullopt;
}

std::optional<broken> tab_indentation(std::string_view text) {
  for (lines all{text}; all.next();) {
    auto first = std::min(all.line.find_first_not_of(" \t\r"), all.line.size());
    auto tab = all.line.find('\t');
    if (first == all.line.size() || all.line[first] == '#' || tab >= first)
      continue;
    return broken{{all.number, column_of(all.line, tab)},
                  "",
                  "a tab in the indentation",
                  "spaces: YAML indents with nothing else"};
  }
  return std::nullopt;
}

/// `word "label" ... {`, as the blocks of HashiCorp's language begin.
bool begins_block(std::string_view line) {
  auto letters = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_");
  if (letters == 0 || letters == line.npos || line[letters] != ' ')
    return false;
  auto end = line.find_last_not_of(" \t\r");
  auto quotes = std::count(line.begin(), line.end(), '"');
  return line[end] == '{' && quotes % 2 == 0 && line.find(':') == line.npos;
}

/// By the first line that says something.
std::optional<broken> by_first_line(std::string_view text) {
  constexpr std::array<std::string_view, 4> sections{"[Unit]", "[Service]", "[Install]",
                                                     "[Container]"};
  for (lines all{text}; all.next();) {
    auto line = all.line.substr(std::min(all.line.find_first_not_of(" \t\r"), all.line.size()));
    if (line.empty() || line.starts_with('#') || line.starts_with("//"))
      continue;
    std::string what;
    if (begins_block(line))
      what = "a file in HCL, as Nomad and Terraform use";
    else if (std::any_of(sections.begin(), sections.end(),
                         [&](std::string_view x) { return line.starts_with(x); }))
      what = "a unit file of systemd";
    else if (line.starts_with("FROM "))
      what = "a Dockerfile";
    else
      break;
    return broken{{all.number, 1}, "", what, "a Kubernetes manifest, in YAML or JSON"};
  }
  return std::nullopt;
}

} // namespace

std::optional<broken> stranger(std::string_view text) {
  for (auto guess : {by_first_line, helm_template, tab_indentation})
    if (auto found = guess(text))
      return found;
  return std::nullopt;
}

std::string tool_of(const node& document) {
  auto has = [&](const char* key) { return document.get(key) != nullptr; };
  if (has("services"))
    return "it looks like a file for docker compose";
  if (has("name") && has("version") && has("apiVersion"))
    return "it looks like the Chart.yaml of Helm, which is applied as helm template CHART | "
           "legionctl apply -f -";
  if (has("resources") || has("kustomize") || has("patches"))
    return "it looks like a kustomization, which is applied as kubectl kustomize DIR | legionctl "
           "apply -f -";
  if (has("hosts") && has("tasks"))
    return "it looks like a playbook of Ansible";
  return {};
}

} // namespace legion::manifest
