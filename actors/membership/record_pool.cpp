#include "actors/membership/record_pool.hpp"

namespace legion::membership {

record_ptr record_pool::keep(std::string_view bytes) {
  if (auto i = shelf_->records.find(bytes); i != shelf_->records.end())
    return i->second.lock();
  auto said = std::make_shared<member>();
  if (!said->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return nullptr;
  auto fresh = std::make_unique<const known_record>(std::move(said), bytes);
  auto forget = [shelf = std::weak_ptr{shelf_}](const known_record* old) {
    if (auto s = shelf.lock())
      s->records.erase(old->bytes);
    delete old;
  };
  std::string_view key = fresh->bytes;
  auto kept = record_ptr{fresh.release(), std::move(forget)};
  shelf_->records.emplace(key, kept);
  return kept;
}

record_ptr record_pool::keep(const member& x) {
  return keep(x.SerializeAsString());
}

std::size_t record_pool::size() const {
  return shelf_->records.size();
}

} // namespace legion::membership
