#include "actors/membership/record_pool.hpp"

namespace legion::membership {

record_ptr record_pool::keep(const member& x) {
  auto bytes = x.SerializeAsString();
  auto& place = shelf_->records[bytes];
  if (auto known = place.lock())
    return known;
  auto forget = [shelf = std::weak_ptr{shelf_}, bytes](const member* old) {
    delete old;
    auto s = shelf.lock();
    if (!s)
      return;
    auto i = s->records.find(bytes);
    if (i != s->records.end() && i->second.expired())
      s->records.erase(i);
  };
  auto kept = record_ptr{new member(x), std::move(forget)};
  place = kept;
  return kept;
}

std::size_t record_pool::size() const {
  return shelf_->records.size();
}

} // namespace legion::membership
