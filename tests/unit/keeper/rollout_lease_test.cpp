#include "tests/unit/keeper/rollout_world.hpp"

#include "actors/keeper/lease.hpp"

namespace legion::rollout_lease_test {

using namespace legion::keeper;
using namespace legion::rollout_world;

namespace {

/// The lease, what the kernel takes, and what clocks may be wrong by.
constexpr auto over = milliseconds{12'100};

resource exclusive(int replicas = 1, const std::string& image = "a") {
  auto x = deployment(replicas, image);
  auto& y = *x.mutable_deployment()->mutable_template_()->mutable_metadata()->add_annotations();
  y.set_key(exclusive_annotation);
  y.set_value("true");
  return x;
}

node_id node_of(const pod_view& x) {
  return node_id::from_bytes(x.node());
}

/// One replica, on a node that is not the keeper's own.
struct exclusive_world : world {
  exclusive_world() : world(exclusive(0)) {
    next_node = 1;
    put(exclusive());
  }
};

bool renew(world& w, const pod_view& x) {
  return w.rules->on_lease_ask(node_of(x), {x.slot().uid()}, w.at()).size() == 1;
}

/// How long after now another replica is accepted, to half a second; nothing: not within a minute.
std::optional<milliseconds> next_accept(world& w) {
  auto before = w.accepts.size();
  auto began = w.now;
  for (int i = 0; i < 120; ++i) {
    if (w.accepts.size() > before)
      return std::chrono::duration_cast<milliseconds>(w.now - began);
    w.pass(milliseconds{500});
  }
  return std::nullopt;
}

int number_of(const pod_view& x) {
  return x.node().back() - '0';
}

} // namespace

TEST_SUITE("keeper/rollout leases") {

  TEST_CASE("only what is annotated so carries a lease") {
    CHECK(world{exclusive()}.pods("bound").at(0).slot().lease_ms() == 10'000);
    CHECK(world{deployment(1)}.pods("bound").at(0).slot().lease_ms() == 0);
    auto bare = pod("Always");
    auto& said = *bare.mutable_metadata()->add_annotations();
    said.set_key(exclusive_annotation);
    said.set_value("false");
    auto revision = revision_of(bare);
    CHECK(world{bare}.pods("bound").at(0).slot().lease_ms() == 0);
    said.set_value("true");
    CHECK(world{bare}.pods("bound").at(0).slot().lease_ms() == 10'000);
    CHECK(revision_of(bare) != revision); // what runs without one begins anew
  }

  TEST_CASE("a lease is renewed to the node that holds the slot, and to nobody else") {
    world w{exclusive()};
    auto x = w.pods("bound").at(0);
    CHECK(renew(w, x));
    CHECK(w.rules->on_lease_ask(node(7), {x.slot().uid()}, w.at()).empty());
    CHECK(w.rules->on_lease_ask(node_of(x), {"stranger"}, w.at()).empty());
    world plain{deployment(1)};
    CHECK_FALSE(renew(plain, plain.pods("bound").at(0)));
  }

  TEST_CASE("the death of its node alone does not free a slot: its last lease has to be over") {
    exclusive_world w;
    auto x = w.pods("bound").at(0);
    w.now += seconds{5};
    CHECK(renew(w, x));
    w.now += seconds{2};
    w.member(number_of(x), member_dead);
    CHECK_FALSE(renew(w, x)); // or it would never be over
    CHECK(w.pods("replaced").at(0).note().find("last lease is over, in 11 s") != std::string::npos);
    auto waited = next_accept(w);
    REQUIRE(waited);
    CHECK(*waited > over - seconds{2} - milliseconds{1});
    CHECK(*waited < over);
    CHECK_FALSE(renew(w, x)); // it was taken for gone
    w.member(number_of(x), member_alive, 2);
    CHECK_FALSE(renew(w, x));
  }

  TEST_CASE("a slot that never had a lease never ran: it is called anew at once") {
    exclusive_world w;
    auto x = w.pods("bound").at(0);
    w.member(number_of(x), member_dead);
    CHECK(w.accepts.size() == 2);
    CHECK_FALSE(renew(w, x));
  }

  TEST_CASE("who begins to keep a slot does not know what was renewed before, and waits it out") {
    exclusive_world w;
    auto x = w.pods("bound").at(0);
    auto kept = w.rules->kept();
    w.rules.emplace(kept, group_id{1}, node(0), 2, 8, w.at());
    w.act(w.rules->on_members(w.members, w.at()));
    w.member(number_of(x), member_dead);
    auto waited = next_accept(w);
    REQUIRE(waited);
    CHECK(*waited >= over);
    CHECK(*waited <= over + milliseconds{500});
  }

  TEST_CASE("a release is believed once its node saw it end; else the lease has to be over") {
    for (auto saw_end : {true, false}) {
      exclusive_world w;
      w.saw_end = saw_end;
      auto x = w.pods("bound").at(0);
      CHECK(renew(w, x));
      w.put(exclusive(1, "b"));
      CHECK(w.releases.size() == 1); // the old one ends before the new one is called for
      CHECK(w.accepts.size() == (saw_end ? 2 : 1));
      if (saw_end)
        continue;
      auto waited = next_accept(w);
      REQUIRE(waited);
      CHECK(*waited > over - milliseconds{1});
      CHECK(*waited <= over + milliseconds{500});
    }
  }

  TEST_CASE("what ends has its grace period: it is renewed until it has ended") {
    exclusive_world w;
    auto x = w.pods("bound").at(0);
    CHECK(renew(w, x));
    w.slow_stop = true;
    w.put(exclusive(1, "b"));
    for (int i = 0; i < 20; ++i) {
      w.pass(seconds{2});
      CHECK(renew(w, x));
    }
    CHECK(w.accepts.size() == 1);
    w.slow_stop = false;
    auto waited = next_accept(w);
    REQUIRE(waited);
    CHECK(*waited <= seconds{3});
    CHECK_FALSE(renew(w, x));
  }

  TEST_CASE("who did not grant its lease does not renew what ends: another may run by now") {
    exclusive_world w;
    auto x = w.pods("bound").at(0);
    w.silent = true;
    w.put(exclusive(1, "b"));
    auto ending = w.rules->kept();
    REQUIRE(ending.slots.at(x.slot().uid()).phase == group::slot_phase::ending);
    w.rules.emplace(ending, group_id{1}, node(0), 2, 8, w.at()); // the next leader
    w.act(w.rules->on_members(w.members, w.at()));
    CHECK_FALSE(renew(w, x));
  }

  TEST_CASE("what is exclusive is not called before leases of before are over") {
    world w{exclusive(0)};
    auto kept = w.rules->kept();
    auto from = w.now + over;
    w.rules.emplace(kept, group_id{1}, node(0), 2, 8, w.at(), broken_rule::none, from);
    w.act(w.rules->on_members(w.members, w.at()));
    auto calls = w.calls.size();
    SUBCASE("also when it is put only then") {
      w.put(exclusive());
      w.pass(over - milliseconds{10});
      CHECK(w.calls.size() == calls);
      w.pass(milliseconds{20});
      CHECK(w.calls.size() == calls + 1);
    }
    SUBCASE("others are") {
      w.put(deployment(1));
      CHECK(w.calls.size() == calls + 1);
    }
  }

  TEST_CASE("a regret of what had a lease counts once that is over, and is not renewed") {
    exclusive_world w;
    auto x = w.pods("bound").at(0);
    CHECK(renew(w, x));
    accept_reply regret;
    auto& answer = *regret.add_slots();
    answer.set_uid(x.slot().uid());
    *answer.mutable_order() = x.slot().order();
    answer.set_detail("its journal is new");
    w.act(w.rules->on_accept_reply(node_of(x), 1, regret, w.at()));
    CHECK_FALSE(renew(w, x));
    auto waited = next_accept(w);
    REQUIRE(waited);
    CHECK(*waited > over - milliseconds{1});
    CHECK(w.pods("bound").size() == 1);
  }

  TEST_CASE("of several exclusive replicas never more than wanted may run, whatever changes") {
    world w{exclusive(3)};
    for (const auto& x : w.pods("bound"))
      CHECK(renew(w, x));
    w.silent = true; // nobody answers releases
    w.put(exclusive(1));
    w.put(exclusive(3));
    CHECK(w.pods().size() == 3); // one bound, two that may still run
    w.silent = false;
    w.pass(seconds{30});
    CHECK(w.pods("bound").size() == 3);
  }

  TEST_CASE("a name that is deleted and taken anew waits for what ran under it") {
    world w{exclusive()};
    CHECK(renew(w, w.pods("bound").at(0)));
    w.silent = true;
    w.remove();
    w.put(exclusive());
    CHECK(w.accepts.size() == 1);
    CHECK(next_accept(w) >= over - milliseconds{1});
  }

} // TEST_SUITE

} // namespace legion::rollout_lease_test
