#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "messages/negotiation.pb.h"
#include "messages/resource.pb.h"
#include "messages/time.hpp"

namespace legion::node {

/// What one replica needs of a node.
struct need {
  std::int64_t cpu_millis = 0;
  std::int64_t memory_bytes = 0;
  int ports = 0; // all of them, the fixed ones too
  int pods = 1;
  std::vector<int> fixed_ports; // the host ports that the manifest names, each once

  friend bool operator==(const need&, const need&) = default;
};

/// The sum of the containers' requests, at most what 64 bits hold; a container without requests
/// counts nothing but its ports.
need need_of(const pod_spec& what);

/// Why something cannot be held, in numbers.
struct shortage {
  decline_reason reason = decline_unknown;
  std::string detail;      // "cpu: needs 500m, free 120m of 2000m"
  std::string holder = {}; // the promise whose port it wants: as the detail has it
};

/// What a node has, has offered and has promised: held + bound + stopping never exceeds the total.
///
/// Shape:  holds are named by offer ids and serve once, at most `max_holds`; everything else by the
///         promise's uid.
/// Units:  millicores, bytes, host ports, replicas; time is the node's monotonic clock.
/// Errors: `shortage` names all that the first missing replica lacks; its reason is the first.
/// Source: Smith 1980, Contract Net. Differs: capacity is held from the offer on.
class ledger {
public:
  static constexpr std::size_t max_holds = 1024;

  struct hold {
    need each;
    std::uint32_t count = 0;
    time_point expires;
  };

  ledger() = default;
  ledger(const capacity& total, int first_port, int last_port);

  /// Holds as many as fit of `count`, under the offer's id; nothing fits: why, in numbers.
  std::optional<shortage> hold_some(std::uint64_t offer, const need& each, std::uint32_t count,
                                    time_point now, time_point expires);
  const hold* held(std::uint64_t offer) const;
  /// Turns a hold into promises, named one by one; the rest of the hold is free again. False: the
  /// offer is unknown, used or expired, or smaller than that.
  bool bind(std::uint64_t offer, const std::vector<std::string>& uids, time_point now);
  /// A losing offer.
  void give_back(std::uint64_t offer);
  /// Offers whose time is over; true if there was one. Strangers' ports are tried again, too.
  bool expire(time_point now);
  std::optional<time_point> next_expiry() const;

  /// A promise found in the journal: it counts whatever is left.
  void restore(const std::string& uid, const need& each, const std::vector<int>& host_ports);
  /// Its workload has ended for good by itself: only its files are kept for it.
  void rest(const std::string& uid);
  /// The promise is over and nothing of it runs.
  void gone(const std::string& uid);

  /// A host port of the range that no promise has, for this promise; tried round robin. 0: none.
  int choose_port(const std::string& uid, time_point now);
  /// This promise uses a port that its manifest names, of whichever protocol. False: another one
  /// has it.
  bool claim_port(const std::string& uid, int port);
  /// The port turned out to be used by a stranger; it is neither offered nor tried until `again`.
  void port_taken(const std::string& uid, int port, time_point again);

  capacity total() const { return total_; }
  capacity free() const;
  std::size_t holds() const { return holds_.size(); }

private:
  struct bound {
    need each;
    bool resting = false;
    std::vector<int> ports;
  };

  std::uint32_t how_many(const need& each, std::uint32_t count, shortage& why) const;
  bool fixed_port_free(int port, std::string& user) const;
  int foreign_ports() const;
  void use(const need& each, int sign);

  capacity total_;
  int first_port_ = 0;
  int last_port_ = -1;
  int last_tried_ = 0;
  need used_{0, 0, 0, 0, {}};
  std::map<std::uint64_t, hold> holds_;
  std::map<std::string, bound> bound_;
  std::map<int, std::string> ports_; // of promises
  std::map<int, time_point> foreign_;
};

} // namespace legion::node
