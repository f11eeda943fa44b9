#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/broken_rule.hpp"
#include "actors/membership/remembered_member.hpp"
#include "messages/ids.hpp"
#include "messages/journal.pb.h"
#include "messages/negotiation.pb.h"
#include "messages/resource.pb.h"
#include "messages/shared_record.hpp"
#include "messages/time.hpp"
#include "runtime/api/api.hpp"
#include "runtime/drivers/driver.hpp"
#include "runtime/store/store.hpp"
#include "runtime/transport/transport.hpp"

namespace legion {

class directory;
class census;
class journal_ends;
namespace membership {
class record_pool;
}
namespace charter {
struct row_pool;
}

/// Who this node is, for as long as this process lives.
struct identity {
  node_id id;
  start_number start{};
  std::uint32_t life = 0; // `member.life`
  std::string name;
  std::string zone;
  std::string endpoint;   // HOST:PORT that peers reach
  std::string public_key; // 32 bytes
};

/// What this node offers, read from the machine or set by its owner.
struct offering {
  capacity total;
  std::vector<label> labels; // with kubernetes.io/hostname, sorted by key
  std::vector<taint> taints;
  int first_port = 20000;
  int last_port = 20999;
  std::vector<std::string> notes; // what this machine cannot give, each in one line
};

/// All that an actor knows of its node. Nothing is global, so that a million nodes fit in one actor
/// system.
///
/// Shape: immutable after the node actor was spawned, shared by all actors of one node.
struct node_context {
  identity self;
  offering offers;
  std::uint64_t seed = 0;                   // see `seed_for`
  std::function<wall_ms()> wall_clock;      // for what people read; never for a rule's decision
  std::function<std::int64_t()> boot_clock; // milliseconds, the clock of leases: see `launch`
  std::vector<transport::peer> join; // contacts to ask first; empty: this node founds a cluster
  std::string cluster;    // 16 random bytes if this node founds one or had one; else empty
  std::string journal_id; // 16 bytes: a consensus member is (node id, journal id)
  std::vector<record>
      replayed; // what the journal held, in the order of its keys; start_node empties it
  store::row_count rows_written; // of the journal; may be empty
  std::uint64_t rows_found = 0;  // of it, at this start
  std::uint64_t keeps = 0; // groups that this node is in, by the journal; start_node fills it in
  std::optional<damage_record> damage; // this journal follows a damaged one; from the journal too
  std::vector<remembered_member> remembered; // from the journal; start_node fills it in
  bool may_be_old = false;      // this journal: others are asked first; start_node fills it in
  bool accepts_loss = false;    // its owner wants no more of what an earlier journal held
  bool cordoned = false;        // as the journal says; start_node fills it in
  wall_ms first_started_ms = 0; // with this data folder; 0: now
  int pid = 0;                  // of this process, for people; 0 where there is none
  broken_rule broken{};         // only the proof sets this
  /// This journal is older than what was said from it: the process has to begin another, in which
  /// the node is another member of its groups. From any thread, any number of times; may be empty.
  std::function<void(const std::string& why)> begin_new_journal;

  transport::factory make_transport;
  store::factory make_store;
  drivers::factory make_driver;
  api::factory make_api; // may be empty: no gateway socket (in the simulator)

  std::shared_ptr<legion::directory> directory; // local and remote actors by address
  std::shared_ptr<journal_ends> ends;           // of the others' journals; start_node makes it
  std::shared_ptr<legion::census> census;       // every actor enrols at its spawn
  // One copy of equal member records for all nodes of a process; may be empty.
  std::shared_ptr<membership::record_pool> records;
  std::shared_ptr<charter::row_pool> rows; // of rosters, as well
  record_shelf_ptr shelf;                  // and of journals' records

  /// Whether this node is the first of its cluster, with nobody to ask.
  bool founds() const { return !cluster.empty() && join.empty(); }

  /// The seed of one actor's own generator: the same node seed and path, the same choices.
  std::uint64_t seed_for(std::string_view actor_path) const;
};

using context_ptr = std::shared_ptr<const node_context>;

} // namespace legion
