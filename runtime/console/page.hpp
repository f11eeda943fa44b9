#pragma once

#include <string>
#include <vector>

namespace legion::console {

/// A description: lines of `Key:   value`, the values below each other.
///
/// Shape:  made safe for the terminal, and wrapped at 80 columns between words.
class page {
public:
  void line(const std::string& key, const std::string& value, int depth = 0);
  /// The first value beside the key, the others below it.
  void lines(const std::string& key, const std::vector<std::string>& values, int depth = 0);
  void heading(const std::string& words, int depth = 0);
  /// As it is, each line with the same indent.
  void block(const std::string& text, std::size_t indent = 2);
  const std::string& text() const { return text_; }

private:
  void value(const std::string& x, std::size_t used, std::size_t indent);

  std::string text_;
};

/// Broken after commas, else between words, each line with the same indent.
std::string wrapped(const std::string& text, std::size_t indent);

/// A table's rows with one more column, which is wrapped: below its row where too little room is
/// left beside it.
std::string beside(const std::string& rows, const std::vector<std::string>& texts);

} // namespace legion::console
