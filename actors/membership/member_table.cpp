#include "actors/membership/member_table.hpp"

#include <algorithm>

namespace legion::membership {

namespace {

constexpr std::size_t longest_name = 253;
constexpr std::size_t longest_endpoint = 256;

/// Heads are in the order of the ids.
std::uint32_t head_of(const node_id& x) {
  auto& bytes = x.raw();
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16
         | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

std::uint64_t mixed(std::uint64_t x) {
  // splitmix64: the same on every machine.
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

std::uint64_t hash_of(const entry& x) {
  std::uint64_t hash = 0;
  for (auto byte : x.id().raw())
    hash = mixed(hash ^ byte);
  hash = mixed(hash ^ value(x.start));
  hash = mixed(hash ^ x.incarnation);
  hash = mixed(hash ^ (x.living() ? 0u : static_cast<unsigned>(x.state)));
  hash = mixed(hash ^ x.record->said.start());
  return mixed(hash ^ x.record->said.version());
}

} // namespace

// Of all that have the same head, which is one as a rule, the first that is not below the id.
std::size_t member_table::place_of(const node_id& id) const {
  auto head = head_of(id);
  auto i = static_cast<std::size_t>(std::lower_bound(heads_.begin(), heads_.end(), head)
                                    - heads_.begin());
  while (i < heads_.size() && heads_[i] == head && entries_[i].id() < id)
    ++i;
  return i;
}

entry* member_table::find(const node_id& id) {
  auto i = place_of(id);
  return i < entries_.size() && entries_[i].id() == id ? &entries_[i] : nullptr;
}

const entry* member_table::find(const node_id& id) const {
  return const_cast<member_table*>(this)->find(id);
}

entry& member_table::add(entry x) {
  auto i = static_cast<std::ptrdiff_t>(place_of(x.id()));
  heads_.insert(heads_.begin() + i, head_of(x.id()));
  return *entries_.insert(entries_.begin() + i, std::move(x));
}

void member_table::remove(const node_id& id) {
  auto i = static_cast<std::ptrdiff_t>(place_of(id));
  if (!find(id))
    return;
  heads_.erase(heads_.begin() + i);
  entries_.erase(entries_.begin() + i);
}

std::size_t member_table::living() const {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [](auto& x) { return x.living(); }));
}

std::uint64_t member_table::digest() const {
  std::uint64_t result = 1;
  for (auto& x : entries_)
    if (x.living() || x.keeps())
      result ^= hash_of(x);
  return result;
}

member_update update_of(const entry& x, bool with_record) {
  member_update result;
  result.set_id(x.id().bytes());
  result.set_start(value(x.start));
  result.set_incarnation(x.incarnation);
  result.set_state(x.state);
  result.set_life(life_of(x));
  if (x.doubt)
    result.set_suspected_by(x.doubt->accusers().front().bytes());
  if (with_record)
    result.set_record(x.record->bytes);
  return result;
}

std::uint32_t life_of(const entry& x) {
  return x.record->said.start() == value(x.start) ? x.record->said.life() : 0;
}

bool is_of_another_life(const entry& x, start_number start, std::uint32_t life) {
  auto known = life_of(x);
  return start == x.start && known != 0 && life != 0 && known != life;
}

shared_member record_of(const entry& x) {
  if (x.record->said.start() == value(x.start))
    return x.record->shared;
  auto result = x.record->said;
  result.set_start(value(x.start));
  // These are of the start before.
  result.clear_life();
  result.clear_version();
  result.clear_draining();
  result.clear_disk_full();
  return result;
}

bool acceptable(const member& x) {
  return x.id().size() == node_id::size && !node_id::from_bytes(x.id()).null()
         && x.name().size() <= longest_name && x.endpoint().size() <= longest_endpoint
         && x.public_key().size() <= 64 && x.ByteSizeLong() <= longest_record;
}

} // namespace legion::membership
