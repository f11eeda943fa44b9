#include "messages/manifest/characters.hpp"

namespace legion::manifest {

namespace {

/// How many bytes the UTF-8 sequence at i takes; 0: it is none.
std::size_t sequence_length(std::string_view text, std::size_t i) {
  auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  unsigned char b = byte(i);
  std::size_t n = b < 0x80                ? 1
                  : b >= 0xC2 && b < 0xE0 ? 2
                  : b >= 0xE0 && b < 0xF0 ? 3
                  : b >= 0xF0 && b < 0xF5 ? 4
                                          : 0;
  if (n == 0 || i + n > text.size())
    return 0;
  for (std::size_t k = 1; k < n; ++k)
    if ((byte(i + k) & 0xC0) != 0x80)
      return 0;
  if ((b == 0xE0 && byte(i + 1) < 0xA0) || (b == 0xED && byte(i + 1) > 0x9F)
      || (b == 0xF0 && byte(i + 1) < 0x90) || (b == 0xF4 && byte(i + 1) > 0x8F))
    return 0;
  return n;
}

std::string hex(unsigned char c) {
  static constexpr char digits[] = "0123456789ABCDEF";
  return {digits[c >> 4], digits[c & 15]};
}

} // namespace

std::optional<broken> check_characters(std::string_view text) {
  place at;
  for (std::size_t i = 0; i < text.size();) {
    auto c = static_cast<unsigned char>(text[i]);
    auto n = sequence_length(text, i);
    if (n == 0)
      return broken{at, "", "the byte 0x" + hex(c) + ", which is not UTF-8", "text in UTF-8"};
    if ((c < 0x20 && c != '\n' && c != '\t' && c != '\r') || c == 0x7F)
      return broken{at, "", "the control character 0x" + hex(c), "text without control characters"};
    ++at.column;
    if (c == '\n')
      at = {at.line + 1, 1};
    i += n;
  }
  return std::nullopt;
}

void mend_escapes(std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    auto n = sequence_length(text, i);
    if (n == 0)
      text.insert(i, 1, '\xC2');
    i += n == 0 ? 2 : n;
  }
}

} // namespace legion::manifest
