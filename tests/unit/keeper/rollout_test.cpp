#include <doctest/doctest.h>

#include <algorithm>

#include "actors/keeper/revision.hpp"
#include "actors/keeper/rollout.hpp"

using namespace legion;
using namespace legion::keeper;

namespace {

node_id node(int n) {
  return node_id::from_bytes(std::string(15, 'n') + static_cast<char>('0' + n));
}

resource deployment(int replicas, const std::string& image = "a") {
  resource x;
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name("web");
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_deployment()->set_replicas(replicas);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(image);
  return x;
}

resource pod(const std::string& restart_policy, const std::string& image = "a") {
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
  explicit world(const resource& x, int nodes = 3) {
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
    for (const auto& y : x.what.slots())
      *reply.add_released() = y;
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
  bool disk_full = false;
  int regrets = 0;
  mutable wall_ms wall = 1000;
  std::uint32_t volunteers = 1000;
};

} // namespace

TEST_SUITE("keeper/rollout") {

  TEST_CASE("what is wanted is named, called for, accepted and bound; then nothing is due") {
    world w{deployment(3)};
    CHECK(w.pods("bound").size() == 3);
    CHECK(w.calls.size() == 1);
    CHECK(w.calls[0].what.count() == 3);
    CHECK(w.accepts.size() == 3);
    w.pass(seconds{1});
    CHECK(!w.rules->due(w.now));
    CHECK(w.view().ready() == 0);
    w.all_ready();
    CHECK(w.view().ready() == 3);
    CHECK(w.view().available() == 3);
    CHECK(w.view().updated() == 3);
  }

  TEST_CASE("pods are named after deployment, template and five characters") {
    world w{deployment(2)};
    auto prefix = "web-" + revision_of(deployment(2)) + "-";
    CHECK(revision_of(deployment(2)).size() == 10);
    CHECK(revision_of(deployment(2)) == revision_of(deployment(9)));
    CHECK(revision_of(deployment(2)) != revision_of(deployment(2, "b")));
    for (const auto& x : w.pods()) {
      CHECK(x.slot().pod().find(prefix) == 0);
      CHECK(x.slot().pod().size() == prefix.size() + 5);
    }
  }

  TEST_CASE("pending pods have names and a note before anybody volunteers") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(2));
    auto waiting = w.pods("missing");
    REQUIRE(waiting.size() == 2);
    CHECK(waiting[0].note() == "3 nodes declined: cpu: needs 2000m, free 300m of 1000m");
    auto known = w.rules->explain(waiting[0].slot().pod(), w.at());
    REQUIRE(known);
    CHECK(known->rounds_size() == 1);
    CHECK(known->view().state() == "missing");
  }

  TEST_CASE("too few volunteers: called again after 0.2 s, then less and less often, up to 10 s") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(1));
    std::vector<double> gaps;
    for (int i = 0; i < 12; ++i) {
      auto before = w.now;
      w.now = *w.rules->due(w.now);
      gaps.push_back(std::chrono::duration<double>(w.now - before).count());
      w.act(w.rules->on_tick(w.at()));
    }
    CHECK(gaps[0] >= 0.1);
    CHECK(gaps[0] <= 0.2);
    CHECK(gaps[3] > gaps[0]);
    CHECK(*std::max_element(gaps.begin(), gaps.end()) <= 10.0);
    CHECK(gaps.back() >= 5.0);
    CHECK(w.rules->explain(w.pods()[0].slot().pod(), w.at())->rounds_size() == 1);
  }

  TEST_CASE("a new member is reason enough to call at once") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(1));
    w.pass(seconds{60});
    auto before = w.calls.size();
    w.volunteers = 10;
    w.now += seconds{1};
    w.member(5, member_alive);
    CHECK(w.calls.size() == before + 1);
    CHECK(w.pods("bound").size() == 1);
  }

  TEST_CASE("a partial outcome is accepted, the rest called for again") {
    world w{deployment(0)};
    w.volunteers = 2;
    w.put(deployment(3));
    CHECK(w.pods("bound").size() == 2);
    w.pass(seconds{1});
    CHECK(w.calls.back().what.count() == 1);
    CHECK(w.pods("bound").size() == 3);
  }

  TEST_CASE("silence is resent with back-off, to the same node, under the same order") {
    world w{deployment(0)};
    w.silent = true;
    w.put(deployment(1));
    w.pass(seconds{30});
    REQUIRE(w.accepts.size() > 4);
    CHECK(w.accepts.size() < 20);
    for (const auto& x : w.accepts) {
      CHECK(x.to == w.accepts[0].to);
      CHECK(x.what.slots(0).uid() == w.accepts[0].what.slots(0).uid());
      CHECK(x.what.slots(0).order().index() == w.accepts[0].what.slots(0).order().index());
    }
    CHECK(w.calls.size() == 1);
    CHECK(w.pods("accepted").size() == 1);
    w.silent = false;
    w.pass(seconds{11});
    CHECK(w.pods("bound").size() == 1);
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("a report ends the wait for an answer that was lost") {
    world w{deployment(0)};
    w.silent = true;
    w.put(deployment(1));
    w.ready(w.pods()[0]);
    CHECK(w.pods("bound").size() == 1);
    auto before = w.accepts.size();
    w.pass(seconds{60});
    CHECK(w.accepts.size() == before);
  }

  TEST_CASE(
      "regret: called anew under the same name and another uid, as old as before; explained") {
    world w{deployment(0)};
    w.regrets = 1;
    w.put(deployment(1));
    auto first = w.accepts[0].what.slots(0);
    w.pass(seconds{1});
    REQUIRE(w.pods("bound").size() == 1);
    CHECK(w.pods().size() == 1);
    CHECK(w.pods()[0].slot().pod() == first.pod());
    CHECK(w.pods()[0].slot().uid() != first.uid());
    CHECK(w.calls.size() == 2);
    CHECK(w.pods()[0].created_ms() == first.named_ms());
    auto told = w.rules->explain(first.pod(), w.at());
    REQUIRE(told->rounds_size() == 2);
    CHECK(told->rounds(0).regretted(0).detail() == "the offer expired");
  }

  TEST_CASE("regret without end is called for less and less often") {
    world w{deployment(0)};
    w.regrets = 1'000'000;
    w.put(deployment(1));
    w.pass(seconds{60});
    CHECK(w.calls.size() < 20);
  }

  TEST_CASE("suspect is not dead; dead is: ended with a tombstone, replaced under a new uid") {
    world w{deployment(3)};
    w.all_ready();
    auto lost = w.on(2);
    REQUIRE(lost.size() == 1);
    w.member(2, member_suspect);
    CHECK(w.pods().size() == 3);
    CHECK(w.view().ready() == 3);
    w.now += seconds{1};
    w.member(2, member_dead);
    CHECK(w.pods("bound").size() == 3);
    REQUIRE(w.pods("replaced").size() == 1);
    CHECK(w.pods("replaced")[0].slot().uid() == lost[0].slot().uid());
    CHECK(w.pods("replaced")[0].node_dead());
    CHECK(w.releases.empty());
    for (const auto& x : w.calls.back().among)
      CHECK(x.id != node(2));
    for (const auto& x : w.pods("bound"))
      CHECK(x.slot().uid() != lost[0].slot().uid());
    SUBCASE("it returns: its tombstone is released, and only that") {
      w.slow_stop = true;
      w.member(2, member_alive);
      REQUIRE(w.releases.size() == 1);
      CHECK(w.releases[0].to == node(2));
      CHECK(w.releases[0].what.slots_size() == 1);
      CHECK(w.releases[0].what.slots(0).uid() == lost[0].slot().uid());
      CHECK(w.pods("ending").size() == 1);
      w.pass(seconds{3});
      CHECK(w.releases.size() > 2);
      w.slow_stop = false;
      w.pass(seconds{3});
      CHECK(w.pods().size() == 3);
      CHECK(!w.rules->due(w.now));
      CHECK(w.rules->explain(lost[0].slot().pod(), w.at())->view().state() == "gone");
    }
    SUBCASE("a dead node costs no timer") {
      w.pass(seconds{5});
      CHECK(!w.rules->due(w.now));
    }
  }

  TEST_CASE("a restart is not a reason to replace: the node adopts what it promised") {
    world w{deployment(3)};
    w.all_ready();
    w.member(2, member_alive, 2);
    CHECK(w.calls.size() == 1);
    CHECK(w.pods("bound").size() == 3);
  }

  TEST_CASE("the keeper's own node is never dead to it") {
    world w{deployment(3)};
    w.member(0, member_dead);
    CHECK(w.pods("bound").size() == 3);
    CHECK(w.calls.size() == 1);
  }

  TEST_CASE("withdrawn by its node: replaced, and released there") {
    world w{deployment(3)};
    w.all_ready();
    auto x = w.on(1)[0];
    auto r = w.report_of(x.slot(), node(1), false);
    r.mutable_assessments(0)->set_withdrawn(true);
    w.act(w.rules->on_heard(r, w.at()));
    w.pass(seconds{1});
    CHECK(w.pods("bound").size() == 3);
    REQUIRE(w.releases.size() == 1);
    CHECK(w.releases[0].what.slots(0).uid() == x.slot().uid());
  }

  TEST_CASE("evidence of another node about a slot is not heard") {
    world w{deployment(1)};
    auto x = w.pods()[0];
    auto other = x.node() == node(1).bytes() ? node(2) : node(1);
    w.act(w.rules->on_heard(w.report_of(x.slot(), other, true), w.at()));
    CHECK(w.view().ready() == 0);
  }

  TEST_CASE("a full report without a promise: asked again, never taken for its end") {
    world w{deployment(1)};
    w.all_ready();
    auto before = w.accepts.size();
    report r;
    r.set_node(w.pods()[0].node());
    r.set_full(true);
    w.act(w.rules->on_heard(r, w.at()));
    CHECK(w.accepts.size() == before + 1);
    CHECK(w.pods("bound").size() == 1);
    CHECK(w.calls.size() == 1);
  }

  TEST_CASE("scaled up and down") {
    world w{deployment(3)};
    w.all_ready();
    w.put(deployment(5));
    CHECK(w.pods("bound").size() == 5);
    CHECK(w.calls.back().what.count() == 2);
    w.put(deployment(2));
    w.pass(seconds{1});
    CHECK(w.pods().size() == 2);
    w.put(deployment(0));
    w.pass(seconds{1});
    CHECK(w.pods().empty());
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("a changed template replaces one at a time, new ready before old stops") {
    world w{deployment(3)};
    w.all_ready();
    w.put(deployment(3, "b"));
    auto revision = revision_of(deployment(3, "b"));
    for (int step = 0; step < 3; ++step) {
      auto fresh = 0;
      for (const auto& x : w.pods("bound"))
        fresh += x.slot().revision() == revision ? 1 : 0;
      CHECK(fresh == step + 1);
      CHECK(w.pods("bound").size() == 4);
      w.pass(seconds{30}); // nothing moves until the new one is ready
      CHECK(w.pods("bound").size() == 4);
      CHECK(w.view().ready() == 3);
      w.all_ready();
    }
    w.pass(seconds{1});
    CHECK(w.pods().size() == 3);
    CHECK(w.view().updated() == 3);
    CHECK(w.view().ready() == 3);
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("minReadySeconds: ready is not yet available") {
    auto b = deployment(1, "b");
    b.mutable_deployment()->set_min_ready_seconds(10);
    world w{deployment(1)};
    w.all_ready();
    w.put(b);
    w.all_ready();
    w.pass(seconds{9});
    CHECK(w.pods("bound").size() == 2);
    w.pass(seconds{2});
    CHECK(w.pods().size() == 1);
    CHECK(w.view().available() == 1);
  }

  TEST_CASE("Recreate ends all before it names any") {
    auto a = deployment(3);
    a.mutable_deployment()->set_strategy("Recreate");
    auto b = deployment(3, "b");
    b.mutable_deployment()->set_strategy("Recreate");
    world w{a};
    w.all_ready();
    w.slow_stop = true;
    w.put(b);
    w.pass(seconds{2});
    CHECK(w.pods("ending").size() == 3);
    CHECK(w.pods().size() == 3);
    w.slow_stop = false;
    w.pass(seconds{3});
    CHECK(w.pods("bound").size() == 3);
    CHECK(w.pods().size() == 3);
  }

  TEST_CASE("a template that changes while nobody volunteers: the old names go at once") {
    world w{deployment(0)};
    w.volunteers = 0;
    w.put(deployment(2));
    w.put(deployment(2, "b"));
    REQUIRE(w.pods("missing").size() == 2);
    for (const auto& x : w.pods())
      CHECK(x.slot().revision() == revision_of(deployment(2, "b")));
  }

  TEST_CASE("an outcome for an earlier template is given back") {
    world w{deployment(0)};
    w.hold_calls = true;
    w.put(deployment(2));
    auto held = w.calls.back();
    w.put(deployment(2, "b"));
    w.act(w.rules->on_placed(w.placed(held, 10), w.at()));
    CHECK(w.accepts.empty());
    CHECK(w.releases.size() == 2);
    CHECK(w.releases[0].what.offer() != 0);
    CHECK(w.calls.size() == 2); // and the new one is called for
  }

  TEST_CASE("a full disk: nothing is accepted, offers are given back, and it goes on later") {
    world w{deployment(0)};
    w.hold_calls = true;
    w.put(deployment(2));
    w.disk_full = true;
    w.act(w.rules->on_placed(w.placed(w.calls.back(), 10), w.at()));
    CHECK(w.accepts.empty());
    CHECK(w.releases.size() == 2);
    w.disk_full = false;
    w.hold_calls = false;
    w.pass(seconds{2});
    CHECK(w.pods("bound").size() == 2);
  }

  TEST_CASE("deleted: every slot ends, and all is over once every holder has released") {
    world w{deployment(3)};
    w.slow_stop = true;
    w.remove();
    CHECK(w.pods("ending").size() == 3);
    CHECK(w.view().deleting());
    CHECK(!group::is_over(w.rules->kept()));
    w.slow_stop = false;
    w.pass(seconds{3});
    CHECK(group::is_over(w.rules->kept()));
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("deleted while a holder is dead: its tombstone waits for it") {
    world w{deployment(3)};
    w.member(2, member_dead);
    w.remove();
    w.pass(seconds{5});
    CHECK(w.pods().size() == 1);
    CHECK(w.pods("replaced").size() == 1);
    w.member(2, member_alive, 2);
    w.pass(seconds{1});
    CHECK(group::is_over(w.rules->kept()));
  }

  TEST_CASE("a bare Pod has one slot named as it; its death is replaced by the same name") {
    world w{pod("Always")};
    REQUIRE(w.pods("bound").size() == 1);
    CHECK(w.pods()[0].slot().pod() == "job");
    auto at = w.pods()[0].node() == node(1).bytes()   ? 1
              : w.pods()[0].node() == node(2).bytes() ? 2
                                                      : 0;
    if (at != 0) {
      w.member(at, member_dead);
      w.pass(seconds{1});
      REQUIRE(w.pods("bound").size() == 1);
      CHECK(w.pods("bound")[0].slot().pod() == "job");
    }
  }

  TEST_CASE("a Pod that is not to be restarted stays when it has ended, wherever its node is") {
    for (auto [policy, phase] :
         {std::pair{"Never", "Succeeded"}, {"Never", "Failed"}, {"OnFailure", "Succeeded"}}) {
      world w{pod(policy)};
      auto x = w.pods()[0];
      w.act(w.rules->on_heard(w.report_of(x.slot(), node_id::from_bytes(x.node()), false, phase),
                              w.at()));
      for (int i = 1; i < 3; ++i)
        w.member(i, member_dead);
      w.pass(seconds{60});
      REQUIRE(w.pods().size() == 1);
      CHECK(w.pods()[0].slot().uid() == x.slot().uid());
      CHECK(w.calls.size() == 1);
    }
  }

  TEST_CASE("what has finished is committed: a new keeper never runs it again, "
            "whether its node is dead or regrets it") {
    for (auto [policy, phase] :
         {std::pair{"Never", "Succeeded"}, {"Never", "Failed"}, {"OnFailure", "Succeeded"}}) {
      world w{pod(policy)};
      auto x = w.pods()[0];
      w.act(w.rules->on_heard(w.report_of(x.slot(), node_id::from_bytes(x.node()), false, phase),
                              w.at()));
      auto kept = w.rules->kept();
      CHECK(kept.slots.begin()->second.finished == phase);
      auto commits = w.index;
      w.pass(seconds{10});
      CHECK(w.index == commits);                 // once
      kept.slots.begin()->second.node = node(9); // nobody knows it
      w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
      w.accepts.clear();
      w.regrets = 9;
      w.act(w.rules->on_members(w.members, w.at()));
      w.pass(seconds{60});
      CHECK(w.accepts.empty());
      CHECK(w.calls.size() == 1);
      REQUIRE(w.pods("bound").size() == 1);
      CHECK(w.pods()[0].assessment().phase() == phase);
      w.remove();
      CHECK(w.pods("ending").size() + w.pods("replaced").size() == 1);
    }
  }

  TEST_CASE("a Pod that failed because its node withdrew it has not finished") {
    world w{pod("Never")};
    auto x = w.pods()[0];
    auto told = w.report_of(x.slot(), node_id::from_bytes(x.node()), false, "Failed");
    told.mutable_assessments(0)->set_withdrawn(true);
    w.act(w.rules->on_heard(told, w.at()));
    w.pass(seconds{5});
    CHECK(w.calls.size() == 2);
  }

  TEST_CASE("a Deployment's replica that failed for good is replaced, ever more slowly") {
    world w{deployment(1)};
    for (int i = 0; i < 30; ++i) {
      for (const auto& x : w.pods("bound"))
        w.act(w.rules->on_heard(
            w.report_of(x.slot(), node_id::from_bytes(x.node()), false, "Failed"), w.at()));
      w.pass(seconds{1});
    }
    CHECK(w.calls.size() > 2);
    CHECK(w.calls.size() < 15);
  }

  TEST_CASE("a keeper that begins again asks for every accept's answer and every release") {
    world w{deployment(2)};
    auto kept = w.rules->kept();
    kept.slots.begin()->second.phase = group::slot_phase::ending;
    w.accepts.clear();
    w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
    w.hold_calls = true;
    w.act(w.rules->on_members(w.members, w.at()));
    CHECK(w.accepts.size() == 1);
    CHECK(w.releases.size() == 1);
    CHECK(w.pods("bound").size() == 1);
    CHECK(w.pods("missing").size() == 1);
  }

  TEST_CASE("an accept of an earlier template names no offer: it binds nothing new") {
    world w{deployment(1)};
    auto kept = w.rules->kept();
    kept.what = deployment(1, "b");
    w.accepts.clear();
    w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
    w.hold_calls = true;
    w.act(w.rules->on_members(w.members, w.at()));
    REQUIRE(w.accepts.size() == 1);
    CHECK(w.accepts[0].what.offer() == 0);
    CHECK(w.accepts[0].offer != 0);
  }

  TEST_CASE("a member nobody has heard of is as good as dead after 30 s, not before") {
    world w{deployment(1)};
    auto kept = w.rules->kept();
    kept.slots.begin()->second.node = node(9);
    w.rules.emplace(kept, group_id{1}, node(0), 1, 8, w.at());
    w.silent = true;
    w.act(w.rules->on_members(w.members, w.at()));
    w.pass(seconds{29});
    CHECK(w.pods("replaced").empty());
    w.silent = false;
    w.pass(seconds{2});
    CHECK(w.pods("replaced").size() == 1);
    CHECK(w.pods("bound").size() == 1);
    w.pass(seconds{60});
    CHECK(!w.rules->due(w.now));
  }

  TEST_CASE("the same seed and inputs give the same names") {
    world a{deployment(3)}, b{deployment(3)};
    CHECK(a.view().SerializeAsString() == b.view().SerializeAsString());
  }

} // TEST_SUITE
