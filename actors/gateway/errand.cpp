#include "actors/gateway/errand.hpp"

namespace legion::gateway {

namespace {

constexpr milliseconds change_try{4'000}, change_total{12'000};
constexpr milliseconds read_try{1'500}, read_total{3'000};
constexpr milliseconds pause{300};
constexpr int most_hops = 3;

} // namespace

errand::errand(std::uint64_t id, group_request what, std::string subject)
    : id_(id), what_(std::move(what)), subject_(std::move(subject)) {}

bool errand::changes() const {
  return what_.has_put() || what_.has_remove() || what_.has_scale();
}

bool errand::unanswered() const {
  auto code = reply_.refused().code();
  return done_ && reply_.has_refused()
         && (code == refusal_unreachable || code == refusal_deadline || code == refusal_overloaded
             || code == refusal_elsewhere);
}

effects errand::start(const surroundings& at) {
  until_ = at.now + (changes() ? change_total : read_total);
  return on_wake(at);
}

effects errand::on_wake(const surroundings& at) {
  auto whom = at.zone.keeper_of(group_id{what_.group()});
  if (!whom)
    return finish(refusal_unreachable, subject_ + ": no member is alive that could keep it");
  keeper_ = *whom;
  const auto* row = at.zone.find(*whom);
  if (row && row->down()) {
    why_ = "its keeper is " + at.zone.with_state(*whom, at.now);
    return give_up(at);
  }
  return attempt(*whom, at);
}

effects errand::attempt(const node_id& whom, const surroundings&) {
  keeper_ = whom;
  return {ask{id_, whom, what_, changes() ? change_try : read_try}};
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
  why_ = "its keeper " + at.zone.with_state(keeper_, at.now) + ": " + to_string(failed->code);
  if (!failed->detail.empty())
    why_ += " (" + failed->detail + ")";
  switch (failed->code) {
    case errc::overloaded: // these two never reached it: nothing was done
    case errc::unknown_actor:
      return again_later(pause, at);
    case errc::unreachable:
    case errc::deadline:
      sent_in_vain_ = true;
      return again_later(pause, at);
    default:
      return finish(refusal_unknown, subject_ + ": " + why_);
  }
}

effects errand::on_reply(const group_reply& x, const surroundings& at) {
  const auto& refused = x.refused();
  if (x.has_refused() && refused.code() == refusal_elsewhere) {
    auto next = node_id::from_bytes(refused.node());
    if (++hops_ > most_hops)
      return finish(refusal_elsewhere, subject_
                                           + ": 4 nodes were asked and each says that another "
                                             "one keeps it: try again in a moment");
    why_ = "its keeper " + at.zone.name_of(keeper_) + " points elsewhere";
    if (next.null() || next == keeper_)
      return again_later(pause, at);
    return attempt(next, at);
  }
  if (x.has_refused() && refused.code() == refusal_overloaded) {
    why_ = "its keeper " + at.zone.name_of(keeper_) + " is overloaded";
    if (at.now + pause < until_)
      return {wake{id_, pause}};
  }
  if (changes() && !x.has_refused())
    at.zone.learn_kept(keeper_, group_id{what_.group()});
  done_ = true;
  reply_ = x;
  return {};
}

effects errand::give_up(const surroundings&) {
  if (changes() && sent_in_vain_)
    return finish(refusal_deadline,
                  subject_ + ": " + why_
                      + "; whether it was changed is unknown: look with `legionctl get`, or "
                        "repeat the command, which does no harm");
  return finish(refusal_unreachable,
                subject_ + ": " + why_
                    + (changes() ? "; nothing was changed: try again once it is back" : ""));
}

effects errand::finish(refusal_code code, std::string detail) {
  done_ = true;
  reply_ = {};
  *reply_.mutable_refused() = make_refusal(code, std::move(detail));
  return {};
}

} // namespace legion::gateway
