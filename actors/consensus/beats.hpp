#pragma once

#include <map>
#include <variant>
#include <vector>

#include "actors/consensus/beat_item.hpp"
#include "actors/consensus/options.hpp"
#include "messages/consensus.pb.h"
#include "messages/ids.hpp"

namespace legion::consensus {

/// One node's heart: one beat to each peer and interval, for all groups that both are in.
///
/// A beat says what its sender is in each group; what the peer has confirmed is not said again, so
/// that in peace a beat is some 60 bytes whatever the number of groups. Cores hear only of changes:
/// a peer that is something else now, falls silent, is back, or is dead for certain.
///
/// Who hears a beat and has to send its own within half an interval sends them at once: nodes fall
/// into step, and a node that has woken does all there is to do.
///
/// Shape:  peers are the nodes of `describe`d groups; an item for each group shared with a peer.
/// Units:  time is the node's monotonic clock, handed in; call `on_tick` no later than `wake_at`.
/// Errors: beats of strangers, and what makes no sense, are ignored.
/// Source: CockroachDB's coalesced heartbeats; the delta of a list by version is as in Akka's
/// CRDTs.
class beats {
public:
  struct setting {
    member_id self;
    std::uint64_t start = 1;    // this node's start number
    milliseconds interval{100}; // between two beats to a peer
    milliseconds silence{500};  // options::election_timeout of the groups
  };

  struct send_beat {
    node_id to;
    consensus_beat what;
  };
  /// To the group's `core::on_beat`.
  struct tell_beat {
    group_id group;
    member_id from;
    beat_item what;
  };
  /// To `core::on_silence` of the groups.
  struct tell_silence {
    node_id node;
    time_point since;
    std::vector<group_id> groups;
  };
  /// To `core::on_refused` of the groups.
  struct tell_refused {
    node_id node;
    std::vector<group_id> groups;
  };
  using effect = std::variant<send_beat, tell_beat, tell_silence, tell_refused>;
  using effects = std::vector<effect>;

  explicit beats(setting x);

  /// What this node is in a group, and which nodes share it: after `work::changed`.
  effects describe(group_id group, const beat_item& self, const std::vector<node_id>& members,
                   time_point now);
  /// This node is not in that group any more.
  effects forget(group_id group, time_point now);

  effects on_beat(const node_id& from, const consensus_beat& x, time_point now);
  /// A connection closed: a beat goes out at once, and is refused where nobody lives any more.
  effects on_closed(const node_id& peer, time_point now);
  /// A connection was reset and the next one refused: nobody listens there. Groups hear of it that
  /// this node shares with the peer by its own account: what the peer says may be half a second old.
  effects on_refused(const node_id& peer, time_point now);
  effects on_tick(time_point now);
  time_point wake_at() const;

private:
  static constexpr std::size_t most_peers = 512;
  static constexpr std::size_t most_items = 1024; // of one peer

  struct mine {
    beat_item item;
    std::vector<node_id> members;
  };
  struct told {
    beat_item item;
    std::uint64_t version = 0; // of the list, when this came into it
  };
  struct peer {
    // what it is told
    std::map<group_id, told> list;
    std::uint64_t version = 0;
    std::uint64_t confirmed = 0;
    // what it tells
    std::uint64_t start = 0; // 0: nothing was heard yet
    journal_id journal;
    std::uint64_t version_heard = 0;
    std::map<group_id, beat_item> items;
    bool hearing = false;
    bool lacks = false; // its beats build on what was never heard here
    time_point heard;
    bool wants_beats() const { return lacks || !list.empty(); }
  };

  void put(peer& p, group_id group, const beat_item& item);
  void tell_all(const node_id& who, peer& p, effects& out);
  std::vector<group_id> shared_with(const peer& p) const;
  std::vector<group_id> held_with(const peer& p) const;
  void begin_life(const node_id& who, peer& p, const consensus_beat& x, effects& out);
  void take_items(const node_id& who, peer& p, const consensus_beat& x, effects& out);
  consensus_beat compose(const peer& p) const;
  void send_beats(time_point now, effects& out);

  setting setting_;
  std::map<group_id, mine> groups_;
  std::map<node_id, peer> peers_;
  time_point next_{}; // when beats are due
};

} // namespace legion::consensus
