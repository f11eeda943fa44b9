#include "actors/consensus/journal_copy.hpp"

#include <string>

namespace legion::consensus {

journal_copy::journal_copy(const std::vector<record>& replayed, record_shelf_ptr shelf)
    : kept_(std::move(shelf)) {
  for (const auto& x : replayed)
    if (!x.value().empty())
      kept_.put(x.key(), x.value());
}

void journal_copy::written() {
  for (const auto& x : in_doubt().records())
    kept_.put(x.key(), x.value());
  in_doubt_.reset();
}

std::vector<record> journal_copy::records() const {
  std::vector<record> result;
  for (const auto& kept : kept_) {
    auto& x = result.emplace_back();
    x.set_key(std::string{kept.key()});
    x.set_value(std::string{kept.value()});
  }
  return result;
}

} // namespace legion::consensus
