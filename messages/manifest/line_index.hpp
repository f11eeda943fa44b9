/// Where lines begin, and the way from yaml-cpp's bytes, counted from 0, to characters, counted
/// from 1.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "messages/manifest/yaml_tree.hpp"

namespace legion::manifest {

class line_index {
public:
  explicit line_index(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i)
      if (text[i] == '\n')
        starts_.push_back(i + 1);
  }

  /// The byte that yaml-cpp means.
  std::size_t offset(int line, int byte_column) const {
    auto row = std::min(static_cast<std::size_t>(std::max(line, 0)), starts_.size() - 1);
    return std::min(text_.size(),
                    starts_[row] + static_cast<std::size_t>(std::max(byte_column, 0)));
  }

  place end() const {
    return at(static_cast<int>(starts_.size() - 1),
              static_cast<int>(text_.size() - starts_.back()));
  }

  place at(int line, int byte_column) const {
    if (line < 0 || byte_column < 0)
      return {};
    auto row = std::min(static_cast<std::size_t>(line), starts_.size() - 1);
    place x{static_cast<std::uint32_t>(row + 1), 1};
    std::size_t end = std::min(text_.size(), starts_[row] + static_cast<std::size_t>(byte_column));
    if (row == last_.row && end >= last_.end) { // marks of one line come in order
      x.column = last_.column;
      x.column += characters(last_.end, end);
    } else {
      x.column += characters(starts_[row], end);
    }
    last_ = {row, end, x.column};
    return x;
  }

private:
  std::uint32_t characters(std::size_t from, std::size_t to) const {
    return static_cast<std::uint32_t>(
        std::count_if(text_.begin() + static_cast<std::ptrdiff_t>(from),
                      text_.begin() + static_cast<std::ptrdiff_t>(to),
                      [](char c) { return (c & 0xC0) != 0x80; }));
  }

  struct position {
    std::size_t row = ~std::size_t{0};
    std::size_t end = 0;
    std::uint32_t column = 1;
  };
  std::string_view text_;
  std::vector<std::size_t> starts_;
  mutable position last_;
};

} // namespace legion::manifest
