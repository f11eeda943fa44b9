#pragma once

#include <string>
#include <vector>

namespace legion::console {

/// Text in columns: three spaces apart, left aligned, the last one ragged.
///
/// Units: a column's width counts characters; cells are made safe for the terminal.
class table {
public:
  explicit table(std::vector<std::string> headings) : headings_(std::move(headings)) {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  const std::vector<std::string>& headings() const { return headings_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }
  /// `widths` from an earlier part of the same table, in a watch; kept up to date.
  std::string text(bool with_headings = true, std::vector<std::size_t>* widths = nullptr) const;

private:
  std::vector<std::string> headings_;
  std::vector<std::vector<std::string>> rows_;
};

} // namespace legion::console
