#include "runtime/console/page.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

constexpr std::size_t columns = 78;
constexpr std::size_t key_width = 14;

} // namespace

/// Its first line begins where `used` characters stand already.
void page::value(const std::string& x, std::size_t used, std::size_t indent) {
  auto safe = plain(x);
  if (used + safe.size() <= 80) {
    text_ += safe + "\n";
    return;
  }
  auto first = true;
  for (const auto& y : lines_of(safe, columns - used, columns - indent)) {
    text_ += (first ? "" : std::string(indent, ' ')) + y + "\n";
    first = false;
  }
}

void page::line(const std::string& key, const std::string& x, int depth) {
  auto indent = static_cast<std::size_t>(depth) * 2;
  auto begin = std::string(indent, ' ') + key + ":";
  begin.append(key.size() + 1 < key_width ? key_width - key.size() - 1 : 1, ' ');
  text_ += begin;
  value(x, begin.size(), indent + key_width);
}

void page::lines(const std::string& key, const std::vector<std::string>& values, int depth) {
  line(key, values.empty() ? "<none>" : values.front(), depth);
  auto indent = key_width + static_cast<std::size_t>(depth) * 2;
  for (std::size_t i = 1; i < values.size(); ++i) {
    text_ += std::string(indent, ' ');
    value(values[i], indent, indent);
  }
}

void page::heading(const std::string& words, int depth) {
  text_ += std::string(static_cast<std::size_t>(depth) * 2, ' ') + words + ":\n";
}

void page::block(const std::string& text, std::size_t indent) {
  std::size_t from = 0;
  while (from < text.size()) {
    auto end = std::min(text.find('\n', from), text.size());
    text_ += std::string(indent, ' ') + text.substr(from, end - from) + "\n";
    from = end + 1;
  }
}

std::string wrapped(const std::string& text, std::size_t indent) {
  std::string result, line;
  std::size_t from = 0;
  while (from < text.size()) {
    auto end = std::min(text.find(", ", from), text.size());
    auto part = text.substr(from, end == text.size() ? end - from : end + 1 - from);
    if (!line.empty() && indent + line.size() + 1 + part.size() > columns)
      result += std::exchange(line, {}) + "\n";
    line += (line.empty() ? "" : " ") + part;
    from = end == text.size() ? end : end + 2;
    if (indent + line.size() <= columns)
      continue;
    auto words = lines_of(line, columns - indent, columns - indent);
    line = std::move(words.back());
    words.pop_back();
    for (auto& x : words)
      result += std::move(x) + "\n";
  }
  return result + line;
}

std::string beside(const std::string& rows, const std::vector<std::string>& texts) {
  constexpr std::size_t least = 24, indent = 4;
  std::vector<std::string> left;
  std::size_t widest = 0;
  std::istringstream all(rows);
  for (std::string line; std::getline(all, line); left.push_back(line))
    widest = std::max(widest, line.size());
  auto below = widest + 3 + least > columns;
  auto from = below ? indent : widest + 3;
  std::string result;
  for (std::size_t i = 0; i < std::min(left.size(), texts.size()); ++i) {
    result += left[i];
    auto first = !below;
    for (const auto& line : lines_of(texts[i], columns - from, columns - from)) {
      result += first ? std::string(from - left[i].size(), ' ') : "\n" + std::string(from, ' ');
      result += line;
      first = false;
    }
    result += "\n";
  }
  return result;
}

} // namespace legion::console
