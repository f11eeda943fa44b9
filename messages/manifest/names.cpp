#include "messages/manifest/names.hpp"

#include <algorithm>

#include "messages/manifest/ascii.hpp"

namespace legion::manifest {

namespace {

bool letter(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}

} // namespace

bool dns_label(std::string_view x) {
  if (x.empty() || x.size() > 63 || x.front() == '-' || x.back() == '-')
    return false;
  return std::all_of(x.begin(), x.end(),
                     [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool dns_subdomain(std::string_view x) {
  if (x.size() > 253)
    return false;
  for (;;) {
    auto dot = x.find('.');
    auto part = x.substr(0, dot);
    if (part.empty() || part.front() == '-' || part.back() == '-'
        || !std::all_of(part.begin(), part.end(),
                        [](char c) { return is_lower(c) || is_digit(c) || c == '-'; }))
      return false;
    if (dot == std::string_view::npos)
      return true;
    x.remove_prefix(dot + 1);
  }
}

bool label_value(std::string_view x) {
  if (x.empty())
    return true;
  auto edge = [](char c) { return letter(c) || is_digit(c); };
  return x.size() <= 63 && edge(x.front()) && edge(x.back())
         && std::all_of(x.begin(), x.end(),
                        [&](char c) { return edge(c) || c == '-' || c == '_' || c == '.'; });
}

bool qualified_name(std::string_view x) {
  auto slash = x.find('/');
  if (slash != std::string_view::npos) {
    if (!dns_subdomain(x.substr(0, slash)))
      return false;
    x.remove_prefix(slash + 1);
  }
  return !x.empty() && label_value(x);
}

bool port_name(std::string_view x) {
  return x.size() <= 15 && dns_label(x) && x.find("--") == std::string_view::npos
         && std::any_of(x.begin(), x.end(), is_lower);
}

bool header_name(std::string_view x) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !x.empty() && std::all_of(x.begin(), x.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
           || marks.find(c) != std::string_view::npos;
  });
}

bool variable_name(std::string_view x) {
  return !x.empty() && std::all_of(x.begin(), x.end(), [](char c) {
    return c >= ' ' && c <= '~' && c != '=';
  });
}

} // namespace legion::manifest
