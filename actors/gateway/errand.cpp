#include "actors/gateway/errand.hpp"

#include <algorithm>

#include "actors/group/electors.hpp"

namespace legion::gateway {

namespace {

constexpr milliseconds try_total{1'500};     // by then a leader that stands still has been missed
constexpr milliseconds pass_on_total{2'000}; // longer than the one between takes to give up
constexpr milliseconds change_total{12'000}, read_total{5'000};
constexpr milliseconds without_quorum_total{2'000};
constexpr milliseconds pause{200};
constexpr milliseconds rest_after_silence{2'000};
constexpr const char* rebuild_hint =
    ". If the journals of most are lost, legionctl keepers rebuild begins its group anew with the "
    "promises that nodes hold";

} // namespace

errand::errand(std::uint64_t id, group_request what, std::string subject)
    : id_(id), what_(std::move(what)), subject_(std::move(subject)) {}

bool errand::changes() const {
  return (what_.has_put() && !what_.put().dry_run()) || what_.has_remove() || what_.has_scale()
         || (what_.has_restore() && !what_.restore().dry_run());
}

bool errand::unanswered() const {
  auto code = reply_.refused().code();
  return done_ && reply_.has_refused()
         && (code == refusal_unreachable || code == refusal_deadline || code == refusal_overloaded
             || code == refusal_elsewhere);
}

effects errand::start(const surroundings& at) {
  begun_ = at.now;
  until_ = at.now + (changes() ? change_total : read_total);
  return on_wake(at);
}

effects errand::on_wake(const surroundings& at) {
  if (at.now - begun_ >= without_quorum_total && lost_quorum(at))
    return give_up(at);
  tried_.clear();
  told_ = {};
  answered_ = false;
  auto keepers = at.zone.keepers_of(group_id{what_.group()});
  if (keepers.empty()) {
    why_ = "no member is alive that could keep it";
    return give_up(at);
  }
  auto up = [&](const node_id& x) {
    const auto* row = at.zone.find(x);
    return row && !row->down();
  };
  keeper_ = keepers.front();
  if (std::none_of(keepers.begin(), keepers.end(), up)) {
    why_ = (keepers.size() == 1 ? "its keeper is " : "its keepers are ")
           + at.zone.with_states(keepers, at.now);
    cure_ = keepers.size() == 1 ? "once it is back" : "once they are back";
    return give_up(at);
  }
  return next(at);
}

/// Why nobody can lead, or commit a change, if too many members cannot take part.
std::optional<errand::lost> errand::lost_quorum(const surroundings& at) const {
  if (lost_ && lost_->for_good)
    return lost_; // only they know of their journals
  auto members = at.zone.members_of(group_id{what_.group()});
  if (members.empty()) { // of none is known: those who could be one, if each says that it is not
    members = at.zone.keepers_of(group_id{what_.group()});
    if (!std::all_of(members.begin(), members.end(),
                     [&](const node_id& x) { return without_.contains(x); }))
      return lost_;
  }
  auto all = members.size();
  auto full = false, down = false;
  std::size_t without = 0;
  std::erase_if(members, [&](const node_id& x) {
    const auto* row = at.zone.find(x);
    auto up = row && !row->down();
    auto cannot_write = up && row->who.disk_full(); // nor is it elected
    full = full || cannot_write;
    down = down || !up;
    without += up && without_.contains(x);
    return up && !cannot_write && !without_.contains(x);
  });
  if ((all < 2 && without == 0) || 2 * (all - members.size()) > all)
    return lost_;
  auto able = all - members.size();
  auto result = (able == 0 ? "none" : "only " + std::to_string(able)) + " of the "
                + std::to_string(all) + " nodes that keep it "
                + (full          ? "can write"
                   : without > 0 ? "has it still"
                   : able == 1   ? "is up"
                                 : "are up")
                + ", which is no quorum; missing: ";
  if (all == 1)
    result = "the node that keeps it is ";
  for (const auto& x : members)
    result += (x == members.front() ? "" : ", and ") + at.zone.with_state(x, at.now)
              + (without_.contains(x) ? ", which has nothing of it any more" : "");
  if (2 * (all - without) > all) // else most have nothing of it any more
    return lost{result, full && down ? "once most of them are up, with space on their disks"
                        : full       ? "once there is space on their disks"
                                     : "once most of them are up"};
  // A node whose journal was damaged tells what of it, where it is, and the cure.
  auto cure_told = why_.find("keepers rebuild") != std::string::npos;
  return lost{result + (cure_told ? ": " + why_ : rebuild_hint), "then"};
}

/// The next member that was not asked in vain; after all of them a pause.
effects errand::next(const surroundings& at) {
  auto keepers = at.zone.keepers_of(group_id{what_.group()});
  auto may_be_asked = [&](const node_id& x) {
    const auto* row = at.zone.find(x);
    return row && !row->down() && !tried_.contains(x);
  };
  for (const auto& x : keepers)
    if (may_be_asked(x) && !silent_.contains(x))
      return attempt(x, at);
  for (const auto& x : keepers)
    if (may_be_asked(x) && (!answered_ || (x == told_ && at.now >= silent_[x])))
      return attempt(x, at);
  return again_later(pause, at);
}

effects errand::attempt(const node_id& whom, const surroundings&) {
  keeper_ = whom;
  through_ = false;
  return {ask{id_, whom, what_, try_total}};
}

/// From here, not from everywhere: a change, which may be under way, waits until that is sure.
bool errand::out_of_reach(const node_id& x) const {
  auto i = failures_.find(x);
  return i != failures_.end() && i->second >= (changes() ? 2 : 1);
}

/// Who leads cannot be reached from here, but perhaps from there.
effects errand::attempt_through(const node_id& whom) {
  keeper_ = whom;
  through_ = true;
  auto what = what_;
  what.set_pass_on(true);
  return {ask{id_, whom, std::move(what), pass_on_total}};
}

effects errand::again_later(milliseconds after, const surroundings& at) {
  if (at.now + after >= until_)
    return give_up(at);
  return {wake{id_, after}};
}

effects errand::on(const answer& what, const surroundings& at) {
  if (done_)
    return {};
  if (const auto* reply = std::get_if<group_reply>(&what))
    return on_reply(*reply, at);
  const auto* failed = std::get_if<fault>(&what);
  if (!failed)
    return finish(refusal_unknown, subject_ + ": the keeper's answer makes no sense");
  why_ = "its keeper " + at.zone.with_state(keeper_, at.now);
  cure_ = "in a moment";
  if (failed->code == errc::deadline)
    why_ += " does not answer";
  else
    why_ += std::string{": "} + to_string(failed->code);
  if (!failed->detail.empty())
    why_ += " (" + failed->detail + ")";
  switch (failed->code) {
    case errc::conflict: // these never reached it: nothing was done
    case errc::outlived:
    case errc::refused:
      why_ = "this node is not let in by its keeper " + at.zone.name_of(keeper_) + " ("
             + failed->detail + ")";
      cure_ = "once it has joined its zone again";
      return again_later(pause, at);
    case errc::overloaded:
    case errc::unknown_actor:
      return again_later(pause, at);
    case errc::unreachable:
    case errc::deadline:
      sent_in_vain_ = true;
      tried_.insert(keeper_);
      failures_[keeper_] += failed->code == errc::deadline ? 1 : 2;
      if (failed->code == errc::deadline)
        silent_[keeper_] = at.now + rest_after_silence;
      return at.now < until_ ? next(at) : give_up(at);
    default:
      return finish(refusal_unknown, subject_ + ": " + why_);
  }
}

/// Why those who are up can elect nobody; nothing: they can.
std::optional<errand::lost> errand::why_lost(const refusal& x, const surroundings& at) const {
  std::vector<group::elector> voters;
  auto for_good = false;
  for (const auto& bytes : x.voters()) {
    if (bytes.size() != 2 * node_id::size)
      return std::nullopt;
    auto id = node_id::from_bytes(bytes.substr(0, node_id::size));
    auto journal = bytes.substr(node_id::size);
    const auto* row = at.zone.find(id);
    group::elector y{at.zone.name_of(id)};
    y.down = !row || row->down();
    y.lost = row && !row->who.journal().empty() && row->who.journal() != journal;
    for_good = for_good || (y.lost && !y.down);
    voters.push_back(std::move(y));
  }
  if (voters.empty() || group::can_elect(voters))
    return std::nullopt;
  return lost{"keeper group " + std::to_string(what_.group()) + " " + group::why_no_leader(voters),
              for_good ? "then" : "once most of them are up", for_good};
}

effects errand::on_reply(const group_reply& x, const surroundings& at) {
  const auto& refused = x.refused();
  if (x.has_refused() && refused.code() == refusal_elsewhere) {
    auto leader = node_id::from_bytes(refused.node());
    why_ = refused.detail();
    tried_.insert(keeper_);
    answered_ = true;
    sent_in_vain_ = sent_in_vain_ || refused.in_doubt();
    if (!refused.voters().empty() || !leader.null())
      lost_ = why_lost(refused, at);
    if (lost_)
      why_ = lost_->why;
    if (refused.absent())
      without_.insert(keeper_);
    else
      without_.erase(keeper_);
    if (!leader.null())
      told_ = leader;
    if (at.now >= until_)
      return give_up(at);
    bool in_vain = leader.null() || tried_.contains(leader) || silent_.contains(leader);
    if (in_vain && out_of_reach(leader) && !through_ && keeper_ != at.self)
      return attempt_through(keeper_);
    return in_vain ? next(at) : attempt(leader, at);
  }
  if (x.has_refused() && refused.code() == refusal_overloaded) {
    why_ = "its keeper " + at.zone.name_of(keeper_) + " is overloaded";
    if (at.now + pause < until_)
      return {wake{id_, pause}};
    if (changes() && sent_in_vain_) // by another, which may have done it
      return give_up(at);
  }
  without_.erase(keeper_);
  if (!x.has_refused() && !through_)
    at.zone.learn_leader(keeper_, group_id{what_.group()});
  done_ = true;
  reply_ = x;
  return {};
}

effects errand::give_up(const surroundings& at) {
  if (at.cluster.empty()) {
    why_ = at.zone.name_of(at.self) + " has joined nobody yet: `legionctl get nodes` says why";
    cure_ = "once it has";
  } else if (auto all = lost_quorum(at)) {
    why_ = std::move(all->why);
    cure_ = std::move(all->cure);
  }
  if (changes() && sent_in_vain_)
    return finish(refusal_deadline,
                  subject_ + ": " + why_
                      + "; whether it was changed is unknown: look with `legionctl get` before you "
                        "repeat it");
  return finish(refusal_unreachable,
                subject_ + ": " + why_
                    + (changes() ? "; nothing was changed: try again " + cure_ : ""));
}

effects errand::finish(refusal_code code, std::string detail) {
  done_ = true;
  reply_ = {};
  *reply_.mutable_refused() = make_refusal(code, std::move(detail));
  return {};
}

} // namespace legion::gateway
