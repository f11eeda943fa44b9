#pragma once

#include <doctest/doctest.h>

#include <algorithm>

#include "actors/keeper/revision.hpp"
#include "actors/keeper/rollout.hpp"

namespace legion::rollout_world {

using namespace legion::keeper;

inline node_id node(int n) {
  return node_id::from_bytes(std::string(15, 'n') + static_cast<char>('0' + n));
}

inline resource deployment(int replicas, const std::string& image = "a") {
  resource x;
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name("web");
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_deployment()->set_replicas(replicas);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(image);
  return x;
}

inline resource pod(const std::string& restart_policy, const std::string& image = "a") {
  resource x;
  x.set_kind("Pod");
  x.mutable_metadata()->set_name("job");
  x.mutable_pod()->set_restart_policy(restart_policy);
  x.mutable_pod()->add_containers()->set_image(image);
  return x;
}

/// A keeper's rules with a journal that commits at once, and nodes that do as they are told unless
/// a test says otherwise.
struct world {
  explicit world(const resource& x, int nodes = 3, bool full = false) : disk_full(full) {
    group::resource_state kept;
    kept.what = x;
    rules.emplace(kept, group_id{1}, node(0), 1, 7, at());
    auto table = std::make_shared<member_table>();
    for (int i = 0; i < nodes; ++i)
      (*table)[node(i)] = {"legion-" + std::to_string(i), 1, member_alive};
    members = table;
    act(rules->on_members(members, at()));
  }

  moment at() const { return {now, ++wall}; }

  /// Performs effects until nothing follows; what a test wants to see it keeps.
  void act(rollout::effects effects) {
    while (!effects.empty()) {
      rollout::effects next;
      auto add = [&](rollout::effects more) {
        std::move(more.begin(), more.end(), std::back_inserter(next));
      };
      for (auto& x : effects) {
        if (auto* p = std::get_if<propose>(&x))
          add(commit(p->entries));
        else if (auto* p = std::get_if<place>(&x))
          add(on_place(*p));
        else if (auto* p = std::get_if<keeper::send_accept>(&x))
          add(on_accept(*p));
        else if (auto* p = std::get_if<keeper::send_release>(&x))
          add(on_release(*p));
      }
      effects = std::move(next);
    }
  }

  rollout::effects commit(std::vector<group_entry> xs) {
    if (disk_full)
      return rules->on_refused({errc::disk_full, "0 bytes free"}, at());
    for (auto& x : xs) {
      x.set_index(++index);
      x.set_incarnation(1);
      journal.push_back(x);
    }
    auto result = rules->on_committed(xs, at());
    auto more = rules->on_proposed(at());
    std::move(more.begin(), more.end(), std::back_inserter(result));
    return result;
  }

  /// An author's change.
  void put(const resource& x) {
    group_entry entry;
    entry.set_index(++index);
    *entry.mutable_put()->mutable_what() = x;
    act(rules->on_committed({entry}, at()));
  }

  void remove() {
    group_entry entry;
    entry.set_index(++index);
    *entry.mutable_remove()->mutable_name() = group::name_of(rules->kept().what);
    act(rules->on_committed({entry}, at()));
  }

  rollout::effects on_place(const place& x) {
    calls.push_back(x);
    if (hold_calls)
      return {};
    return rules->on_placed(placed(x, volunteers), at());
  }

  placement::outcome placed(const place& x, std::uint32_t limit) {
    placement::outcome result;
    result.missing = x.what.count();
    std::vector<std::uint32_t> counts(x.among.size());
    for (std::uint32_t n = 0; n < std::min(limit, x.what.count()) && !x.among.empty(); ++n)
      ++counts[(n + next_node) % x.among.size()];
    ++next_node;
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] > 0) {
        result.picks.push_back({x.among[i].id, x.among[i].name, ++offers, 1, counts[i]});
        result.missing -= counts[i];
      }
    result.record.set_called_for(x.what.count());
    for (const auto& pick : result.picks) {
      auto& heard = *result.record.add_candidates();
      heard.set_node(pick.node.bytes());
      heard.set_node_name(pick.node_name);
      heard.set_accepted(true);
    }
    if (result.missing > 0)
      result.note = "3 nodes declined: cpu: needs 2000m, free 300m of 1000m";
    return result;
  }

  rollout::effects on_accept(const keeper::send_accept& x) {
    accepts.push_back(x);
    // The acceptance is in the journal before it is sent.
    for (const auto& y : x.what.slots()) {
      auto committed = std::any_of(journal.begin(), journal.end(), [&](const group_entry& e) {
        return e.index() == y.order().index() && e.has_accepted()
               && std::any_of(e.accepted().slots().begin(), e.accepted().slots().end(),
                              [&](const slot& z) { return z.uid() == y.uid(); });
      });
      CHECK(committed);
    }
    if (silent)
      return rules->on_accept_failed(x.to, x.offer, at());
    accept_reply reply;
    for (const auto& y : x.what.slots()) {
      auto& answer = *reply.add_slots();
      answer.set_uid(y.uid());
      *answer.mutable_order() = y.order();
      answer.set_bound(regrets == 0);
      if (regrets > 0) {
        --regrets;
        answer.set_detail("the offer expired");
      }
    }
    return rules->on_accept_reply(x.to, x.offer, reply, at());
  }

  rollout::effects on_release(const keeper::send_release& x) {
    releases.push_back(x);
    if (x.what.slots_size() == 0)
      return {};
    if (slow_stop || silent) {
      release_reply reply;
      for (const auto& y : x.what.slots())
        *reply.add_stopping() = y;
      return silent ? rules->on_release_failed(x.to, at())
                    : rules->on_release_reply(x.to, reply, at());
    }
    release_reply reply;
    for (const auto& y : x.what.slots()) {
      *reply.add_released() = y;
      if (saw_end)
        reply.add_ended(y.uid());
    }
    return rules->on_release_reply(x.to, reply, at());
  }

  void member(int n, member_state state, std::uint64_t start = 1) {
    auto table = std::make_shared<member_table>(*members);
    (*table)[node(n)] = {"legion-" + std::to_string(n), start, state};
    members = table;
    act(rules->on_members(members, at()));
  }

  report report_of(const slot& y, const node_id& from, bool ready,
                   const std::string& phase = "Running") {
    report result;
    result.set_node(from.bytes());
    auto& x = *result.add_assessments();
    *x.mutable_slot() = y;
    x.set_phase(phase);
    x.set_ready(ready);
    return result;
  }

  void ready(const pod_view& x, bool is = true) {
    act(rules->on_heard(report_of(x.slot(), node_id::from_bytes(x.node()), is), at()));
  }

  /// Everything that is bound says that it is ready.
  void all_ready() {
    for (const auto& x : pods("bound"))
      ready(x);
  }

  void pass(time_point::duration x) {
    auto end = now + x;
    for (int i = 0; i < 1000; ++i) {
      auto due = rules->due(now);
      if (!due || *due > end)
        break;
      now = std::max(*due, now + milliseconds{1});
      act(rules->on_tick(at()));
    }
    now = end;
  }

  resource_view view() const { return rules->view(at(), true); }

  std::vector<pod_view> pods(const std::string& state = {}) const {
    std::vector<pod_view> result;
    auto all = view();
    for (const auto& x : all.pods())
      if (state.empty() || x.state() == state)
        result.push_back(x);
    return result;
  }

  std::vector<pod_view> on(int n) const {
    std::vector<pod_view> result;
    for (const auto& x : pods())
      if (x.node() == node(n).bytes())
        result.push_back(x);
    return result;
  }

  std::optional<rollout> rules;
  member_table_ptr members;
  time_point now{};
  std::uint64_t index = 0;
  std::uint64_t offers = 0;
  std::size_t next_node = 0;
  std::vector<group_entry> journal;
  std::vector<place> calls;
  std::vector<keeper::send_accept> accepts;
  std::vector<keeper::send_release> releases;
  bool hold_calls = false;
  bool silent = false;
  bool slow_stop = false;
  bool saw_end = true; // who releases has seen the workload end
  bool disk_full = false;
  int regrets = 0;
  mutable wall_ms wall = 1000;
  std::uint32_t volunteers = 1000;
};

} // namespace legion::rollout_world
