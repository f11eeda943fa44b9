#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "messages/fault.hpp"
#include "messages/ids.hpp"
#include "messages/keeping.pb.h"
#include "messages/negotiation.pb.h"
#include "messages/random.hpp"
#include "messages/time.hpp"

namespace legion::placement {

/// A member that may be asked, as the keeper knows it.
struct volunteer {
  node_id id;
  std::string name;
  bool suspect = false;       // asked only when the others are not enough
  std::uint32_t replicas = 0; // of this resource there, as the keeper knows
};

/// `count` replicas go to this node, by this offer; the node frees what it held beyond.
struct pick {
  node_id node;
  std::string node_name;
  std::uint64_t offer = 0;
  std::uint64_t start = 0;
  std::uint32_t count = 0;
};

/// How a round ended.
struct outcome {
  std::vector<pick> picks;
  std::uint32_t missing = 0; // called for, but not picked
  std::string note;          // why some are missing, in one line with numbers; else empty
  negotiation_round record;  // every offer and decline, for `why`
};

struct send_call {
  node_id to;
  call what;
};
struct send_release {
  node_id to;
  release what;
};
struct decide {
  outcome what;
};
/// What a node answered after the decision, which had noted it as silent.
struct note_late {
  std::uint64_t call = 0;
  candidate what;
};
using effect = std::variant<send_call, send_release, decide, note_late>;

/// One round of placement: asks a sample of the zone, gathers answers, picks, releases what it does
/// not use.
///
/// Shape:  each volunteer is asked once; at first 2·√n, but 3 to 16, or as many as replicas are
///         missing, up to 32, or an eighth of those, whatever is most; the ones with fewest replicas
///         of the resource first, at random among equals; when they decline, twice as many next,
///         until all were asked or 3 s are over.
/// Units:  once enough is offered, the silent have 150 ms left; a wave waits 1 s.
/// Errors: an outcome with `missing` and a `note`; an offer that comes too late is released, and
///         noted as late.
/// Source: Smith 1980, Contract Net. Differs: capacity is held from the offer on, not from the
///         award.
class round {
public:
  round(call what, std::vector<volunteer> among, std::uint64_t seed, time_point now, wall_ms wall);

  std::vector<effect> start(time_point now);
  std::vector<effect> on_reply(const node_id& from, const call_reply& x, time_point now);
  std::vector<effect> on_failure(const node_id& from, const fault& why, time_point now);
  std::vector<effect> on_tick(time_point now);

  /// When `on_tick` is next of use; nothing once the round is decided.
  std::optional<time_point> due() const;
  bool decided() const { return decided_; }
  /// Decided, and nobody is left who might still offer.
  bool over() const { return decided_ && waiting_ == 0; }

private:
  struct asked {
    volunteer who;
    bool waiting = true;
    std::optional<offer> offered;
    std::optional<decline> declined;
    std::uint32_t picked = 0;
  };

  asked* find(const node_id& x);
  std::vector<effect> widen(std::size_t count, time_point now);
  std::vector<effect> proceed(time_point now);
  std::vector<effect> finish();
  void choose();
  std::string reason_for(const asked& x, std::size_t ties, std::uint32_t replicas) const;
  std::string note() const;
  release release_of(const offer& x) const;
  std::vector<effect> too_late(const asked& who, const call_reply& x) const;

  call what_;
  capacity demand_;
  wall_ms wall_;
  std::vector<volunteer> unasked_; // best last
  std::vector<asked> asked_;
  std::map<node_id, std::size_t> index_;
  seeded_random random_;
  std::size_t waiting_ = 0;
  std::size_t wave_ = 0; // size of the last
  std::uint64_t offered_ = 0;
  time_point wave_ends_;
  time_point round_ends_;
  std::optional<time_point> patience_ends_;
  bool decided_ = false;
  std::string decided_by_;
};

} // namespace legion::placement
