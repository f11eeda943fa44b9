#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/envelope.pb.h"
#include "messages/ids.hpp"
#include "messages/journal.pb.h"
#include "messages/keeping.pb.h"
#include "messages/negotiation.pb.h"
#include "runtime/drivers/fake/machine.hpp"

namespace legion::simulator {

/// A broken invariant.
struct violation {
  std::chrono::microseconds time{0};
  std::string checker; // "capacity", "order", "slots", "accepts", "roster", ...
  std::string what;
};

/// What a checker knows of a node without asking it.
struct known_node {
  std::string id;
  std::string name;
  capacity has; // really
};

/// The invariants, judged by what is durable, what machines really run and what is on the wire;
/// never by what an actor says of itself.
///
/// capacity: what is held, bound or stopping, and what really runs, never exceeds what a node has
/// order:    no slot is bound on two nodes under one order number; no node obeys an order below the
///           highest that it has on disk
/// slots:    a slot is accepted of one node only, and taken for gone only when no node promises it
/// accepts:  in the end every accept is bound, regretted or released
/// replicas: in the end as many replicas run as are wanted
/// members:  in the end each node that runs knows exactly the nodes that run
/// acknowledged: what a change was answered to have done is there until the next change
/// roster:   two nodes never believe different rosters of one incarnation and index
/// exclusive: at no time do more replicas run than are wanted, where that was asked
///
/// Shape:  each violation is told once. Offers between actors of one node are not on the wire and
///         not seen.
class checkers {
public:
  using microseconds = std::chrono::microseconds;
  /// Whether a node's machine runs anything of a promise.
  using runs = std::function<bool(std::uint32_t node, const std::string& uid)>;

  checkers(std::vector<known_node> nodes, runs machine_runs);

  void on_durable(std::uint32_t node, const record_batch& batch, microseconds now);
  void on_sent(std::uint32_t from, std::uint32_t to, const frame& what, microseconds now);
  void on_delivered(std::uint32_t from, std::uint32_t to, const frame& what, microseconds now);
  /// Its process ended: what it held in memory is gone.
  void on_down(std::uint32_t node);

  /// Its disk has other content now, which may promise what is over: only its capacity is judged.
  void on_disk_replaced(std::uint32_t node, const std::vector<record>& content);
  void check_machine(std::uint32_t node, const std::vector<drivers::fake::process>& processes,
                     microseconds now);
  void check_accepts(microseconds now);
  void check_replicas(const std::string& of, std::int64_t wanted, std::int64_t running,
                      microseconds now);
  /// `found` must be one of `possible`: the last that was acknowledged, or one after it that may be.
  void check_acknowledged(const std::string& of, const std::string& found,
                          const std::vector<std::string>& possible, microseconds now);
  void check_exclusive(const std::string& of, std::size_t most,
                       const std::set<std::string>& running, microseconds now);
  void check_members(std::uint32_t node, const std::set<std::string>& known,
                     const std::set<std::string>& running, microseconds now);

  const std::vector<violation>& found() const { return found_; }
  std::uint64_t accepts_seen() const { return accepts_.size(); }
  std::uint64_t promises_seen() const { return orders_.size(); }
  std::uint64_t holds_seen() const { return holds_seen_; }

private:
  struct amount {
    std::int64_t cpu_millis = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t ports = 0;
    std::int64_t pods = 0;
    void add(const amount& x, std::int64_t times = 1);
  };
  struct order {
    std::uint64_t incarnation = 0;
    std::uint64_t index = 0;
    friend auto operator<=>(const order&, const order&) = default;
  };
  struct promised {
    amount what;
    order number;
    std::string pod;
    bool ending = false;
  };
  struct hold {
    amount each;
    std::uint32_t count = 0;
    microseconds expires{0};
  };
  struct accepted {
    std::string node; // id
    std::string pod;
    microseconds since{0};
    bool over = false;
  };

  static amount amount_of(const pod_spec& what);
  static const pod_spec& spec_of(const resource& what);
  void on_promise(std::uint32_t node, const std::string& uid, const std::string& value,
                  microseconds now);
  void on_log_record(const std::string& group, const std::string& value, microseconds now);
  void on_entry(const group_entry& x, microseconds now);
  void on_obeyed(std::uint32_t node, const std::string& uid, const order_number& order,
                 microseconds now);
  void take_for_gone(const google::protobuf::RepeatedPtrField<slot>& slots, microseconds now);
  void end_accepts(const google::protobuf::RepeatedPtrField<slot>& slots);
  void on_roster(std::uint32_t node, const std::string& value, microseconds now);
  void check_sum(std::uint32_t node, microseconds now);
  void exceed(std::uint32_t node, const amount& used, const char* how, microseconds now);
  void tell(microseconds now, const char* checker, std::string what);

  std::vector<known_node> nodes_;
  runs runs_;
  std::vector<std::map<std::string, promised>> promises_; // by uid
  std::vector<std::set<std::string>> revenants_; // uids that an earlier copy of the disk promised
  std::vector<std::map<std::uint64_t, hold>> holds_;              // by offer
  std::map<std::pair<std::string, std::uint64_t>, amount> calls_; // keeper, call
  std::map<std::pair<std::string, order>, std::uint32_t> orders_; // who bound it
  struct log_place {
    std::uint64_t term = 0;
    std::vector<std::pair<std::string, order>> accepts;
  };
  std::map<std::pair<std::string, std::uint64_t>, log_place> log_; // by group and index
  std::map<std::pair<std::string, order>, accepted> accepts_;      // uid and order
  std::set<std::string> gone_;                                     // uids, as their keepers say
  std::map<order, std::pair<std::uint32_t, std::string>> rosters_; // who believed it first
  std::set<std::string> told_;
  std::vector<violation> found_;
  std::uint64_t holds_seen_ = 0;
};

} // namespace legion::simulator
