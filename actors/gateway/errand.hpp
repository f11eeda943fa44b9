#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// One request to the leader of one group: finds it, follows `elsewhere`, tries again what was not
/// answered, under the same request id, with one of its members after the other. A member that was
/// silent is asked again only when others go on for 2 s to say that it leads, or nobody says
/// anything.
///
/// Units:  a try takes at most 1.5 s; all tries 12 s for a change and 5 s for a read; 2 s while
///         fewer members are up than a quorum takes.
/// Errors: `refusal_unreachable` when nothing was sent, because nobody who could answer is up, or
///         no leader was found; `refusal_deadline` when something was sent and what became of it is
///         unknown.
class errand {
public:
  /// `subject` names what it is about in messages, as in "deployment default/web".
  errand(std::uint64_t id, group_request what, std::string subject);

  effects start(const surroundings& at);
  effects on(const answer& what, const surroundings& at);
  effects on_wake(const surroundings& at);

  std::uint64_t id() const { return id_; }
  bool done() const { return done_; }
  /// Once done: what the keeper said, or why nobody did.
  const group_reply& reply() const { return reply_; }
  /// Who was asked last.
  const node_id& keeper() const { return keeper_; }
  /// What the last failure was.
  const std::string& why() const { return why_; }
  /// The keeper could not be asked or did not answer.
  bool unanswered() const;
  const group_request& request() const { return what_; }
  const std::string& subject() const { return subject_; }

private:
  bool changes() const;
  bool out_of_reach(const node_id& x) const;
  effects attempt(const node_id& whom, const surroundings& at);
  effects attempt_through(const node_id& whom);
  effects again_later(milliseconds after, const surroundings& at);
  effects next(const surroundings& at);
  effects finish(refusal_code code, std::string detail);
  effects on_reply(const group_reply& x, const surroundings& at);
  effects give_up(const surroundings& at);
  struct lost {
    std::string why;
    std::string cure;      // when to try again
    bool for_good = false; // journals are lost: it has to be raised anew
  };
  std::optional<lost> why_lost(const refusal& x, const surroundings& at) const;
  std::optional<lost> lost_quorum(const surroundings& at) const;

  std::uint64_t id_;
  group_request what_;
  std::string subject_;
  time_point begun_{};
  time_point until_{};
  node_id keeper_;
  std::set<node_id> tried_;              // in vain, since the last pause
  std::map<node_id, time_point> silent_; // did not answer in time; when it may be asked again
  std::optional<lost> lost_;             // why those who are up can elect nobody; none: they can
  std::set<node_id> without_;            // that said to have nothing of the group
  std::map<node_id, int> failures_;      // to answer; to be reached at all counts as two
  bool through_ = false;                 // who is asked now passes it on to who leads
  node_id told_;                         // who leads, as somebody said since the last pause
  bool answered_ = false;                // somebody said something since then
  bool sent_in_vain_ = false;            // a try ended without an answer: what it did is unknown
  bool done_ = false;
  group_reply reply_;
  std::string why_; // of the last failure
  std::string cure_ = "in a moment";
};

} // namespace legion::gateway
