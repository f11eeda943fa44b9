#include "actors/consensus/journal_copy.hpp"

namespace legion::consensus {

journal_copy::journal_copy(const std::vector<record>& replayed) {
  for (const auto& x : replayed)
    if (!x.value().empty())
      values_[x.key()] = x.value();
}

void journal_copy::written() {
  for (const auto& x : in_doubt_.records()) {
    if (x.value().empty())
      values_.erase(x.key());
    else
      values_[x.key()] = x.value();
  }
  in_doubt_.Clear();
}

std::vector<record> journal_copy::records() const {
  std::vector<record> result;
  for (const auto& [key, value] : values_) {
    auto& x = result.emplace_back();
    x.set_key(key);
    x.set_value(value);
  }
  return result;
}

} // namespace legion::consensus
