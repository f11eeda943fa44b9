#include "actors/membership/record_pool.hpp"

#include <unordered_map>

namespace legion::membership {

/// The keys are views of the records' own bytes.
struct record_shelf {
  std::unordered_map<std::string_view, const known_record*> records;
};

record_pool::record_pool() : shelf_(std::make_shared<record_shelf>()) {}

void record_ptr::forget(const known_record* x) {
  if (auto shelf = x->shelf_.lock())
    shelf->records.erase(x->bytes);
  delete x;
}

record_ptr record_pool::keep(std::string_view bytes) {
  if (auto i = shelf_->records.find(bytes); i != shelf_->records.end())
    return record_ptr{i->second};
  auto said = std::make_shared<member>();
  if (!said->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return nullptr;
  auto fresh = std::make_unique<known_record>(std::move(said), bytes);
  fresh->shelf_ = shelf_;
  shelf_->records.emplace(fresh->bytes, fresh.get());
  return record_ptr{fresh.release()};
}

record_ptr record_pool::keep(const member& x) {
  return keep(x.SerializeAsString());
}

std::size_t record_pool::size() const {
  return shelf_->records.size();
}

} // namespace legion::membership
