#include <set>

#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/node/node_actor_state.hpp"

namespace legion {

namespace {

constexpr auto report_timeout = seconds{5};
constexpr auto forget_again = seconds{5};
constexpr auto leaving_pause = milliseconds{300};
constexpr auto telling_time = seconds{3};

using node::promisee;

std::optional<promisee> promisee_of(const promise_record& x) {
  auto keeper = node_id::from_bytes(x.keeper());
  if (keeper.null())
    return std::nullopt; // a stray: nobody relies on it
  return promisee{keeper, group_id{x.group()}};
}

report filled(node_pointer self, const node::due_report& x) {
  auto& s = self->state;
  report result;
  result.set_node(s.context->self.id.bytes());
  result.set_start(value(s.context->self.start));
  result.set_sequence(x.sequence);
  result.set_full(x.full);
  result.set_group(value(x.to.group));
  auto add = [&](const node::commitment& y) {
    if (!y.latest.has_slot())
      return;
    auto& said = *result.add_assessments();
    said = y.latest;
    said.set_salvaged(y.record->salvaged());
  };
  std::set<std::string> pods;
  if (x.full) {
    for (const auto& [uid, y] : s.promises.all()) {
      if (promisee_of(*y.record) != x.to)
        continue;
      add(y);
      pods.insert(y.record->slot().pod());
    }
    for (const auto& [uid, y] : s.last_words)
      if (y.group() == value(x.to.group))
        *result.add_assessments() = y;
  } else {
    for (const auto& uid : x.uids) {
      if (auto* y = s.promises.find(uid))
        add(*y);
      else if (auto i = s.last_words.find(uid); i != s.last_words.end())
        *result.add_assessments() = i->second;
    }
  }
  if (x.anew)
    for (const auto& y : s.events.all())
      if (pods.contains(y.object()))
        *result.add_events() = y;
  for (const auto& y : x.events)
    *result.add_events() = y;
  return result;
}

/// Off the disk as well: now it was never here.
void forgotten(node_pointer self, const std::string& uid) {
  auto& s = self->state;
  auto* known = s.promises.find(uid);
  if (!known)
    return;
  auto to = promisee_of(*known->record);
  spdlog::info("node released pod={} uid={}", known->record->slot().pod(), uid);
  if (to && known->latest.withdrawn() && s.last_words.size() < most_last_words) {
    s.last_words[uid] = known->latest; // it may have ended before its keeper heard that it would
    s.reports.changed(*to, uid, now(self));
  }
  s.ledger.gone(uid);
  auto slot = known->record->slot();
  if (!s.draining.empty() && slot.lease_ms() > 0) {
    s.ends_to_tell.insert(uid);
    self->delayed_send(self, telling_time, stop_answering{});
  }
  s.promises.erase(uid, now(self));
  answer_ended(self, slot);
  s.restarts.erase(uid);
  s.leases.remove(uid);
  auto left = false;
  for (const auto& [other, x] : s.promises.all())
    left = left || promisee_of(*x.record) == to;
  if (to && !left)
    s.reports.nothing_left(*to);
  if (s.promises.all().empty())
    answer_drains(self);
}

} // namespace

void on_says(node_pointer self, const promise_says& x) {
  auto& s = self->state;
  auto* known = s.promises.find(x.uid);
  if (!known)
    return;
  spdlog::debug("node assessment pod={} phase={} ready={} verdict={} reason=\"{}\"",
                x.what.slot().pod(), x.what.phase(), x.what.ready(),
                static_cast<int>(x.what.verdict()), x.what.reason());
  known->latest = x.what;
  if (x.what.phase() == "Succeeded" || x.what.phase() == "Failed")
    s.ledger.rest(x.uid);
  if (auto to = promisee_of(*known->record))
    s.reports.changed(*to, x.uid, now(self));
  arm(self);
}

void on_tells(node_pointer self, const promise_tells& x) {
  auto& s = self->state;
  auto* known = s.promises.find(x.uid);
  if (!known)
    return;
  s.events.add(x.what);
  if (auto to = promisee_of(*known->record))
    s.reports.happened(*to, x.what, now(self));
  arm(self);
}

/// Its workload is gone; the promise ends when the journal has forgotten it.
void on_over(node_pointer self, const std::string& uid) {
  auto& s = self->state;
  s.keeping.erase(uid);
  auto* known = s.promises.find(uid);
  if (!known)
    return;
  record_batch batch;
  batch.set_from_ballast(true); // an end is written on a full disk too
  batch.add_records()->set_key(node::promise_key(uid));
  if (known->record->what().has_metadata()) // else it is a stray, and nobody knows its name
    *batch.add_records() = s.departed.note(*known, s.context->wall_clock());
  write(
      self, s.partners.store, store_timeout, std::move(batch),
      [self, uid](written) { forgotten(self, uid); },
      [self, uid](const caf::error& why) {
        spdlog::warn("node end_not_written uid={} why=\"{}\"", uid, fault_of(why).detail);
        self->delayed_send(self, forget_again, promise_over{uid});
      });
}

/// Nothing is left here: the zone hears that this node leaves. Who asked is answered a moment
/// later, for then the process ends, and what its transport has not sent is lost.
void answer_drains(node_pointer self) {
  auto& s = self->state;
  if (s.draining.empty() || !s.promises.all().empty() || !s.handing_over.empty()
      || !s.ends_to_tell.empty() || std::exchange(s.leaves, true))
    return;
  self->send(s.partners.membership, leave_zone{});
  self->delayed_send(self, leaving_pause, zone_told{});
}

void on_stop_answering(node_pointer self) {
  self->state.ends_to_tell.clear();
  answer_drains(self);
}

void on_zone_told(node_pointer self) {
  auto& s = self->state;
  drained what;
  if (s.stuck_groups > 0)
    what.note = "what " + std::to_string(s.stuck_groups)
                + (s.stuck_groups == 1 ? " keeper group keeps" : " keeper groups keep")
                + " is not repaired or changed until this node, or another that keeps it, is back: "
                  "nobody that is up can take it over";
  if (s.charter_stuck)
    what.note +=
        std::string{what.note.empty() ? "" : ". "}
        + "The zone's charter needs this node, or other voters that are down: until they are "
          "back no node can join";
  for (auto& x : s.draining)
    x.deliver(what);
  s.draining.clear();
}

/// Another node leads the group now: what this report said is said there.
static void look_elsewhere(node_pointer self, const promisee& asked, std::uint64_t sequence,
                           const node_id& next) {
  auto& s = self->state;
  s.reports.failed(asked, sequence, now(self));
  std::vector<std::string> uids;
  for (const auto& [uid, x] : s.promises.all())
    if (promisee_of(*x.record) == asked)
      uids.push_back(uid);
  for (const auto& [uid, x] : s.last_words)
    if (x.group() == value(asked.group))
      s.reports.changed({next, asked.group}, uid, now(self));
  follow_keeper(self, uids, next);
}

void follow_keeper(node_pointer self, const std::vector<std::string>& uids, const node_id& keeper) {
  auto& s = self->state;
  record_batch batch;
  for (const auto& uid : uids) {
    auto* known = s.promises.find(uid);
    if (!known || known->phase == node::phase::binding)
      continue;
    if (known->record->keeper() == keeper.bytes()) { // it asks again: it has begun to lead anew
      if (auto to = promisee_of(*known->record))
        s.reports.tell_all(*to, now(self));
      continue;
    }
    auto before = promisee_of(*known->record);
    s.promises.kept_by(uid, keeper);
    auto left = false;
    for (const auto& [other, x] : s.promises.all())
      left = left || promisee_of(*x.record) == before;
    if (before && !left)
      s.reports.nothing_left(*before);
    if (auto to = promisee_of(*known->record))
      s.reports.tell_all(*to, now(self));
    if (known->phase == node::phase::ending)
      continue; // what is on disk says that it ends, or is gone by now: it must not come back
    auto& y = *batch.add_records();
    y.set_key(node::promise_key(uid));
    y.set_value(known->record->SerializeAsString());
  }
  arm(self);
  if (batch.records().empty())
    return;
  spdlog::debug("node follows_keeper keeper={} promises={}", keeper.short_text(),
                batch.records_size());
  // Should it not be written, a restart reports to the earlier keeper, which says who leads.
  write(
      self, s.partners.store, store_timeout, std::move(batch), [](written) {},
      [](const caf::error& why) {
        spdlog::debug("node keeper_not_written why=\"{}\"", fault_of(why).detail);
      });
}

/// What it said of promises that are gone need not be said again.
static void heard(node_pointer self, const node::due_report& x) {
  auto& words = self->state.last_words;
  for (const auto& uid : x.uids)
    words.erase(uid);
  if (x.full)
    std::erase_if(words, [&](const auto& y) { return y.second.group() == value(x.to.group); });
}

/// Their keeper relies on them: from here on they are promises as any other.
static void are_current(node_pointer self, const report_reply& x) {
  auto& s = self->state;
  record_batch batch;
  for (const auto& uid : x.current()) {
    auto* known = s.promises.find(uid);
    if (!known || !known->record->salvaged() || known->phase == node::phase::ending)
      continue;
    s.promises.is_current(uid);
    auto& y = *batch.add_records();
    y.set_key(node::promise_key(uid));
    y.set_value(known->record->SerializeAsString());
  }
  if (batch.records().empty())
    return;
  spdlog::info("node salvaged_are_current promises={}", batch.records_size());
  // Should it not be written, it is asked and said again after a restart.
  write(
      self, s.partners.store, store_timeout, std::move(batch), [](written) {},
      [](const caf::error& why) {
        spdlog::debug("node current_not_written why=\"{}\"", fault_of(why).detail);
      });
}

/// It says that nobody leads there. It may have been put out of the group while it was away, and what
/// the group has forgotten nobody asks for: so now and then another node that keeps it is told.
static void ask_next_keeper(node_pointer self, const promisee& asked, std::uint64_t sequence) {
  auto& s = self->state;
  auto [since, fresh] = s.leaderless.try_emplace(value(asked.group), now(self));
  std::vector<node_id> keepers;
  for (const auto& [id, keeps] : s.keepers)
    if ((keeps >> value(asked.group) & 1) != 0)
      keepers.push_back(id);
  auto next = node::keeper_after(asked.keeper, keepers);
  if (fresh || now(self) - since->second < leaderless_pause || next.null())
    return s.reports.failed(asked, sequence, now(self));
  since->second = now(self);
  look_elsewhere(self, asked, sequence, next);
}

void send_reports(node_pointer self) {
  auto& s = self->state;
  for (const auto& x : s.reports.due(now(self))) {
    auto what = filled(self, x);
    spdlog::debug("node report to={} group={} sequence={} full={} assessments={} events={}",
                  x.to.keeper.short_text(), value(x.to.group), x.sequence, x.full,
                  what.assessments_size(), what.events_size());
    auto keeper = s.context->directory->at<node_handle>(x.to.keeper, "node");
    self->request(keeper, report_timeout, std::move(what))
        .then(
            [self, x](const report_reply& answer) {
              auto next = node_id::from_bytes(answer.elsewhere());
              if (!next.null()) {
                look_elsewhere(self, x.to, x.sequence, next);
              } else {
                self->state.leaderless.erase(value(x.to.group));
                self->state.reports.acknowledged(x.to, x.sequence, now(self));
                heard(self, x);
                are_current(self, answer);
              }
              arm(self);
            },
            [self, to = x.to, sequence = x.sequence](const caf::error& error) {
              auto why = fault_of(error);
              spdlog::debug("node report_failed to={} why=\"{}\"", to.keeper.short_text(),
                            why.detail);
              if (why.code == errc::overloaded)
                ask_next_keeper(self, to, sequence);
              else
                self->state.reports.failed(to, sequence, now(self));
              arm(self);
            });
  }
}

void tell_everybody(node_pointer self) {
  auto& s = self->state;
  for (const auto& [uid, x] : s.promises.all())
    if (auto to = promisee_of(*x.record))
      s.reports.tell_all(*to, now(self));
  arm(self);
}

} // namespace legion
