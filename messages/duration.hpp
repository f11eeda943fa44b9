#pragma once

#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

namespace legion {

/// What people write for a length of time: "1h30m", "1.5s", "250ms", "20us"; at most 31 years.
/// Nothing: it is none, as a number without a unit.
inline std::optional<std::chrono::microseconds> read_duration(std::string_view text) {
  constexpr double most = 1e15;
  double sum = 0;
  do {
    double x = 0;
    auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), x, std::chars_format::fixed);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    auto unit = text.substr(0, text.find_first_not_of("umsh"));
    auto scale = unit == "us"   ? 1.0
                 : unit == "ms" ? 1e3
                 : unit == "s"  ? 1e6
                 : unit == "m"  ? 60e6
                 : unit == "h"  ? 3600e6
                                : 0.0;
    sum += x * scale;
    if (error != std::errc{} || scale == 0 || !(x >= 0) || !(sum <= most))
      return std::nullopt;
    text.remove_prefix(unit.size());
  } while (!text.empty());
  return std::chrono::microseconds{std::llround(sum)};
}

/// The same, and a number alone is seconds: what command lines take.
inline std::optional<std::chrono::microseconds> read_duration_or_seconds(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.") != text.npos)
    return read_duration(text);
  return read_duration(std::string{text} + "s");
}

} // namespace legion
