#include "messages/manifest/quantity.hpp"

#include <array>
#include <limits>

#include "messages/manifest/ascii.hpp"

namespace legion::manifest {

namespace {

using wide = unsigned __int128;

struct suffix {
  std::string_view name;
  unsigned two; // a power of two
  int ten;      // and one of ten
};

constexpr std::array<suffix, 16> suffixes{{{"", 0, 0},
                                           {"n", 0, -9},
                                           {"u", 0, -6},
                                           {"m", 0, -3},
                                           {"k", 0, 3},
                                           {"M", 0, 6},
                                           {"G", 0, 9},
                                           {"T", 0, 12},
                                           {"P", 0, 15},
                                           {"E", 0, 18},
                                           {"Ki", 10, 0},
                                           {"Mi", 20, 0},
                                           {"Gi", 30, 0},
                                           {"Ti", 40, 0},
                                           {"Pi", 50, 0},
                                           {"Ei", 60, 0}}};

/// The power that the text after the number stands for.
std::optional<suffix> read_suffix(std::string_view text) {
  for (const auto& s : suffixes)
    if (text == s.name)
      return s;
  if (text.size() < 2 || (text[0] != 'e' && text[0] != 'E'))
    return std::nullopt;
  text.remove_prefix(1);
  bool negative = text[0] == '-';
  if (negative || text[0] == '+')
    text.remove_prefix(1);
  if (text.empty())
    return std::nullopt;
  int power = 0;
  for (char c : text) {
    if (!is_digit(c))
      return std::nullopt;
    power = power > 1000 ? power : power * 10 + (c - '0');
  }
  return suffix{"", 0, negative ? -power : power};
}

} // namespace

std::optional<std::int64_t> parse_quantity(std::string_view text, unit in) {
  constexpr wide top = std::numeric_limits<std::int64_t>::max();
  bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+'))
    text.remove_prefix(1);
  // The number is value * 10^ten, of 19 or 20 digits at most: 2^67, so that 2^60 times it fits.
  wide value = 0;
  int ten = 0;
  bool point = false, any = false, more = false;
  std::size_t i = 0;
  for (; i < text.size() && (is_digit(text[i]) || (text[i] == '.' && !point)); ++i) {
    if (text[i] == '.') {
      point = true;
      continue;
    }
    any = true;
    bool full = value > 1'000'000'000'000'000'000;
    if (full)
      more = more || text[i] != '0';
    else
      value = value * 10 + static_cast<unsigned>(text[i] - '0');
    if (full != point)
      ten += full ? 1 : -1;
  }
  auto tail = any ? read_suffix(text.substr(i)) : std::nullopt;
  if (!tail)
    return std::nullopt;
  ten += tail->ten + (in == unit::thousandths ? 3 : 0);
  value <<= tail->two;
  for (; ten < 0 && value > 0; ++ten) {
    more = more || value % 10 != 0;
    value /= 10;
  }
  for (; ten > 0 && value > 0 && value <= top; --ten)
    value *= 10;
  if (more)
    ++value;
  auto whole =
      value > top ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(value);
  return negative ? -whole : whole;
}

std::optional<std::int32_t> parse_percent(std::string_view text) {
  if (text.size() < 2 || text.back() != '%')
    return std::nullopt;
  text.remove_suffix(1);
  std::int32_t value = 0;
  for (char c : text) {
    if (!is_digit(c) || value > 100'000)
      return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

} // namespace legion::manifest
