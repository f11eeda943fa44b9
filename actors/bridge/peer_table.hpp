#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "messages/ids.hpp"

namespace legion::bridge {

/// What a node knows of each of its peers, by their ids: one vector of them, and a hash table of
/// two-byte places in it (open addressing, at most half full).
///
/// Shape: an `Entry` has a member `id`. At most `most` entries, in the order in which they came.
///        Pointers hold until the next `add` or `drop_if`.
template <class Entry>
class peer_table {
public:
  static constexpr std::size_t most = 65535;

  Entry* find(const node_id& id) {
    if (places_.empty())
      return nullptr;
    auto place = places_[slot_of(id)];
    return place == free ? nullptr : &entries_[place - 1];
  }

  /// The id must be new, and there must be room.
  Entry& add(const node_id& id) {
    auto& x = entries_.emplace_back();
    x.id = id;
    if (entries_.size() * 2 > places_.size())
      number_all();
    else
      places_[slot_of(id)] = static_cast<std::uint16_t>(entries_.size());
    return x;
  }

  template <class Predicate>
  void drop_if(Predicate what) {
    if (std::erase_if(entries_, what) != 0)
      number_all();
  }

  std::size_t size() const { return entries_.size(); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

private:
  static constexpr std::uint16_t free = 0; // else an index in `entries_`, plus one

  // Where the id's place is, or would be.
  std::size_t slot_of(const node_id& id) const {
    auto mask = places_.size() - 1;
    auto slot = (std::hash<node_id>{}(id)*0x9e3779b97f4a7c15ull >> 32) & mask;
    while (places_[slot] != free && entries_[places_[slot] - 1].id != id)
      slot = (slot + 1) & mask;
    return slot;
  }

  void number_all() {
    std::size_t slots = 8;
    while (slots < entries_.size() * 2)
      slots *= 2;
    places_.assign(slots, free);
    for (std::size_t i = 0; i < entries_.size(); ++i)
      places_[slot_of(entries_[i].id)] = static_cast<std::uint16_t>(i + 1);
  }

  std::vector<Entry> entries_;
  std::vector<std::uint16_t> places_; // a power of two of them
};

} // namespace legion::bridge
