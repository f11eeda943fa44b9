#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <vector>

#include "actors/membership/swim.hpp"

namespace legion::simulation {

/// A zone of nodes that are nothing but membership's rules, under a queue of events: packets that
/// take a while or are lost, and wake-ups. One seed, one run.
///
/// Shape: nodes are named by their index; node 0 founds the cluster, the others join through it.
class zone_model {
public:
  struct setting {
    std::size_t nodes = 0;
    std::uint64_t seed = 0;
    double loss = 0;
    std::chrono::microseconds least_delay{200};
    std::chrono::microseconds most_delay{5'000};
    membership::parameters tuned;
    bool count_bytes = false;
    milliseconds joins_every{50};
  };

  /// What a node told its subscribers.
  struct told {
    time_point at;
    std::size_t observer = 0;
    std::size_t subject = 0;
    std::uint64_t start = 0;
    member_state state = member_alive;
  };

  explicit zone_model(setting x);

  time_point now() const { return now_; }
  void run_for(time_point::duration x);
  /// Runs until it holds, asking after each event; false if it did not within this time.
  bool run_until(const std::function<bool()>& holds, time_point::duration within);

  void silence(std::size_t node);                      // kill -9
  void restart(std::size_t node, std::size_t contact); // with the next start number
  void pause(std::size_t node);                        // SIGSTOP: what arrives waits
  void resume(std::size_t node);
  void cut(std::function<bool(std::size_t, std::size_t)> apart) { apart_ = std::move(apart); }
  void hint(std::size_t at, std::size_t peer);

  membership::swim& rules(std::size_t node) { return *nodes_[node].rules; }
  member_state seen(std::size_t observer, std::size_t subject) const;
  bool knows(std::size_t observer, std::size_t subject) const;
  bool all_see_all_alive() const;
  node_id id(std::size_t node) const { return nodes_[node].id; }
  std::size_t size() const { return nodes_.size(); }

  std::function<void(const told&)> listener;
  std::function<void(std::size_t node, const membership::note&)> on_note;

  std::uint64_t bytes_sent() const { return bytes_; } // frames plus 28 bytes each, all nodes
  std::uint64_t frames_sent() const { return frames_; }
  std::size_t largest_frame() const { return largest_; }

private:
  struct node {
    node_id id;
    std::unique_ptr<membership::swim> rules;
    std::uint64_t start = 1;
    std::uint64_t life = 0; // what was on its way to an earlier life is lost
    std::size_t contact = 0;
    std::optional<time_point> armed;
    std::uint64_t generation = 0;
    bool up = false;
    bool paused = false;
    std::vector<std::function<void()>> waiting;
  };
  struct event {
    time_point at;
    std::uint64_t number = 0;
    std::size_t node = 0;
    std::uint64_t life = 0;
    std::function<void()> what;
    bool operator<(const event& x) const {
      return std::pair{at, number} > std::pair{x.at, x.number}; // the earliest is on top
    }
  };

  void boot(std::size_t node, std::size_t contact);
  void after(time_point::duration x, std::size_t node, std::function<void()> what);
  void step();
  void arm(std::size_t node);
  void perform_all(std::size_t node, membership::effects all);
  void perform(std::size_t node, membership::send_packet& x);
  void perform(std::size_t node, membership::ask_list& x);
  void perform(std::size_t node, membership::ask_join& x);
  void perform(std::size_t node, membership::tell_change& x);
  void perform(std::size_t, membership::know_cluster&) {}
  void perform(std::size_t, membership::trust_journal&) {}
  void perform(std::size_t, membership::tell_outdated&) {} // each life here has a start of its own
  void perform(std::size_t node, membership::note& x);
  bool arrives(std::size_t from, std::size_t to, time_point::duration& delay);
  std::optional<std::size_t> index_of(const node_id& id) const;
  void count(const google::protobuf::Message& x, std::uint32_t kind, bool request, bool reply);

  setting setting_;
  std::mt19937_64 random_;
  std::shared_ptr<membership::record_pool> records_;
  std::vector<node> nodes_;
  std::priority_queue<event> events_;
  std::uint64_t numbers_ = 0;
  time_point now_;
  std::function<bool(std::size_t, std::size_t)> apart_;
  std::uint64_t bytes_ = 0;
  std::uint64_t frames_ = 0;
  std::size_t largest_ = 0;
};

} // namespace legion::simulation
