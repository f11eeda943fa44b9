#include "runtime/drivers/process/probe_redirect.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <string>

namespace legion::drivers {
namespace {

bool same_letters(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

std::string_view trimmed(std::string_view x) {
  while (!x.empty() && (x.front() == ' ' || x.front() == '\t'))
    x.remove_prefix(1);
  while (!x.empty() && (x.back() == ' ' || x.back() == '\t' || x.back() == '\r'))
    x.remove_suffix(1);
  return x;
}

std::string_view header(std::string_view headers, std::string_view name) {
  while (!headers.empty()) {
    auto line = headers.substr(0, headers.find('\n'));
    headers.remove_prefix(std::min(headers.size(), line.size() + 1));
    auto colon = line.find(':');
    if (colon != line.npos && same_letters(line.substr(0, colon), name))
      return trimmed(line.substr(colon + 1));
  }
  return {};
}

/// Takes HOST or HOST:PORT off the front; false: it makes no sense, or is of another host.
bool take_place(std::string_view& rest, probe_target& to) {
  auto place = rest.substr(0, rest.find_first_of("/?#"));
  rest.remove_prefix(place.size());
  auto end = place.starts_with('[') ? place.find(']') : place.find(':');
  auto host =
      place.starts_with('[') && end != place.npos ? place.substr(1, end - 1) : place.substr(0, end);
  auto colon = place.starts_with('[') && end != place.npos ? end + 1 : end;
  to.port = 80;
  if (colon < place.size()) {
    auto digits = place.substr(colon + 1);
    auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to.port);
    if (error != std::errc{} || stop != digits.data() + digits.size())
      return false;
  }
  return same_letters(host, to.host.empty() ? "127.0.0.1" : to.host);
}

} // namespace

std::optional<int> status_of(std::string_view line) {
  auto space = line.find(' ');
  if (!line.starts_with("HTTP/1.") || space == line.npos || line.size() < space + 4)
    return std::nullopt;
  int status = 0;
  const auto* digits = line.data() + space + 1;
  auto [end, error] = std::from_chars(digits, digits + 3, status);
  return error == std::errc{} && end == digits + 3 ? std::optional{status} : std::nullopt;
}

bool is_redirect(int status) {
  return (status >= 301 && status <= 303) || status == 307 || status == 308;
}

std::optional<probe_target> redirected(const probe_target& from, std::string_view headers) {
  auto rest = header(headers, "location");
  if (rest.empty())
    return std::nullopt;
  auto to = from;
  constexpr std::string_view http = "http://";
  auto absolute = rest.size() >= http.size() && same_letters(rest.substr(0, http.size()), http);
  if (absolute || rest.starts_with("//")) {
    rest.remove_prefix(absolute ? http.size() : 2);
    if (!take_place(rest, to))
      return std::nullopt;
  } else if (auto scheme = rest.find("://"); scheme < rest.find_first_of("/?#")) {
    return std::nullopt;
  }
  rest = rest.substr(0, rest.find('#'));
  if (rest.empty() || rest.starts_with('?'))
    to.path = (absolute ? "/" : from.path.substr(0, from.path.find('?'))) + std::string{rest};
  else if (rest.starts_with('/'))
    to.path = rest;
  else // beside what was asked for
    to.path =
        from.path.substr(0, from.path.rfind('/', from.path.find('?')) + 1) + std::string{rest};
  return to;
}

} // namespace legion::drivers
