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
  std::uint32_t zone = 0;        // which of them this is
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
  std::function<void(std::uint32_t node)> put_back; // its disk is an earlier copy
  std::function<void(std::uint32_t node)> launched; // its machine began something
};

/// One simulated node: what of it outlives its process, and its actors while it runs.
struct virtual_node {
  identity self;
  offering offers; // what it says that it has
  capacity has;    // what it really has
  std::unique_ptr<store::memory::disk> disk;
  std::unique_ptr<drivers::fake::machine> machine;
  std::optional<cluster_node> actors; // while its process runs
  start_number most_starts{0}; // its highest start number; `self.start` goes back with a copy
  struct old_disk {
    store::memory::disk::copy content;
    start_number start;
  };
  std::unique_ptr<old_disk> copied;
  bool paused = false;
};

/// One zone's nodes, whole ones in one process, under virtual time, with a simulated network, disks
/// and machines. Zones cannot hear each other: a simulation of several is a cluster for each.
///
/// Shape:     same options, same calls: same event log; a zone has a source of chance of its own, so
///            that its life is the same whichever others there are. Nodes are named by their index in
///            the zone, from 0; in disturbances by that in the whole simulation; their names count
///            from 1, in the whole.
/// Errors:    `start` reports what `start_node` reports.
/// Threading: one thread; several clusters at once need a thread each.
class cluster {
public:
  explicit cluster(cluster_options options);
  ~cluster();

  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }
  const virtual_node& node(std::uint32_t index) const { return nodes_[index]; }
  virtual_node& node(std::uint32_t index) { return nodes_[index]; }
  std::optional<std::uint32_t> index_of(const node_id& id) const;

  virtual_system& system() { return system_; }
  transport::simulated::network& network() { return network_; }
  event_log& log() { return log_; }
  std::chrono::microseconds now() const { return system_.now(); }
  wall_ms wall_clock() const;
  /// Milliseconds of a machine's own boot-time clock.
  std::int64_t boot_clock(std::uint32_t index) const;

  void set_watcher(watch_cluster x) { watcher_ = std::move(x); }

  /// Starts every node: the first founds the zone, the others join within `spread`.
  void start_all(std::chrono::microseconds spread = seconds{2});
  void start(std::uint32_t index);
  void crash(std::uint32_t index);
  /// As SIGTERM: actors are told to end; workloads stay.
  void stop(std::uint32_t index);
  /// As `legion-node --drain`: it ends what it runs and hands over what it keeps; then its process
  /// ends. `done` is called with the note that it leaves.
  void drain(std::uint32_t index, std::function<void(const std::string& note)> done = {});
  /// What concerns this zone: nodes of others are left out.
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
  /// Of a node in the whole simulation, from 0.
  std::uint32_t number_of(std::uint32_t index) const { return first_ + index; }
  void make_node(std::uint32_t index);
  void watch_network();
  void apply_part(const disturbance& part);
  void partition(const std::vector<std::vector<std::uint32_t>>& sides);
  std::optional<disturbance> part_of_zone(const disturbance& x) const;
  void note(std::uint32_t index, const std::string& event);
  void on_actor_log(int level, std::string_view text);
  virtual_system::owner owner_of(std::uint32_t index) const { return index + 1; }
  std::vector<transport::peer> contacts_of(std::uint32_t index, const std::vector<record>& journal);
  void begin_new_journal(std::uint32_t index, std::uint32_t life);
  void apply_to_node(disturbance::kind what, std::uint32_t index);
  void copy_disk(std::uint32_t index);
  void put_back_disk(std::uint32_t index);
  void pause(std::uint32_t index);
  void resume(std::uint32_t index);
  template <class Reply, class Handle, class Message>
  std::optional<result<Reply>> ask_actor(const Handle& who, Message what,
                                         std::chrono::microseconds patience);

  cluster_options options_;
  std::uint32_t first_; // the number of its first node
  watch_cluster watcher_;
  event_log log_;
  std::mt19937_64 random_;
  virtual_system system_;
  transport::simulated::network network_;
  // What its nodes hold in common, each piece once.
  std::shared_ptr<membership::record_pool> records_;
  std::shared_ptr<charter::row_pool> rows_;
  record_shelf_ptr shelf_;
  std::string cluster_id_;
  std::deque<virtual_node> nodes_;
  std::map<node_id, std::uint32_t> numbers_;
  std::vector<std::string> errors_;
  actor_log actor_log_; // the last: actors that end with the system tell nobody
};

} // namespace legion::simulator
