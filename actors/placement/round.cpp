#include "actors/placement/round.hpp"

#include <algorithm>
#include <cmath>

#include "actors/placement/score.hpp"

namespace legion::placement {

namespace {

constexpr auto wave_time = milliseconds{1000};
constexpr auto round_time = milliseconds{3000};
constexpr auto patience = milliseconds{150};

std::size_t first_wave(std::size_t n, std::uint32_t count) {
  auto root = static_cast<std::size_t>(2 * std::sqrt(static_cast<double>(n)));
  auto few = std::clamp<std::size_t>(root, 3, 16);
  // As many as there are replicas, so that each may have a node of its own; of many, a part.
  return std::max({few, std::min<std::size_t>(count, 32), std::size_t{count / 8}});
}

/// Of all resources, the holds of other offers included.
std::int64_t pods_on(const offer& x) {
  return std::int64_t{x.total().pods()} - x.free().pods();
}

std::string counted(std::size_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

} // namespace

round::round(call what, std::vector<volunteer> among, std::uint64_t seed, time_point now,
             wall_ms wall)
    : what_(std::move(what)), demand_(demand_of(what_.template_())), wall_(wall),
      unasked_(std::move(among)), random_(seed), wave_ends_(now), round_ends_(now + round_time) {
  // Fisher and Yates by hand: std::shuffle differs between standard libraries.
  for (std::size_t i = unasked_.size(); i > 1; --i)
    std::swap(unasked_[i - 1], unasked_[random_() % i]);
  const auto& wanted_node = what_.template_().spec().node_name();
  auto rank = [&](const volunteer& x) {
    return std::tuple{wanted_node.empty() || x.name != wanted_node, x.suspect, x.replicas};
  };
  std::stable_sort(unasked_.begin(), unasked_.end(),
                   [&](const volunteer& a, const volunteer& b) { return rank(a) > rank(b); });
}

std::vector<effect> round::start(time_point now) {
  if (unasked_.empty() || what_.count() == 0)
    return finish();
  return widen(first_wave(unasked_.size(), what_.count()), now);
}

std::vector<effect> round::widen(std::size_t count, time_point now) {
  std::vector<effect> result;
  wave_ = std::min(count, unasked_.size());
  wave_ends_ = std::min(now + wave_time, round_ends_);
  auto missing = what_.count() - std::min<std::uint64_t>(offered_, what_.count());
  // Twice a fair share: some will decline, and what is not used is freed with the accept.
  auto share = std::min<std::uint64_t>(missing, 2 * ((missing + wave_ - 1) / wave_));
  for (std::size_t i = 0; i < wave_; ++i) {
    auto who = std::move(unasked_.back());
    unasked_.pop_back();
    auto what = what_;
    what.set_count(static_cast<std::uint32_t>(share));
    what.set_deadline_ms(static_cast<std::uint32_t>(wave_time.count()));
    result.push_back(send_call{who.id, std::move(what)});
    index_[who.id] = asked_.size();
    asked_.push_back({std::move(who), true, {}, {}, 0});
    ++waiting_;
  }
  return result;
}

round::asked* round::find(const node_id& x) {
  auto i = index_.find(x);
  return i == index_.end() ? nullptr : &asked_[i->second];
}

std::vector<effect> round::on_reply(const node_id& from, const call_reply& x, time_point now) {
  auto* who = find(from);
  if (!who || !who->waiting)
    return {};
  who->waiting = false;
  --waiting_;
  if (decided_)
    return too_late(*who, x);
  if (x.has_offer()) {
    who->offered = x.offer();
    who->declined.reset();
    offered_ += x.offer().count();
  } else {
    who->declined = x.decline();
  }
  return proceed(now);
}

std::vector<effect> round::on_failure(const node_id& from, const fault& why, time_point now) {
  auto* who = find(from);
  if (!who || !who->waiting)
    return {};
  who->waiting = false;
  --waiting_;
  if (decided_)
    return {};
  decline silent;
  silent.set_node(from.bytes());
  silent.set_node_name(who->who.name);
  silent.set_reason(why.code == errc::overloaded ? decline_overloaded : decline_silent);
  silent.set_detail(why.code == errc::overloaded ? "overloaded" : "no answer: " + why.detail);
  who->declined = std::move(silent);
  return proceed(now);
}

std::vector<effect> round::on_tick(time_point now) {
  return decided_ ? std::vector<effect>{} : proceed(now);
}

std::optional<time_point> round::due() const {
  if (decided_)
    return std::nullopt;
  return patience_ends_ ? std::min(*patience_ends_, wave_ends_) : wave_ends_;
}

std::vector<effect> round::proceed(time_point now) {
  auto enough = offered_ >= what_.count();
  if (waiting_ == 0 && (enough || unasked_.empty()))
    return finish();
  if (now >= round_ends_)
    return finish();
  if (enough) {
    if (!patience_ends_)
      patience_ends_ = now + patience;
    if (now >= *patience_ends_ || now >= wave_ends_)
      return finish();
    return {};
  }
  if (waiting_ == 0 || now >= wave_ends_) {
    if (unasked_.empty())
      return finish();
    return widen(wave_ * 2, now);
  }
  return {};
}

void round::choose() {
  // Greedy: each replica goes where fewest of the resource are that are to stay, as its keeper knows,
  // then where fewest are at all, then where the grade is best, then where fewest pods are: what asks
  // for nothing changes no grade, and would pile up.
  for (std::uint32_t n = 0; n < what_.count(); ++n) {
    std::vector<asked*> best;
    auto best_rank = std::tuple<std::uint64_t, std::uint32_t, int, std::int64_t>{};
    for (auto& x : asked_) {
      if (!x.offered || x.picked >= x.offered->count())
        continue;
      auto rank =
          std::tuple{std::uint64_t{x.who.replicas} + x.picked, x.offered->replicas(),
                     -points_of(*x.offered, demand_, x.picked + 1), pods_on(*x.offered) + x.picked};
      if (best.empty() || rank < best_rank) {
        best.assign(1, &x);
        best_rank = rank;
      } else if (rank == best_rank) {
        best.push_back(&x);
      }
    }
    if (best.empty())
      return;
    auto* winner = best.size() == 1 ? best[0] : best[random_() % best.size()];
    ++winner->picked;
    if (n == 0)
      decided_by_ =
          reason_for(*winner, best.size(), static_cast<std::uint32_t>(std::get<0>(best_rank)));
  }
}

std::string round::reason_for(const asked& x, std::size_t ties, std::uint32_t replicas) const {
  std::size_t offers = 0;
  for (const auto& y : asked_)
    offers += y.offered ? 1 : 0;
  const auto& name = x.offered->node_name().empty() ? x.who.name : x.offered->node_name();
  if (offers == 1)
    return name + ": the only offer";
  auto result = name + ": fewest replicas (" + std::to_string(replicas) + "), best score ("
                + std::to_string(points_of(*x.offered, demand_, 1)) + "; cpu free "
                + std::to_string(x.offered->free().cpu_millis()) + "m, pods "
                + std::to_string(pods_on(*x.offered)) + ")";
  if (ties > 1)
    result += "; tie of " + std::to_string(ties) + " broken at random";
  return result;
}

std::string round::note() const {
  std::map<int, std::pair<std::size_t, const decline*>> reasons; // how many, and one of them
  std::size_t declined = 0;
  std::size_t silent = 0;
  for (const auto& x : asked_) {
    if (x.declined && x.declined->reason() != decline_silent) {
      ++declined;
      auto& reason = reasons[x.declined->reason()];
      ++reason.first;
      if (!reason.second)
        reason.second = &*x.declined;
    } else if (!x.offered) {
      ++silent;
    }
  }
  if (asked_.empty())
    return "no node of the zone is known to be alive";
  std::string result;
  if (declined > 0) {
    result = counted(declined, "node declined: ", "nodes declined: ");
    auto first = true;
    for (const auto& [code, reason] : reasons) {
      if (!first)
        result += "; ";
      first = false;
      if (reasons.size() > 1)
        result += std::to_string(reason.first) + " for ";
      result += reason.second->detail();
    }
  }
  if (silent > 0)
    result += (result.empty() ? "" : "; ") + counted(silent, "node", "nodes") + " did not answer";
  if (result.empty())
    result = "the nodes that were asked offered too little";
  return result;
}

release round::release_of(const offer& x) const {
  release result;
  result.set_offer(x.id());
  result.set_keeper(what_.keeper());
  return result;
}

std::vector<effect> round::too_late(const asked& who, const call_reply& x) const {
  note_late note{what_.id(), {}};
  note.what.set_node(who.who.id.bytes());
  note.what.set_node_name(who.who.name);
  note.what.set_late(true);
  if (!x.has_offer()) {
    *note.what.mutable_decline() = x.decline();
    return {std::move(note)};
  }
  auto grade = grade_of(x.offer(), demand_, 1);
  note.what.set_score(grade.points);
  note.what.set_score_detail(std::move(grade.detail));
  *note.what.mutable_offer() = x.offer();
  return {send_release{who.who.id, release_of(x.offer())}, std::move(note)};
}

std::vector<effect> round::finish() {
  decided_ = true;
  choose();
  std::vector<effect> result;
  outcome end;
  end.missing = what_.count();
  end.record.set_call(what_.id());
  end.record.set_time_ms(wall_);
  *end.record.mutable_of() = what_.of();
  end.record.set_called_for(what_.count());
  for (auto& x : asked_) {
    auto& heard = *end.record.add_candidates();
    heard.set_node(x.who.id.bytes());
    heard.set_node_name(x.who.name);
    if (x.offered) {
      auto grade = grade_of(*x.offered, demand_, 1); // as its first replica was chosen by
      if (x.picked > 1)
        grade.detail += "; " + std::to_string(points_of(*x.offered, demand_, x.picked))
                        + " with all " + std::to_string(x.picked) + " replicas";
      heard.set_score(grade.points);
      heard.set_score_detail(std::move(grade.detail));
      heard.set_accepted(x.picked > 0);
      *heard.mutable_offer() = *x.offered;
    } else if (x.declined) {
      *heard.mutable_decline() = *x.declined;
    } else {
      heard.mutable_decline()->set_reason(decline_silent);
      heard.mutable_decline()->set_detail("no answer in time");
    }
    if (x.picked > 0) {
      end.picks.push_back({x.who.id, x.who.name, x.offered->id(), x.offered->start(), x.picked});
      end.missing -= x.picked;
    } else if (x.offered) {
      result.push_back(send_release{x.who.id, release_of(*x.offered)});
    }
  }
  if (end.missing > 0)
    end.note = note();
  if (end.picks.empty())
    end.record.set_decided(end.note);
  else if (end.picks.size() == 1)
    end.record.set_decided(decided_by_);
  else
    end.record.set_decided(std::to_string(what_.count() - end.missing) + " replicas over "
                           + std::to_string(end.picks.size()) + " nodes; first " + decided_by_);
  result.push_back(decide{std::move(end)});
  return result;
}

} // namespace legion::placement
