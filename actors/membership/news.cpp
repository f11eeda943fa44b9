#include "actors/membership/news.hpp"

#include <algorithm>

namespace legion::membership {

namespace {

constexpr std::size_t field_bytes = 3;      // an update's tag and length in the packet
constexpr std::size_t smallest_update = 20; // an id of 16 bytes, and a start number
constexpr std::size_t most_too_large = 4;   // then the packet is as good as full

bool in_already(const swim_packet& packet, int first, const member_update& x) {
  return std::any_of(packet.updates().begin(), packet.updates().begin() + first, [&](auto& y) {
    return y.id() == x.id() && y.suspected_by() == x.suspected_by()
           && y.record().empty() <= x.record().empty();
  });
}

} // namespace

void news::add(const node_id& about, const node_id& accuser, bool with_record) {
  for (auto& x : pieces_) {
    if (x.about == about && x.accuser == accuser) {
      x.sent = 0;
      x.with_record |= with_record;
      return;
    }
  }
  pieces_.push_back({about, accuser, with_record});
}

void news::drop_accusations(const node_id& about) {
  std::erase_if(pieces_, [&](auto& x) { return x.about == about && !x.accuser.null(); });
}

bool news::pressing() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](auto& x) { return x.accuser.null(); });
}

// A packet takes a handful of many pieces, and many packets are packed while there is much news: so
// the pieces are gone through once for each number of sends, never sorted.
void news::pack(swim_packet& into, std::size_t bytes, std::size_t sends,
                const std::function<member_update(const piece&)>& say,
                const std::function<std::size_t(const piece&)>& least) {
  auto most = static_cast<std::uint16_t>(std::min<std::size_t>(sends, 0xffff));
  std::size_t too_large = 0;
  auto there = into.updates_size(); // pieces are never the same, but what is there already may be
  auto ended = false;
  ++packing_;
  auto full = [&] { return bytes < smallest_update + field_bytes && into.updates_size() > 0; };
  for (std::uint16_t level = 0; level < most && too_large < most_too_large && !full(); ++level) {
    for (auto& x : pieces_) {
      if (x.sent != level || x.packed == packing_)
        continue;
      if (full()) // to say the rest would only cost time
        break;
      if (least && into.updates_size() > 0 && least(x) + field_bytes > bytes) {
        if (++too_large == most_too_large)
          break;
        continue;
      }
      auto update = say(x);
      if (update.id().empty()) {
        x.sent = most;
        ended = true;
        continue;
      }
      if (in_already(into, there, update))
        continue;
      auto size = update.ByteSizeLong() + field_bytes;
      if (size > bytes) {
        // A record too large to ride with others rides alone, lest it never travel.
        if (into.updates_size() > 0 || size > 5 * 1024) {
          if (++too_large == most_too_large)
            break;
          continue;
        }
        size = bytes;
      }
      bytes -= size;
      x.packed = packing_;
      ended |= ++x.sent >= most;
      *into.add_updates() = std::move(update);
    }
  }
  if (ended)
    std::erase_if(pieces_, [&](auto& x) { return x.sent >= most; });
  if (pieces_.empty())
    pieces_.shrink_to_fit(); // mostly there is no news
}

} // namespace legion::membership
