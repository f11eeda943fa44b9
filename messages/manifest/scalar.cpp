#include "messages/manifest/scalar.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include <google/protobuf/util/time_util.h>

#include "messages/manifest/ascii.hpp"

namespace legion::manifest {

namespace {

std::string_view without_sign(std::string_view text) {
  return !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text;
}

int value_of(char c) {
  if (is_digit(c))
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return 99;
}

struct digits {
  unsigned radix = 10;
  std::string_view text;
};

/// The digits of a whole number and their radix; empty text: it is none.
digits digits_of(std::string_view text) {
  digits x{10, without_sign(text)};
  if (x.text.size() > 2 && x.text[0] == '0' && !is_digit(x.text[1])) {
    char c = x.text[1];
    x.radix = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
    x.text = x.text.substr(2);
  } else if (x.text.size() > 1 && x.text[0] == '0') {
    x.radix = 8;
  }
  for (char c : x.text)
    if (static_cast<unsigned>(value_of(c)) >= x.radix)
      return {10, {}};
  return x;
}

/// Begins as the form says; d is any digit.
bool has_form(std::string_view text, std::string_view form) {
  if (text.size() < form.size())
    return false;
  return std::equal(form.begin(), form.end(), text.begin(),
                    [](char f, char c) { return f == 'd' ? is_digit(c) : f == c; });
}

bool is_real(std::string_view text) {
  text = without_sign(text);
  if (text == ".inf" || text == ".Inf" || text == ".INF" || text == ".nan" || text == ".NaN"
      || text == ".NAN")
    return true;
  std::size_t i = 0, seen = 0;
  for (; i < text.size() && is_digit(text[i]); ++i)
    ++seen;
  if (i < text.size() && text[i] == '.')
    for (++i; i < text.size() && is_digit(text[i]); ++i)
      ++seen;
  if (seen == 0)
    return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    auto exponent = without_sign(text.substr(i + 1));
    return !exponent.empty() && std::all_of(exponent.begin(), exponent.end(), is_digit);
  }
  return i == text.size();
}

} // namespace

node_kind resolve_plain(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL")
    return node_kind::null;
  if (text == "true" || text == "false")
    return node_kind::boolean;
  char first = text[0];
  if (!is_digit(first) && first != '-' && first != '+' && first != '.')
    return node_kind::string;
  if (!digits_of(text).text.empty())
    return node_kind::integer;
  return is_real(text) ? node_kind::real : node_kind::string;
}

bool was_boolean(std::string_view text) {
  static constexpr std::array<std::string_view, 20> words{
      "y",  "Y",  "yes", "Yes", "YES", "n",   "N",    "no",   "No",    "NO",
      "on", "On", "ON",  "off", "Off", "OFF", "True", "TRUE", "False", "FALSE"};
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::optional<std::int64_t> to_integer(std::string_view text) {
  auto x = digits_of(text);
  if (x.text.empty())
    return std::nullopt;
  bool negative = text[0] == '-';
  std::uint64_t limit =
      std::uint64_t{std::numeric_limits<std::int64_t>::max()} + (negative ? 1 : 0);
  std::uint64_t sum = 0;
  for (char c : x.text) {
    auto v = static_cast<unsigned>(value_of(c));
    if (sum > (limit - v) / x.radix)
      return std::nullopt;
    sum = sum * x.radix + v;
  }
  return negative ? static_cast<std::int64_t>(0 - sum) : static_cast<std::int64_t>(sum);
}

bool is_time(std::string_view text) {
  google::protobuf::Timestamp when;
  return has_form(text, "dddd-dd-ddTdd:dd:dd") // protobuf takes 1:2:8, too
         && google::protobuf::util::TimeUtil::FromString(std::string{text}, &when);
}

std::string quantity_text(const node& x) {
  auto number = x.kind == node_kind::integer ? to_integer(x.text) : std::nullopt;
  return number ? std::to_string(*number) : std::string{x.text};
}

std::string shown(const node& x) {
  switch (x.kind) {
    case node_kind::null:
      return "null";
    case node_kind::list:
      return x.items.empty() ? "an empty list" : "a list";
    case node_kind::map:
      return "a map";
    default:
      break;
  }
  auto text = std::string_view(x.text);
  bool cut = text.size() > 60;
  if (cut) {
    std::size_t end = 57;
    while (end > 0 && (text[end] & 0xC0) == 0x80)
      --end;
    text = text.substr(0, end);
  }
  std::string out;
  if (x.kind == node_kind::string)
    append_quoted(out, text);
  else
    out = text;
  return cut ? out + "..." : out;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}

} // namespace legion::manifest
