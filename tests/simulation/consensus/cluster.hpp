#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "actors/consensus/beats.hpp"
#include "actors/consensus/core.hpp"
#include "tests/simulation/consensus/checkers.hpp"
#include "tests/simulation/consensus/history.hpp"
#include "tests/simulation/consensus/model_disk.hpp"

namespace legion::proof {

using consensus::log_index;
using consensus::member_id;
using consensus::term_number;

/// What is wrong on purpose. Those that `consensus::rule` names are broken in the core; the others
/// are broken around it: in the disk, on the wire, in the state machine; the last one beneath
/// SQLite.
enum class seeded : std::uint8_t {
  nothing,
  vote_forgotten,
  term_forgotten,
  old_term_counted,
  no_noop,
  no_log_check,
  answered_before_sync,
  commit_moved_back,
  snapshot_over_longer_log,
  change_before_noop,
  unconfirmed_read,
  removed_member_counted,
  wiped_member_votes,
  applied_twice,
  journal_not_synced,
};
inline constexpr int seeded_kinds = 15;
const char* to_string(seeded x);

/// A state machine: a few registers, and of each client the newest command that took effect.
struct machine {
  static constexpr std::size_t keys = 3;
  static constexpr std::size_t clients = 5;
  std::array<std::uint32_t, keys> values{};
  std::array<std::uint32_t, clients> done{};
};

struct command {
  std::uint32_t client = 0;
  std::uint32_t number = 0; // of the client's commands
  std::uint32_t key = 0;
  std::uint32_t value = 0;
};

/// Whole clusters of the real core and the real beats, over model disks or SQLite's files on disks
/// that crash, a model wire and clocks that differ. One seed, one run.
///
/// Shape: 3 to 7 nodes with one group; five clients, each with one operation at a time; faults come
///        at rates that the seed draws. A step is one event.
class cluster {
public:
  struct setting {
    std::uint64_t seed = 1;
    std::uint64_t steps = 100'000;
    seeded broken = seeded::nothing;
    bool wild = false;   // elections all the time; else the seed says so
    bool trace = false;  // to stderr
    bool sqlite = false; // the members' disks are real journals
  };

  explicit cluster(setting x);

  /// Runs the steps, then heals everything and lets it come to rest. Empty: all held.
  std::string run();
  std::uint64_t steps() const { return step_; }
  std::uint64_t steps_in_trouble() const { return troubled_; } // before it is left to come to rest
  std::uint64_t digest() const { return digest_; }             // of all that was decided, in order

  struct counts {
    std::uint64_t elections = 0, commits = 0, reads = 0, writes = 0, crashes = 0, wipes = 0,
                  restores = 0, partitions = 0, changes = 0, snapshots = 0, readmissions = 0,
                  fences = 0;
    real_journal::counts journals;
  };
  counts counted() const;

private:
  struct pending {
    log_index index = 0;
    term_number term = 0;
    command what;
    std::uint64_t attempt = 0;
  };
  struct pending_read {
    std::uint64_t number = 0;
    std::uint32_t client = 0;
    std::uint64_t attempt = 0;
    std::uint32_t key = 0;
    log_index index = 0;
    bool granted = false;
  };
  struct node {
    member_id who;
    int journals = 0;
    std::uint64_t start = 0;
    std::uint64_t life = 0;
    bool up = false;
    bool fenced = false; // may not vote: restored or shorter; it gets a new journal in time
    std::unique_ptr<consensus::core> rules;
    std::unique_ptr<consensus::beats> heart;
    model_disk disk;
    std::optional<model_disk> copy; // a backup that someone may restore
    machine state;
    log_index applied = 0;
    log_index snapshot_at = 0;
    log_index commit = 0;
    bool led = false;
    term_number led_term = 0;
    std::vector<pending> proposals;
    std::vector<pending_read> reads;
    double rate = 1; // of its clock
    std::int64_t offset = 0;
    std::int64_t stopped_until = 0; // its process does nothing, and its clock goes on
    std::int64_t armed = -1;
    std::uint64_t arming = 0;
    bool pumping = false; // an event to take its work is on the way
  };
  struct client {
    bool busy = false;
    bool write = false;
    command what;
    std::uint64_t begin = 0;
    std::uint64_t attempt = 0;
    std::size_t ask = 0;
  };
  struct asked {
    std::uint32_t client = 0;
    std::uint64_t attempt = 0;
    bool write = false;
    command what;
  };
  struct answered {
    std::uint32_t client = 0;
    std::uint64_t attempt = 0;
    bool done = false;
    std::uint32_t value = 0;
    std::size_t hint = 0;
  };
  enum class kind : std::uint8_t {
    message,
    beat,
    refused,
    wake,
    pump,
    synced,
    restart,
    ask,
    answer,
    client_timeout,
    client_begin,
    chaos,
    admin,
    heal,
    cut_off,
    new_journal,
    strike, // the end of this life, at a moment that hurts
  };
  struct event {
    kind what = kind::message;
    std::size_t node = 0;
    std::uint64_t life = 0; // of the node, or a number of the kind's own
    std::size_t from = 0;
    std::variant<std::monostate, consensus::message, consensus_beat, asked, answered> body;
  };
  struct due {
    std::int64_t at = 0;
    std::uint64_t number = 0;
    std::uint32_t slot = 0;
    bool operator<(const due& x) const {
      return at != x.at ? at > x.at : number > x.number; // the earliest is on top
    }
  };

  // cluster.cpp
  void later(std::int64_t after, event x);
  bool step();
  void handle(event& x);
  bool acts(const node& x) const { return x.up && now_ >= x.stopped_until; }
  static bool takes_process(kind x);
  model_disk new_disk();
  void drop_disk(std::size_t i);
  void boot(std::size_t i);
  void crash(std::size_t i, bool restarts, bool soon = false);
  time_point clock(std::size_t i) const;
  void arm(std::size_t i);
  bool chance(double x) { return static_cast<double>(random_() >> 11) * 0x1p-53 < x; }
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(high - low + 1));
  }
  void note(std::uint64_t x) { digest_ = (digest_ ^ x) * 0x100000001b3; }
  std::size_t index_of(const node_id& x) const { return x.raw()[0]; }

  // pumping.cpp: a node's work
  void pump(std::size_t i);
  void do_work(std::size_t i, consensus::work& w);
  void apply(std::size_t i, const consensus::entry_ref& x);
  void answer_reads(std::size_t i);
  void begin_sync(std::size_t i);
  void end_sync(std::size_t i);
  void take_snapshot(std::size_t i);
  void perform(std::size_t i, consensus::beats::effects all);
  void transmit(std::size_t from, std::size_t to, event x);
  void watch(std::size_t i);
  void bury(std::size_t i, log_index at);

  // asking.cpp: clients
  void client_begins(std::uint32_t c);
  void client_asks(std::uint32_t c);
  void on_asked(std::size_t i, const asked& x);
  void on_answered(const answered& x);
  void reply(const asked& x, bool done, std::uint32_t value, std::size_t i);

  // chaos.cpp: faults, and who mends them
  void chaos();
  void partition();
  std::size_t leader_or(std::size_t i) const;
  void hand_over(std::size_t i);
  void stop(std::size_t i);
  void cut_off(std::size_t i, std::int64_t time);
  void send_snapshot_unasked();
  bool may_damage(std::size_t i) const;
  bool damaged(const member_id& x) const;
  void wipe(std::size_t i);
  void restore(std::size_t i);
  void admin();
  std::optional<consensus::configuration> wanted(const consensus::core::status& s);
  std::string come_to_rest();

  setting setting_;
  std::mt19937_64 random_;
  consensus::options tuned_;
  std::vector<node> nodes_;
  std::vector<client> clients_;
  checkers check_;
  history history_;
  counts counts_;

  std::priority_queue<due> queue_;
  std::vector<event> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t numbers_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t troubled_ = 0;
  std::int64_t now_ = 0; // microseconds
  std::uint64_t digest_ = 0xcbf29ce484222325;
  bool calm_ = false; // no more faults

  // What this seed is like.
  bool wild_ = false; // elections all the time
  double loss_ = 0, twice_ = 0, late_ = 0, crash_at_write_ = 0, crash_at_send_ = 0, strikes_ = 0;
  std::int64_t chaos_every_ = 0, admin_every_ = 0, think_ = 0, slow_sync_ = 0;
  std::uint64_t snapshot_every_ = 0;
  std::vector<std::vector<bool>> cut_; // from, to
  std::uint32_t next_value_ = 0;
};

} // namespace legion::proof
