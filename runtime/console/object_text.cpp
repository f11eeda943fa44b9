#include "runtime/console/object_text.hpp"

#include <string_view>

#include <yaml-cpp/emitter.h>
#include <yaml-cpp/emittermanip.h>

namespace legion::console {

namespace {

/// True for a string that YAML would read as one without quotes, whatever its version.
bool reads_as_string(const std::string& x) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (x.empty() || !(letter(x[0]) || x[0] == '/') || x.back() == ':')
    return false;
  for (char c : x)
    if (!letter(c) && !(c >= '0' && c <= '9')
        && std::string_view{"_./:-"}.find(c) == std::string_view::npos)
      return false;
  std::string lower = x;
  for (auto& c : lower)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const auto* word : {"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
    if (lower == word)
      return false;
  return true;
}

void emit(YAML::Emitter& to, const json& x) {
  if (x.is_object()) {
    to << (x.empty() ? YAML::Flow : YAML::Block) << YAML::BeginMap;
    for (const auto& [key, value] : x.items()) {
      to << YAML::Key;
      if (!reads_as_string(key))
        to << YAML::DoubleQuoted;
      to << key << YAML::Value;
      emit(to, value);
    }
    to << YAML::EndMap;
  } else if (x.is_array()) {
    to << (x.empty() ? YAML::Flow : YAML::Block) << YAML::BeginSeq;
    for (const auto& item : x)
      emit(to, item);
    to << YAML::EndSeq;
  } else if (x.is_string()) {
    const auto& text = x.get_ref<const std::string&>();
    if (!reads_as_string(text))
      to << YAML::DoubleQuoted;
    to << text;
  } else {
    to << x.dump();
  }
}

} // namespace

std::string to_json(const json& x) {
  return x.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string to_yaml(const json& x) {
  YAML::Emitter to;
  to.SetIndent(2);
  emit(to, x);
  return std::string{to.c_str(), to.size()} + "\n";
}

} // namespace legion::console
