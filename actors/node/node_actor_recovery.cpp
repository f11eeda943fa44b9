#include <algorithm>

#include <spdlog/spdlog.h>

#include "actors/journal_ends.hpp"
#include "actors/node/node_actor_state.hpp"
#include "actors/node/recovery.hpp"
#include "actors/placement/constraints.hpp"

namespace legion {

namespace {

using node::phase;

constexpr auto driver_timeout = seconds{10};
constexpr auto recover_pause = seconds{1};

void restore_one(node_pointer self, promise_record x) {
  auto& s = self->state;
  const auto uid = x.slot().uid();
  std::vector<int> ports(x.host_ports().begin(), x.host_ports().end());
  s.ledger.restore(uid, node::need_of(node::pod_of(x.what())), ports);
  if (!x.keeper().empty())
    s.terms[x.group()] = std::max(s.terms[x.group()], x.term());
  auto where = x.ending() ? phase::ending : phase::bound;
  s.promises.add(std::move(x), where);
  s.promises.find(uid)->end_is_kept = where == phase::ending;
}

void try_again(node_pointer self, const char* what, const caf::error& why) {
  spdlog::warn("node {}_failed why=\"{}\": tried again", what, fault_of(why).detail);
  self->delayed_send(self, recover_pause, recover_again{});
}

/// A promise that the journal lost, from who runs what it says. Salvaged: it may have ended meanwhile,
/// and its keeper says so.
void take_back(node_pointer self, promise_record what) {
  auto& s = self->state;
  const auto uid = what.slot().uid();
  spdlog::warn(
      "node took_back uid={} pod={}: its promise was lost with the journal; the supervisor "
      "had a copy",
      uid, what.slot().pod());
  record_batch batch;
  auto& record = *batch.add_records();
  record.set_key(node::promise_key(uid));
  record.set_value(what.SerializeAsString());
  write(
      self, s.partners.store, store_timeout, std::move(batch), [](written) {},
      [uid](const caf::error& why) { // should the node end now, it is taken back again
        spdlog::warn("node not_written uid={} why=\"{}\"", uid, fault_of(why).detail);
      });
  restore_one(self, std::move(what));
}

void end_strays(node_pointer self, const std::set<std::string>& uids, const process_list& all) {
  auto& s = self->state;
  std::map<std::string, std::vector<process_status>> by_workload;
  for (const auto& x : all.processes())
    if (uids.contains(x.workload()) && !s.promises.find(x.workload()))
      by_workload[x.workload()].push_back(x);
  for (auto& [uid, found] : by_workload) {
    spdlog::warn("node stray uid={} pod={}: no promise is known, it is ended", uid,
                 found.front().pod());
    s.promises.add(node::stray_record(uid, found), phase::ending);
    employ(self, uid, std::move(found));
  }
}

/// The name of a Pod that runs and of which the supervisor has the promise, but the journal has not:
/// each promise is on disk before its process starts, and is kept until that has ended. So the
/// journal is from an earlier time. Empty: there is none.
std::string unknown_to_journal(node_pointer self, const process_list& all) {
  for (const auto& x : all.processes())
    if (x.state() != "exited" && !self->state.promises.find(x.workload())
        && node::copy_of_promise(x.workload(), {x}))
      return x.pod();
  return {};
}

void adopt(node_pointer self, const process_list& all) {
  auto& s = self->state;
  s.supervisor_pid = static_cast<int>(all.supervisor_pid());
  const auto& begin = s.context->begin_new_journal;
  auto may_be_old = begin && !s.context->damage && !s.context->accepts_loss
                    && s.context->self.start > start_number{1};
  if (auto pod = may_be_old ? unknown_to_journal(self, all) : ""; !pod.empty())
    return begin("pod " + pod
                 + " runs here, and the supervisor has its promise, but the journal has not: it is "
                   "from an earlier time, or was lost");
  std::map<std::string, std::vector<process_status>> by_workload;
  for (const auto& x : all.processes())
    by_workload[x.workload()].push_back(x);
  judge_strays strays;
  for (const auto& [uid, found] : by_workload) {
    if (s.promises.find(uid))
      continue;
    // Who founds a zone anew has nobody to keep it for.
    auto begins_anew = s.context->damage || (s.context->accepts_loss && !s.context->founds());
    if (!begins_anew)
      strays.uids.insert(uid);
    else if (auto copy = node::copy_of_promise(uid, found))
      take_back(self, std::move(*copy));
    else // its promise may be among what is lost, and absence ends none
      spdlog::warn("node unknown uid={} pod={}: no promise is known since the journal was damaged, "
                   "and its supervisor has no copy; it is left alone",
                   uid, found.front().pod());
  }
  if (!strays.uids.empty())
    self->send(self, std::move(strays));
  std::size_t running = 0;
  std::vector<std::string> uids;
  for (const auto& [uid, x] : s.promises.all())
    uids.push_back(uid);
  for (const auto& uid : uids) {
    auto& found = by_workload[uid];
    auto alive = static_cast<std::size_t>(std::count_if(
        found.begin(), found.end(), [](const auto& x) { return x.state() != "exited"; }));
    running += alive;
    // It may have been released in what is lost: it goes on, but is not begun again.
    auto* known = s.promises.find(uid);
    const auto& what = known->record->what();
    const auto* out = what.has_pod() || what.has_deployment()
                          ? placement::drives_out(node::pod_of(what), s.self.describes.taints)
                          : nullptr;
    if (out)
      spdlog::info("node ends pod={}: taint {} is not tolerated", known->record->slot().pod(),
                   out->key());
    if (known->phase != phase::ending && (out || (known->record->salvaged() && alive == 0))) {
      known->phase = phase::ending;
      known->withdrawn = true;
    }
    employ(self, uid, std::move(found));
  }
  s.self.recovering = false;
  spdlog::info("node recovered promises={} adopted_processes={}", uids.size(), running);
  tell_everybody(self);
}

/// Once, with what enforces each of a workload's limits here and what does not.
void tell_features(const drivers::features& x) {
  std::string limits;
  for (const auto& y : x.limits)
    limits += (limits.empty() ? "" : ",") + y;
  auto level = x.note.empty() ? spdlog::level::info : spdlog::level::warn;
  spdlog::log(level, "node driver={} root={} limits={} note=\"{}\"", x.name, x.root,
              limits.empty() ? "none" : limits, x.note);
}

void list_driver(node_pointer self) {
  self->request(self->state.partners.runtime, driver_timeout, list_running{})
      .then([self](const process_list& all) { adopt(self, all); },
            [self](const caf::error& why) { try_again(self, "list", why); });
}

} // namespace

void restore(node_pointer self, const std::vector<record>& replayed) {
  self->state.departed.restore(replayed);
  for (auto& x : node::promises_in(replayed))
    restore_one(self, std::move(x));
}

/// Not before the zone has heard of this start: the journal may be an old copy, whose promises are
/// not all, and then this node begins anew with what runs.
void on_judge_strays(node_pointer self, const judge_strays& x) {
  auto later = [self, x] { self->delayed_send(self, recover_pause, x); };
  self->request(self->state.partners.membership, driver_timeout, list_members{})
      .then(
          [self, x, later](const members_known& zone) {
            if (zone.joining)
              return later();
            self->request(self->state.partners.runtime, driver_timeout, list_running{})
                .then([self, x](const process_list& all) { end_strays(self, x.uids, all); },
                      [later](const caf::error&) { later(); });
          },
          [later](const caf::error&) { later(); });
}

void recover(node_pointer self) {
  self->request(self->state.partners.runtime, driver_timeout, list_features{})
      .then(
          [self](const drivers::features& x) {
            auto& s = self->state;
            if (s.features.name.empty())
              tell_features(x);
            s.features = x;
            s.self.describes.drivers = {x.name};
            s.self.describes.root = x.root;
            s.self.describes.user = x.user;
            s.self.describes.group = x.group;
            list_driver(self);
          },
          [self](const caf::error& why) { try_again(self, "features", why); });
}

void employ(node_pointer self, const std::string& uid, std::vector<process_status> found) {
  auto& s = self->state;
  auto* known = s.promises.find(uid);
  if (!known || s.keeping.contains(uid))
    return;
  auto promise = spawn_promise(self->system(), s.context, known->record, std::move(found),
                               known->phase == phase::ending, s.partners.runtime,
                               caf::actor_cast<promise_owner>(self));
  self->monitor(promise);
  s.keeping.emplace(uid, promise);
  lease_begins(self, *known->record);
  if (known->phase == phase::ending)
    self->send(promise, end_promise{known->withdrawn});
}

void employ_again(node_pointer self, const std::string& uid) {
  self->request(self->state.partners.runtime, driver_timeout, list_running{})
      .then(
          [self, uid](const process_list& all) {
            std::vector<process_status> mine;
            for (const auto& x : all.processes())
              if (x.workload() == uid)
                mine.push_back(x);
            employ(self, uid, std::move(mine));
          },
          [self, uid](const caf::error&) {
            self->delayed_send(self, recover_pause, employ_later{uid});
          });
}

void on_supervisor_lost(node_pointer self, const std::string& why) {
  auto& s = self->state;
  s.supervisor_pid = 0;
  event x;
  x.set_time_ms(s.context->wall_clock());
  x.set_type("Warning");
  x.set_reason("SupervisorLost");
  x.set_object(s.context->self.name);
  x.set_source(s.context->self.name);
  x.set_message(why + "; what it ran has ended with it");
  x.set_count(1);
  s.events.add(std::move(x));
  learn_supervisor_again(self);
}

/// While none can be started, every second.
void learn_supervisor_again(node_pointer self) {
  self->request(self->state.partners.runtime, driver_timeout, list_running{})
      .then(
          [self](const process_list& all) {
            self->state.supervisor_pid = static_cast<int>(all.supervisor_pid());
          },
          [self](const caf::error&) {
            self->delayed_send(self, recover_pause, learn_supervisor{});
          });
}

static seen_member seen_as(node_pointer self, const member_change& x) {
  constexpr wall_ms coarse = 10'000; // else each look would be news
  seen_member result;
  result.set_id(x.who.id());
  result.set_start(x.who.start());
  result.set_life(x.who.life());
  if (const auto& ends = self->state.context->ends) {
    auto end = ends->of(node_id::from_bytes(x.who.id()));
    if (!end.journal.null())
      result.set_journal(end.journal.bytes());
    result.set_rows(end.rows);
    result.set_rows_start(value(end.start));
  }
  if (x.state == member_dead) {
    auto ago = std::chrono::duration_cast<milliseconds>(now(self) - x.since).count();
    result.set_died_ms((self->state.context->wall_clock() - ago) / coarse * coarse);
  }
  return result;
}

void remember_members(node_pointer self) {
  self->state.remember_members_at.reset();
  self->request(self->state.partners.membership, driver_timeout, list_members{})
      .then(
          [self](const members_known& all) {
            auto& s = self->state;
            std::vector<shared_member> living;
            for (const auto& x : all.members)
              if (x.state == member_alive || x.state == member_suspect)
                living.push_back(x.who);
            auto known = node::members_to_remember(s.context->self.id, std::move(living));
            known.set_cluster(all.cluster);
            for (const auto& x : all.members)
              if (x.who.id() != s.context->self.id.bytes())
                *known.add_seen() = seen_as(self, x);
            auto value = known.SerializeAsString();
            auto hash = std::hash<std::string>{}(value);
            if (hash == s.members_hash)
              return;
            record_batch batch;
            auto& record = *batch.add_records();
            record.set_key("members");
            record.set_value(std::move(value));
            write(
                self, s.partners.store, store_timeout, std::move(batch),
                [self, hash](written) { self->state.members_hash = hash; },
                [](const caf::error& why) {
                  spdlog::warn("node members_not_written why=\"{}\"", fault_of(why).detail);
                });
          },
          [](const caf::error& why) {
            spdlog::debug("node members_not_listed why=\"{}\"", fault_of(why).detail);
          });
}

} // namespace legion
