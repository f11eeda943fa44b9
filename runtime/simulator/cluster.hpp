#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "actors/node/cluster_node.hpp"
#include "runtime/drivers/fake/machine.hpp"
#include "runtime/simulator/actor_log.hpp"
#include "runtime/simulator/disturbance.hpp"
#include "runtime/simulator/event_log.hpp"
#include "runtime/simulator/virtual_system.hpp"
#include "runtime/store/memory/disk.hpp"
#include "runtime/transport/simulated/network.hpp"

namespace legion::simulator {

struct cluster_options {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 3;       // of the whole simulation
  std::uint32_t zone_size = 125; // more nodes make more zones, independent of each other
  std::uint32_t first_zone = 0;  // of the whole, that lives in this cluster
  std::uint32_t zones = 0;       // so many live in it; 0: all from the first one on
  std::int64_t cpu_millis = 4000;
  std::int64_t memory_bytes = 8ll << 30;
  int ports = 1000;
  int pods = 110;
  drivers::fake::habits habits;
  broken_rule broken{};    // of all nodes, on purpose
  double clock_error = 0;  // of the nodes' boot clocks: a fraction, up or down
  bool log_frames = false; // each frame is a line, else it counts in the digest only
  bool log_debug = false;  // what actors log at level debug, too
  bool log_actors = true;  // what actors log at level info, else warnings and errors only
};

/// Of the whole simulation.
std::uint32_t zones_of(const cluster_options& x);

/// What a watcher of a cluster sees. Nodes by index.
struct watch_cluster {
  /// A frame as it is sent; it may be changed, and false loses it.
  std::function<bool(std::uint32_t from, std::uint32_t to, std::string& frame)> sent;
  std::function<void(std::uint32_t from, std::uint32_t to, const std::string& frame)> delivered;
  std::function<void(std::uint32_t node, const record_batch& batch)> durable;
  std::function<void(std::uint32_t node)> down;     // its process ended
  std::function<void(std::uint32_t node)> launched; // its machine began something
};

/// One simulated node: what of it outlives its process, and its actors while it runs.
struct virtual_node {
  identity self;
  offering offers;        // what it says that it has
  capacity has;           // what it really has
  std::uint32_t zone = 0; // of those in its cluster
  std::unique_ptr<store::memory::disk> disk;
  std::unique_ptr<drivers::fake::machine> machine;
  std::optional<cluster_node> actors; // while its process runs
  bool joined = false;                // it was started before
  bool paused = false;
};

/// Whole nodes in one process, under virtual time, with a simulated network, disks and machines.
///
/// Zones cannot hear each other: each is a world of its own, with its own actors, network, time and
/// source of chance. They run in turns of at most a second, on as many threads as there are cores. So
/// a zone is in the processor's cache while it runs, and a node costs the same with one zone and with
/// eighty.
///
/// Shape:     same options, same calls: same event log. A zone's nodes, and what happens to them, are
///            the same in whichever stretch of the simulation's zones it lives. Nodes are named by
///            their index in the cluster, from 0; in disturbances by that in the whole simulation;
///            their names count from 1, in the whole. Between two calls all zones are at the same
///            time.
/// Errors:    `start` reports what `start_node` reports.
/// Threading: one thread, and its own for zones; watchers of several zones are called from one at a
///            time. Several clusters at once need a thread each.
class cluster {
public:
  explicit cluster(cluster_options options);
  ~cluster();

  /// Of the nodes that live here.
  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  const virtual_node& node(std::uint32_t index) const { return nodes_[index]; }
  virtual_node& node(std::uint32_t index) { return nodes_[index]; }
  std::optional<std::uint32_t> index_of(const node_id& id) const;
  std::uint32_t zones() const; // that live here

  virtual_system& system(std::uint32_t zone = 0) { return worlds_[zone]->system; }
  transport::simulated::network& network(std::uint32_t zone = 0) { return worlds_[zone]->network; }
  event_log& log() { return log_; }
  /// While it runs: of the zone that does.
  std::chrono::microseconds now() const;
  wall_ms wall_clock() const;
  /// Milliseconds of a machine's own boot-time clock.
  std::int64_t boot_clock(std::uint32_t index) const;

  void set_watcher(watch_cluster x) { watcher_ = std::move(x); }

  /// Starts every node: the first of each zone founds it, the others join within `spread`.
  void start_all(std::chrono::microseconds spread = seconds{2});
  void start(std::uint32_t index);
  void crash(std::uint32_t index);
  /// As SIGTERM: actors are told to end; workloads stay.
  void stop(std::uint32_t index);
  /// What concerns these zones: nodes of others are left out.
  void apply(const disturbance& x);
  /// All of them at their times, counted from now.
  void schedule(const std::vector<disturbance>& all);

  void run_for(std::chrono::microseconds time);
  /// Runs until it is true, asked every `step`; false: it never was until `most` had passed.
  bool run_until(const std::function<bool()>& what, std::chrono::microseconds most,
                 std::chrono::microseconds step = milliseconds{50});

  /// Asks the gateway of a node that runs, and runs until it answers or the time is over.
  result<api_reply> ask(std::uint32_t index, api_request what,
                        std::chrono::microseconds patience = seconds{30});
  /// The zone's members as this node knows them; nothing if it does not run or does not answer.
  std::optional<members_known> members(std::uint32_t index);
  /// What the node says of itself, asked of its node actor; nothing if it does not answer.
  std::optional<node_view> view(std::uint32_t index);

  /// Errors that actors logged: a person would have had to act.
  const std::vector<std::string>& errors() const { return errors_; }

private:
  /// One zone's actors, what carries their messages, and what they hold in common.
  struct world {
    explicit world(std::uint64_t seed);

    std::mt19937_64 random;
    virtual_system system;
    event_log log; // while there are several
    std::vector<std::string> errors;
    transport::simulated::network network;
    std::shared_ptr<membership::record_pool> records;
    std::shared_ptr<charter::row_pool> rows;
    record_shelf_ptr shelf;
  };

  std::uint32_t first_of(std::uint32_t zone) const { return zone * options_.zone_size; }
  std::uint32_t size_of(std::uint32_t zone) const;
  /// Of a node in the whole simulation, from 0.
  std::uint32_t number_of(std::uint32_t index) const;
  void make_zone(std::uint32_t zone);
  void make_node(std::uint32_t index);
  void watch_network(world& x);
  world& world_of(std::uint32_t index) { return *worlds_[nodes_[index].zone]; }
  event_log& log_of(world& x);
  void run_worlds(std::chrono::microseconds until);
  void gather_logs();
  void apply_in(std::uint32_t zone, const disturbance& part);
  void partition(std::uint32_t zone, const std::vector<std::vector<std::uint32_t>>& sides);
  std::optional<disturbance> part_in(std::uint32_t zone, const disturbance& x) const;
  void note(std::uint32_t index, const std::string& event);
  void on_actor_log(int level, std::string_view text);
  virtual_system::owner owner_of(std::uint32_t index) const { return index + 1; }
  std::vector<transport::peer> contacts_of(std::uint32_t index);
  void apply_to_node(disturbance::kind what, std::uint32_t index);
  void pause(std::uint32_t index);
  void resume(std::uint32_t index);
  template <class Reply, class Handle, class Message>
  std::optional<result<Reply>> ask_actor(std::uint32_t zone, const Handle& who, Message what,
                                         std::chrono::microseconds patience);

  cluster_options options_;
  watch_cluster watcher_;
  event_log log_;
  std::vector<std::unique_ptr<world>> worlds_; // by zone
  std::vector<std::string> clusters_;          // ids, by zone
  std::deque<virtual_node> nodes_;
  std::map<node_id, std::uint32_t> numbers_;
  std::vector<std::string> errors_;
  actor_log actor_log_; // the last: worlds that end tell nobody
};

} // namespace legion::simulator
