#include "actors/consensus/core.hpp"
#include "actors/consensus/quorum.hpp"

// Linearizable reads without the log: Ongaro 2014, 6.4. The clock is not relied on (6.4.1 is not
// used): each read waits for a round in which a quorum still obeys this leader.

namespace legion::consensus {

result<std::uint64_t> core::read() {
  if (role_ != role::leader)
    return fault{errc::refused, "not the leader"};
  if (waiting_.size() + granted_.size() >= tuned_.waiting_reads)
    return fault{errc::overloaded, "too many reads wait"};
  touched_ = true;
  waiting_.push_back({++reads_, commit_, round_ + 1}); // while not ready, commit_to sets the index
  return reads_;
}

/// A new round for all reads that came since the last; or the same anew, for whoever was not heard.
void core::begin_round(time_point now) {
  confirm_again_ = time_point::max();
  if (!waiting_.empty() && waiting_.back().round > round_)
    round_ = waiting_.back().round;
  for (const auto& x : progress_)
    if (x.round < round_ && log_.members().votes(x.who) && !x.fallen) {
      post(x.who, confirm{round_}, after::nothing);
      confirm_again_ = now + tuned_.resend_after;
    }
  grant_reads();
}

void core::grant_reads() {
  agreed_round_ = agreed<std::uint64_t>(deciding(), [&](const member_id& who) -> std::uint64_t {
    if (who == self_)
      return round_;
    auto* x = find(who);
    return x && !x->fallen ? x->round : 0;
  });
  auto confirmed = [&](const waiting_read& x) {
    return x.round <= agreed_round_ || !holds(rule::read_after_round);
  };
  for (; !waiting_.empty() && ready_ && confirmed(waiting_.front()); waiting_.pop_front())
    granted_.push_back(waiting_.front());
  if (agreed_round_ == round_)
    confirm_again_ = time_point::max();
}

void core::refuse_reads() {
  for (const auto& x : waiting_)
    out_.made().refused_reads.push_back(x.number);
  waiting_.clear();
  round_ = agreed_round_ = 0;
}

void core::on(const confirm& x, const message& m, time_point now) {
  if (follow(m.from, now))
    post(m.from, confirmed{x.round}, after::ballot);
}

void core::on(const confirmed& x, const message& m, time_point) {
  auto* p = role_ == role::leader ? find(m.from) : nullptr;
  if (!p || x.round > round_ || x.round <= p->round)
    return;
  p->round = x.round;
  grant_reads();
}

} // namespace legion::consensus
