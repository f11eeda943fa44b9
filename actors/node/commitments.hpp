#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/broken_rule.hpp"
#include "messages/evidence.pb.h"
#include "messages/ids.hpp"
#include "messages/journal.pb.h"
#include "messages/negotiation.pb.h"
#include "messages/time.hpp"

namespace legion::node {

enum class phase {
  binding, // accepted, not yet on disk
  bound,
  ending, // released or withdrawn: its workload stops
};

/// One promise of this node, from its accept to the end of its workload.
struct commitment {
  std::shared_ptr<const promise_record> record;
  node::phase phase = phase::binding;
  assessment latest;             // as its promise actor said last
  bool end_when_settled = false; // released before it was on disk
  bool end_is_kept = false;      // that it ends is on disk, too
  bool withdrawn = false;        // this node ends it without being asked
};

/// The promises that this node has made, and the orders it obeys about them.
///
/// Shape:  by uid; at most as many as the ledger has room for. The last 4096 uids that ended are
///         remembered for `memory`, longer than an offer lives: a late accept must not revive them.
/// Errors: a lower order than the one known is refused; the same one is answered the same again.
class commitments {
public:
  static constexpr auto memory = seconds{60};
  static constexpr std::size_t most_remembered = 4096;

  enum class verdict {
    fresh,   // never heard of: an offer is needed
    same,    // bound under this very order
    raised,  // bound, and this order is higher: obey it
    pending, // being written, or its end is: wait with it
    regret,
  };
  struct judgement {
    verdict what = verdict::regret;
    regret_reason why = regret_unknown;
    std::string detail;
  };

  explicit commitments(broken_rule broken = broken_rule::none) : broken_(broken) {}

  judgement judge_accept(const slot& x, time_point now) const;

  enum class release_verdict {
    end,     // bound here: end it
    waits,   // not yet on disk, or ending already
    unknown, // nothing of it is here
    stale,   // a newer order than this one holds here
  };
  /// Remembers the order even of slots that are not here.
  release_verdict judge_release(const slot& x, time_point now);

  void add(promise_record record, phase where);
  /// A higher order for the same promise; what is on disk must follow.
  void raise(const std::string& uid, const order_number& to);
  /// Its keeper relies on it, though it was salvaged; what is on disk follows.
  void is_current(const std::string& uid);
  /// Another node leads its keeper group; what is on disk follows.
  void kept_by(const std::string& uid, const node_id& keeper);
  commitment* find(const std::string& uid);
  const commitment* find(const std::string& uid) const;
  void erase(const std::string& uid, time_point now);
  /// It was promised here, and its workload was seen to end, within `memory`.
  bool saw_end(const std::string& uid, time_point now) const;

  const std::map<std::string, commitment>& all() const { return all_; }
  /// Those of one resource that are not ending: what `offer.replicas` tells.
  std::uint32_t replicas_of(const resource_name& x) const;
  /// Of a pod by its name.
  const commitment* find_pod(std::string_view space, std::string_view pod) const;

private:
  struct ended {
    std::string uid;
    order_number order;
    time_point when;
    bool seen = false; // it was promised here before
  };

  /// Of an order, beside the highest that is known of its promise.
  bool is_below(const order_number& x, const order_number& known) const;
  const ended* remembered(const std::string& uid, time_point now) const;
  void remember(const std::string& uid, const order_number& order, time_point now, bool seen);

  broken_rule broken_;
  std::map<std::string, commitment> all_;
  std::list<ended> ended_; // the oldest first
};

/// The resource that a promise is part of.
resource_name name_of(const resource& x);
/// The pod template or pod that is run, whichever the resource has.
const pod_spec& pod_of(const resource& x);
/// The template's metadata, or the pod's own.
const metadata& pod_metadata_of(const resource& x);

/// The host ports that the manifest names, in the order of the containers' ports; 0: any.
std::vector<int> port_wishes(const resource& x);

std::string promise_key(const std::string& uid);

} // namespace legion::node
