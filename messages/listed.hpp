#pragma once

#include <string>
#include <vector>

namespace legion {

/// For messages: "a", "a and b", "a, b and c".
inline std::string listed(const std::vector<std::string>& names) {
  std::string result;
  for (std::size_t i = 0; i < names.size(); ++i)
    result += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return result;
}

} // namespace legion
