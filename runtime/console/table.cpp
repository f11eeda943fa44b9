#include "runtime/console/table.hpp"

#include <algorithm>

#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](unsigned char c) {
    return (c & 0xc0) != 0x80; // not a continuation of UTF-8
  }));
}

} // namespace

std::string table::text(bool with_headings, std::vector<std::size_t>* widths) const {
  std::vector<std::vector<std::string>> lines;
  if (with_headings)
    lines.push_back(headings_);
  for (const auto& row : rows_) {
    auto& line = lines.emplace_back();
    for (const auto& cell : row)
      line.push_back(or_none(plain(cell)));
  }
  std::vector<std::size_t> own;
  auto& wide = widths ? *widths : own;
  wide.resize(headings_.size(), 0);
  for (const auto& line : lines)
    for (std::size_t i = 0; i < line.size() && i < wide.size(); ++i)
      wide[i] = std::max(wide[i], width_of(line[i]));
  std::string result;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      result += line[i];
      if (i + 1 < line.size())
        result.append(wide[i] + 3 - std::min(wide[i], width_of(line[i])), ' ');
    }
    result += '\n';
  }
  return result;
}

} // namespace legion::console
