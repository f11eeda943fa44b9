#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "actors/membership/effects.hpp"
#include "actors/membership/journal_trial.hpp"
#include "actors/membership/local_health.hpp"
#include "actors/membership/member_table.hpp"
#include "actors/membership/news.hpp"
#include "actors/membership/parameters.hpp"
#include "actors/membership/rota.hpp"
#include "messages/random.hpp"

namespace legion::membership {

/// Who is in the zone, and who of them lives: one node's part of the protocol.
///
/// Shape:  at most `known_limit` members; 9 probes, 64 relays and 256 urgent probes at a time; a
///         packet's updates stay below `update_bytes`.
/// Units:  time is the node's monotonic clock, handed in; call `on_tick` no later than `wake_at`.
/// Errors: what strangers send is ignored where it makes no sense; a join is refused in words.
/// Source: Das et al. 2002, SWIM; Dadgar et al. 2018, Lifeguard. Departures: docs/membership.md.
class swim {
public:
  struct setting {
    parameters tuned;
    member self;         // id, start, name, endpoint, key, zone, labels ...
    std::string cluster; // empty: not known yet
    /// To join through, those that share groups with it first; none and no cluster: it founds one.
    std::vector<node_id> contacts;
    bool may_be_old = false;      // the journal that this node starts from: see `journal_trial`
    std::uint64_t rows_found = 0; // of it; 0: not told
    /// How many rows earlier starts of a member had of its journal, as was heard; may be empty.
    std::function<std::uint64_t(const member&)> rows_heard;
    std::uint64_t seed = 0;
    std::shared_ptr<record_pool> records;
  };

  swim(setting x, time_point now);

  effects start(time_point now);
  effects on_tick(time_point now);
  effects on_packet(const swim_packet& x, time_point now);
  effects on_list(const node_id& from, const member_list& x, time_point now);
  effects on_join_reply(std::size_t contact, const join_reply& x, time_point now);
  effects on_join_failed(std::size_t contact, time_point now, errc why = errc::refused);
  /// Something else than the protocol's own packets came from it: it lives, without a ping.
  void on_heard(const node_id& from, time_point now);
  /// Somebody has seen a later life of this node: its journal is an old copy.
  void on_outdated();
  effects on_connection(const node_id& peer, bool up, time_point now);
  effects describe(const member& record, time_point now);
  effects leave(time_point now);

  /// Answers beside effects.
  member_list answer_list(const member_list& x, time_point now, effects& out);
  join_reply answer_join(const join_request& x, time_point now, effects& out);
  /// The refusal with which `answer_join` would answer; nothing if it would accept.
  std::optional<join_reply> refuse_join(const join_request& x, time_point now, effects& out);

  time_point wake_at() const;

  const member_table& members() const { return table_; }
  const std::string& cluster() const { return cluster_; }
  /// Nobody has answered yet that this node is a member.
  bool joining() const { return joining_; }
  /// This node's journal is not known to be an old copy: see `trust_journal`.
  bool trusts_journal() const { return !trial_; }
  int health() const { return health_.score(); }

private:
  struct probe {
    node_id target;
    std::uint32_t sequence = 0;
    time_point indirect_at;
    time_point end;
    bool asked_others = false;
    std::size_t asked = 0; // how many were asked, each owes an ack or a nack
    std::size_t nacks = 0;
  };
  struct sign_of_life {
    node_id from;
    time_point when;
  };
  struct relay {
    node_id requester;
    std::uint32_t their_sequence = 0;
    std::uint32_t sequence = 0;
    time_point nack_at;
  };

  // swim.cpp
  void awake(time_point now);
  effects done(time_point now);
  entry& me() { return *table_.find(self_); }
  std::vector<node_id> some_living(std::size_t count, const std::vector<node_id>& but);
  void gossip(time_point now);
  void exchange(const node_id& with);
  void exchange_wanted(const node_id& with, time_point now);
  void ping_dead(time_point now);
  milliseconds dead_probe_pause() const;

  // swim_probing.cpp
  swim_packet compose(const node_id& to);
  void send(const node_id& to, swim_packet packet);
  void ping(const node_id& to, std::uint32_t sequence, std::uint32_t round = 0);
  std::uint32_t next_sequence();
  void begin_probe(const node_id& target, std::uint32_t round, time_point now);
  void begin_routine(time_point now);
  bool need_not_probe(const entry& e) const;
  void begin_urgent(time_point now);
  void urge(const node_id& target);
  void run_probes(time_point now);
  void ask_others(probe& x);
  void probe_failed(const probe& x, time_point now);
  void on_ping(const node_id& from, const swim_ping& x);
  void on_ack(std::uint32_t sequence);
  void on_nack(std::uint32_t sequence);
  void on_ping_request(const node_id& from, const swim_ping_request& x, time_point now);

  // swim_merging.cpp
  void apply(const member_update& x, const node_id& via, bool hearsay, time_point now);
  void apply_to_self(const member_update& x, const node_id& via, time_point now);
  void answer_with_self(const node_id& to, bool with_record);
  bool admit(const member_update& x, const node_id& via, time_point now);
  void be_reborn(entry& e, const member_update& x, const node_id& via, time_point now);
  /// What an update says of its member; null if it is nothing that may be kept.
  record_ptr read_record(const member_update& x) const;
  void take_record(entry& e, const member_update& x);
  void become(entry& e, member_state state, std::uint32_t incarnation, time_point now);
  void suspect(entry& e, const node_id& accuser, const node_id& via, time_point now);
  void spread_accusation(const entry& e);
  void run_suspicions(time_point now);
  static time_point since(const member_update& x, time_point now);
  void tell(const entry& e);
  void make_room();

  // swim_joining.cpp
  bool is_outdated(const member& who) const;
  std::uint64_t rows_missing(const join_request& x) const;
  void shuffle_contacts();
  void try_join(time_point now);
  void ask_many(time_point now);
  void run_trial(time_point now);
  bool is_certain(time_point now) const;
  void ask_contact(std::size_t contact);
  void seek(time_point now);
  join_reply refusal(const join_request& x, const std::string& why);
  std::string objection(const join_request& x, time_point now) const;
  std::size_t counted(const node_id& but, time_point now) const;
  member_list whole_list(time_point now) const;
  void tell_lacking(const node_id& whom, const member_list& x, time_point now);

  parameters tuned_;
  node_id self_;
  std::string cluster_;
  seeded_random random_;
  std::shared_ptr<record_pool> records_;
  member_table table_;
  rota rota_;
  news news_;
  local_health health_;
  std::vector<probe> probes_;
  std::vector<relay> relays_;
  std::vector<sign_of_life> heard_; // what is older than `heard_counts_for` goes at the next probe
  std::vector<node_id> urgent_;     // the next one first
  std::uint32_t sequence_ = 0;
  std::size_t suspicions_ = 0;
  bool superseded_ = false;

  std::vector<node_id> contacts_;
  bool may_be_old_ = false;
  std::uint64_t rows_found_ = 0;
  std::function<std::uint64_t(const member&)> rows_heard_;
  std::optional<journal_trial> trial_;
  time_point certain_from_ = time_point::max();
  std::set<std::size_t> unasked_; // contacts that had no say in the trial: they are asked still
  bool joining_ = false;
  bool join_asked_ = false;
  std::vector<std::size_t> contacts_left_;
  milliseconds join_backoff_{};
  std::string last_refusal_;
  milliseconds seek_pause_{};

  bool started_ = false;
  time_point next_probe_;
  time_point next_gossip_;
  time_point next_exchange_;
  time_point next_dead_probe_;
  time_point next_join_;
  time_point next_seek_ = time_point::max();
  time_point next_wanted_exchange_;
  effects out_;
};

} // namespace legion::membership
