#include "runtime/node/texts.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include <sodium.h>

#include "messages/manifest/quantity.hpp"

namespace legion::node_process {

namespace {

bool is_lower_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// A whole number of `text`, all of it; -1 if it is none.
int number_of(std::string_view text) {
  int result = -1;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
  return error == std::errc{} && end == text.data() + text.size() ? result : -1;
}

/// Labels' and taints' keys and values; Kubernetes' rule without the length of the prefix's parts.
bool is_label_text(std::string_view text, bool key) {
  if (key) {
    if (auto slash = text.find('/'); slash != std::string_view::npos) {
      if (slash == 0 || slash > 253)
        return false;
      text.remove_prefix(slash + 1);
    }
    if (text.empty())
      return false;
  }
  auto fits = [](char c) {
    return is_lower_alphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.';
  };
  auto ends = [](char c) { return c != '-' && c != '_' && c != '.'; };
  return text.empty()
         || (text.size() <= 63 && std::all_of(text.begin(), text.end(), fits) && ends(text.front())
             && ends(text.back()));
}

} // namespace

bool is_dns_label(const std::string& text) {
  return !text.empty() && text.size() <= 63 && text.front() != '-' && text.back() != '-'
         && std::all_of(text.begin(), text.end(),
                        [](char c) { return is_lower_alphanumeric(c) || c == '-'; });
}

bool is_zone_path(const std::string& text) {
  std::size_t begin = 0;
  while (true) {
    auto end = std::min(text.find('/', begin), text.size());
    if (!is_dns_label(text.substr(begin, end - begin)))
      return false;
    if (end == text.size())
      return text.size() <= 255;
    begin = end + 1;
  }
}

bool is_host_and_port(const std::string& text) {
  auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0)
    return false;
  auto port = number_of(std::string_view{text}.substr(colon + 1));
  return port >= 1 && port <= 65535;
}

result<std::pair<int, int>> port_range(const std::string& text) {
  auto dash = text.find('-');
  auto first = number_of(std::string_view{text}.substr(0, dash));
  auto last = dash == std::string::npos ? -1 : number_of(std::string_view{text}.substr(dash + 1));
  if (first < 1024 || last > 65535 || last < first)
    return fault{errc::invalid, "FIRST-LAST, both 1024 to 65535, in order"};
  return std::pair{first, last};
}

namespace {

result<portion> portion_of(const std::string& text, manifest::unit unit, const char* allowed) {
  if (text.ends_with('%')) {
    auto percent = number_of(std::string_view{text}.substr(0, text.size() - 1));
    if (percent < 1 || percent > 100)
      return fault{errc::invalid, allowed};
    return portion{percent, true};
  }
  auto found = manifest::parse_quantity(text, unit);
  if (!found || *found < 1)
    return fault{errc::invalid, allowed};
  return portion{*found, false};
}

} // namespace

result<portion> cpu_millis(const std::string& text) {
  return portion_of(text, manifest::unit::thousandths,
                    "cores above 0, such as 2, 1.5 or 500m, or 1% to 100%");
}

result<portion> memory_bytes(const std::string& text) {
  return portion_of(text, manifest::unit::ones,
                    "bytes above 0, such as 512Mi or 4Gi, or 1% to 100%");
}

result<label> label_of(const std::string& text) {
  auto equals = text.find('=');
  label made;
  made.set_key(text.substr(0, equals));
  if (equals != std::string::npos)
    made.set_value(text.substr(equals + 1));
  if (equals == std::string::npos || !is_label_text(made.key(), true)
      || !is_label_text(made.value(), false))
    return fault{
        errc::invalid,
        "KEY=VALUE of up to 63 letters, digits, '-', '_' and '.', KEY with an optional PREFIX/"};
  return made;
}

result<taint> taint_of(const std::string& text) {
  auto colon = text.rfind(':');
  auto effect = colon == std::string::npos ? std::string{} : text.substr(colon + 1);
  auto effects = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
  auto rest = text.substr(0, colon);
  auto parsed = label_of(rest.find('=') == std::string::npos ? rest + "=" : rest);
  if (std::find(effects.begin(), effects.end(), effect) == effects.end() || !parsed)
    return fault{errc::invalid,
                 "KEY=VALUE:EFFECT or KEY:EFFECT, with NoSchedule, PreferNoSchedule or NoExecute"};
  taint made;
  made.set_key(parsed->key());
  made.set_value(parsed->value());
  made.set_effect(effect);
  return made;
}

result<join_string> join_string_of(const std::string& text) {
  fault allowed{
      errc::invalid,
      "HOST:PORT#PUBLICKEY as the other node printed it, the key in 64 hexadecimal digits"};
  auto hash = text.find('#');
  if (hash == std::string::npos || !is_host_and_port(text.substr(0, hash))
      || text.size() - hash - 1 != 64)
    return allowed;
  join_string made{text.substr(0, hash), std::string(32, '\0')};
  std::size_t length = 0;
  auto failed =
      sodium_hex2bin(reinterpret_cast<unsigned char*>(made.public_key.data()),
                     made.public_key.size(), text.data() + hash + 1, 64, nullptr, &length, nullptr);
  if (failed != 0 || length != 32)
    return allowed;
  return made;
}

std::string text_of(const join_string& x) {
  std::string digits(2 * x.public_key.size() + 1, '\0');
  sodium_bin2hex(digits.data(), digits.size(),
                 reinterpret_cast<const unsigned char*>(x.public_key.data()), x.public_key.size());
  digits.pop_back();
  return x.endpoint + "#" + digits;
}

} // namespace legion::node_process
