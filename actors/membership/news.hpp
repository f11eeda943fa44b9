#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "messages/ids.hpp"
#include "messages/membership.pb.h"

namespace legion::membership {

/// What others may not have heard yet: each piece is sent a bounded number of times, riding on
/// packets, the least sent first.
///
/// Shape:  a piece is about one member; accusations are pieces of their own, one per accuser.
/// Source: Das et al. 2002, SWIM 4.1: λ log n sends.
class news {
public:
  struct piece {
    node_id about;
    node_id accuser; // null unless it is an accusation
    bool with_record = false;
    std::uint16_t sent = 0;
    std::uint32_t packed = 0; // the last packing that it went with
  };

  /// Its sends count from nought again. A record that was still news stays so.
  void add(const node_id& about, const node_id& accuser, bool with_record);
  /// The accusations of a member are out of date.
  void drop_accusations(const node_id& about);
  bool empty() const { return pieces_.empty(); }
  /// Whether there is more than accusations: those ride on probes, for who must hear them at once
  /// is told directly.
  bool pressing() const;
  std::size_t size() const { return pieces_.size(); }

  /// Adds pieces to a packet until `bytes` more are used; a piece that was sent `sends` times is
  /// news no more. `say` makes the update, or one with an empty id if there is nothing left to say;
  /// `least` knows, for less, how many bytes it takes at least.
  void pack(swim_packet& into, std::size_t bytes, std::size_t sends,
            const std::function<member_update(const piece&)>& say,
            const std::function<std::size_t(const piece&)>& least = {});

private:
  std::vector<piece> pieces_; // in the order of their arrival
  std::uint32_t packing_ = 0;
};

} // namespace legion::membership
