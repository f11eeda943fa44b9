#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor_control_block.hpp>
#include <caf/mailbox_element.hpp>

#include "actors/bridge/bridge_actor.hpp"
#include "actors/bridge/correlation.hpp"
#include "actors/bridge/directory.hpp"
#include "actors/bridge/peer_table.hpp"
#include "actors/bridge/proxy_actor.hpp"
#include "actors/bridge/route.hpp"
#include "actors/bridge/translate_actor.hpp"

namespace legion::bridge {

/// What the transport's thread passes on to the bridge.
struct frame_came {
  node_id from;
  std::string bytes;
};
struct peer_changed {
  node_id who;
  bool up = false;
  bool refused = false; // nobody listens there
  std::string why;
};
/// The transport could not get rid of it.
struct frame_dropped {
  node_id to;
  std::string bytes;
};
/// Something waits in an outbox.
struct flush {};
/// A quarter of a second went by while requests are open.
struct tick {};

} // namespace legion::bridge

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::bridge::frame_came)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::bridge::peer_changed)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::bridge::frame_dropped)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::bridge::flush)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::bridge::tick)

namespace legion::bridge {

using bridge_actor_handle = bridge_handle::extend<caf::reacts_to<frame_came>,    //
                                                  caf::reacts_to<peer_changed>,  //
                                                  caf::reacts_to<frame_dropped>, //
                                                  caf::reacts_to<flush>,         //
                                                  caf::reacts_to<tick>>;

/// What the bridge actor, the proxies and the reply ports of one node share.
///
/// A message to another node is encoded in the thread of the actor that sends it and packed with
/// what already waits for that node; the bridge actor, woken once for all of it, hands the frames
/// to the transport. What arrives is read in the bridge actor. So a message costs no actor of its
/// own on either side, and the one lock is held for copies of a few dozen bytes.
///
/// Shape:  one per node. Never calls an actor, a destructor of one, or the transport with the lock
///         held.
class exchange final : public directory,
                       public transport::sink,
                       public std::enable_shared_from_this<exchange> {
public:
  exchange(caf::actor_system& system, identity self, std::string cluster, limits most);
  /// From before this start: who comes with an earlier life than that has an old journal.
  void remember(const std::vector<remembered_member>& all);

  const identity& self() const { return self_; }

  // -- directory -----------------------------------------------------------------------------
  void publish(std::string path, caf::strong_actor_ptr who) override;
  void withdraw(std::string_view path) override;
  caf::strong_actor_ptr find(const node_id& node, std::string_view path) override;
  bool tell_remote(const node_id& node, std::string_view path, const caf::type_erased_tuple& what,
                   caf::execution_unit* host) override;
  caf::strong_actor_ptr local(std::string_view path) const;

  // -- the transport's thread ----------------------------------------------------------------
  void frame_arrived(const node_id& from, std::string frame) override;
  void peer_up(const node_id& who) override;
  void peer_down(const node_id& who, transport::down how, std::string why) override;
  void frame_lost(const node_id& to, std::string frame) override;

  // -- proxies and reply ports, in any thread ------------------------------------------------
  void send(const node_id& to, const std::string& path, caf::mailbox_element& what,
            caf::execution_unit* host);
  void answer(const node_id& to, start_number start, std::uint64_t request,
              const caf::type_erased_tuple& what);
  void watch(proxy& x);
  void unwatch(proxy& x);
  void watch_again(const node_id& node);
  void unlist(proxy& x);
  void end(proxy& x, const fault& why, caf::execution_unit* host);
  void lost(const node_id& at, failure why, std::uint64_t n = 1);

  // -- the bridge actor ----------------------------------------------------------------------
  void start(bridge_actor_handle bridge, std::unique_ptr<transport::transport> carrier);
  void stop();
  void on_frame(const node_id& from, const std::string& bytes, caf::execution_unit* host);
  void on_peer(const peer_changed& x, caf::execution_unit* host);
  void on_dropped(const frame_dropped& x, caf::execution_unit* host);
  void on_member(const member_change& x, caf::execution_unit* host);
  void on_cluster(std::string cluster);
  void introduce(const transport::peer& who);
  void on_flush(caf::execution_unit* host);
  /// Whether requests are open, so that another tick is wanted.
  bool on_tick(caf::execution_unit* host);
  bool wants_tick() const;
  losses count() const;

private:
  struct asker {
    caf::strong_actor_ptr who;
    caf::message_id id;
  };
  struct listed {
    caf::weak_actor_ptr weak;
    caf::strong_actor_ptr pin; // while somebody monitors it
    bool watched = false;      // the other node has been asked to tell its end
  };
  /// What is under way with a peer.
  struct dealings {
    outbox out;
    std::map<std::string, listed, std::less<>> proxies;
    caf::strong_actor_ptr port; // for the peer's `start`
    loss_counters losses;
    std::uint32_t in_flight = 0;
    bool dirty = false;
    bool idle() const {
      return proxies.empty() && in_flight == 0 && !dirty && (!port || port->strong_refs == 1);
    }
  };
  /// Small, for most peers are silent most of the time.
  struct peer {
    node_id id;
    lifetime lives;      // the latest seen
    bool over = false;   // that life, as the membership has it; before, when its connection is lost
    bool heard = false;  // since this node began; else `lives` is remembered from before
    bool judged = false; // that life, by the membership
    bool lives_on() const { return judged && !over; }
    std::uint64_t next_sequence = 1;
    order_of_arrival arrivals;
    std::unique_ptr<dealings> with; // while there are any

    dealings& deal() {
      if (!with)
        with = std::make_unique<dealings>();
      return *with;
    }
    void settle() {
      if (with && with->idle() && !with->port && with->losses.counts().empty())
        with = nullptr;
    }
  };
  using answers = std::vector<correlation<asker>::closed>;

  struct arrival;
  peer* peer_of(const node_id& id);           // nothing at the limit
  dealings* dealings_with(const node_id& id); // nothing if there are none
  void drop_idle();
  std::optional<spoken_failure> post(const node_id& to, envelope_view& x, asker* who);
  std::optional<spoken_failure> post(const node_id& to, std::string_view path,
                                     const caf::type_erased_tuple& what, asker* who);
  void refuse(const node_id& to, std::uint64_t start, std::uint64_t request,
              const spoken_failure& why);
  void tell_refusal(const node_id& to, std::uint64_t start, std::uint64_t request,
                    const spoken_failure& why);
  void fail(answers open, const fault& why, caf::execution_unit* host);
  void end_node(const node_id& id, const fault& why, caf::execution_unit* host);
  bool learn_start(const node_id& id, const lifetime& of, caf::execution_unit* host);
  errc code_for_older_start(const node_id& id, const frame_view& frame);
  void sort_out(const node_id& from, const frame_view& frame, std::vector<arrival>& pass);
  void deliver(const node_id& from, std::uint64_t start, arrival& x, caf::execution_unit* host);
  void on_watch(const node_id& from, std::uint64_t start, const envelope_view& x);
  void on_ended(const node_id& from, const envelope_view& x, caf::execution_unit* host);
  void tell_end(const std::string& path, caf::actor_id who);
  void post_watches(const node_id& node);
  caf::strong_actor_ptr make_proxy(const node_id& node, std::string path);
  caf::strong_actor_ptr port_of(const node_id& from, std::uint64_t start);

  caf::actor_system& system_;
  const identity self_;
  const limits most_;
  std::atomic<std::size_t> arrived_bytes_ = 0;

  mutable std::mutex mutex_;
  bool stopped_ = false;
  bool flush_asked_ = false;
  std::string cluster_;
  bridge_actor_handle bridge_;
  std::unique_ptr<transport::transport> carrier_;
  std::map<std::string, caf::strong_actor_ptr, std::less<>> published_;
  std::map<std::string, std::vector<node_id>, std::less<>> watchers_;
  peer_table<peer> peers_;
  std::vector<node_id> dirty_;
  std::vector<node_id> watch_again_;
  correlation<asker> open_;
  std::uint64_t floor_ = 1; // no new peer's sequence starts below it
  std::size_t proxies_ = 0;
};

/// `spawn_bridge` with other limits than the default ones.
result<spawned_bridge> spawn(caf::actor_system& system, const node_context& context,
                             std::shared_ptr<legion::census> census, const limits& most);

} // namespace legion::bridge
