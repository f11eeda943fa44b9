#include "actors/bridge/route.hpp"

#include <doctest/doctest.h>

#include "messages/vocabulary.hpp"

namespace legion::bridge::route_test {
namespace {

using verdict = admission::verdict;
constexpr auto own = "0123456789abcdef";

frame_view from_cluster(std::string_view cluster) {
  frame_view x;
  x.version = wire_version;
  x.cluster = cluster;
  return x;
}

envelope_view request(std::uint32_t kind) {
  envelope_view x;
  x.kind = kind;
  x.request = 1;
  return x;
}

envelope_view refusal(failure why) {
  envelope_view x;
  x.reply_to = 1;
  x.failure = why;
  return x;
}

} // namespace

TEST_SUITE("bridge/route") {
  TEST_CASE("of two starts the higher is later; another life of one start is an old copy's") {
    auto of = [](std::uint64_t start, std::uint32_t life) {
      return lifetime{start_number{start}, life};
    };
    CHECK(age_of(of(4, 7), of(5, 7)) == age::earlier);
    CHECK(age_of(of(6, 7), of(5, 9)) == age::later);
    CHECK(age_of(of(5, 7), of(5, 7)) == age::same);
    CHECK(age_of(of(5, 8), of(5, 7)) == age::earlier);
    CHECK(age_of(of(5, 0), of(5, 7)) == age::same);
    CHECK(age_of(of(5, 7), of(5, 0)) == age::same);
    CHECK(age_of(of(1, 7), {}) == age::later);
  }

  TEST_CASE("who may say what: by version, cluster and start") {
    auto ping = request(message_kind<swim_packet>);
    auto join = request(message_kind<join_request>);
    auto joined = request(message_kind<join_reply>);
    auto one_way = ping;
    one_way.request = 0;
    auto to_old = ping;
    to_old.to_start = 4;
    auto to_this = ping;
    to_this.to_start = 5;
    auto later = from_cluster(own);
    later.version = wire_version + 1;

    struct row {
      const char* what;
      frame_view frame;
      envelope_view x;
      std::string_view cluster;
      verdict expected;
      failure why;
    };
    for (auto& r : {
             row{"own cluster", from_cluster(own), ping, own, verdict::pass, failure_none},
             row{"other cluster", from_cluster("other"), ping, own, verdict::refuse,
                 failure_wrong_cluster},
             row{"other cluster, join", from_cluster("other"), join, own, verdict::refuse,
                 failure_wrong_cluster},
             row{"other cluster, one way", from_cluster("other"), one_way, own, verdict::drop,
                 failure_wrong_cluster},
             row{"no cluster, join", from_cluster(""), join, own, verdict::pass, failure_none},
             row{"no cluster, ping", from_cluster(""), ping, own, verdict::refuse,
                 failure_wrong_cluster},
             row{"not joined, reply to join", from_cluster(own), joined, "", verdict::pass,
                 failure_none},
             row{"not joined, ping", from_cluster(own), ping, "", verdict::refuse,
                 failure_wrong_cluster},
             row{"both without, join", from_cluster(""), join, "", verdict::pass, failure_none},
             row{"both without, ping", from_cluster(""), ping, "", verdict::refuse,
                 failure_wrong_cluster},
             row{"refusal of a joiner", from_cluster(own), refusal(failure_unknown_actor), "",
                 verdict::pass, failure_none},
             row{"refusal by another cluster", from_cluster("other"),
                 refusal(failure_wrong_cluster), own, verdict::pass, failure_none},
             row{"other words from another cluster", from_cluster("other"),
                 refusal(failure_unknown_actor), own, verdict::drop, failure_wrong_cluster},
             row{"later version", later, ping, own, verdict::refuse, failure_wrong_version},
             row{"later version, its refusal", later, refusal(failure_wrong_version), own,
                 verdict::pass, failure_none},
             row{"this start", from_cluster(own), to_this, own, verdict::pass, failure_none},
             row{"an earlier start", from_cluster(own), to_old, own, verdict::refuse,
                 failure_unreachable},
         }) {
      CAPTURE(r.what);
      auto got = admit(r.frame, r.x, r.cluster, start_number{5});
      CHECK(got.what == r.expected);
      CHECK(got.why == r.why);
      CHECK(got.detail.empty() == (r.expected == verdict::pass));
    }
  }

  TEST_CASE("gaps are counted, and nothing passes twice or late") {
    order_of_arrival x;
    CHECK(x.on(17).pass); // the base
    CHECK(x.on(18).missing == 0);
    auto gap = x.on(22);
    CHECK(gap.pass);
    CHECK(gap.missing == 3);
    CHECK(!x.on(22).pass);
    CHECK(!x.on(20).pass);
    CHECK(x.on(23).missing == 0);
    x.restart();
    CHECK(x.on(1).pass);
    CHECK(!x.on(0).pass);
  }

  TEST_CASE("losses are counted by reason") {
    loss_counters x;
    x.add(failure_unreachable, 0);
    CHECK(x.counts().empty());
    x.add(failure_unreachable, 2);
    x.add(failure_overloaded);
    x.add(failure_unreachable);
    REQUIRE(x.counts().size() == 2);
    CHECK(x.counts()[0] == std::pair{failure_overloaded, std::uint64_t{1}});
    CHECK(x.counts()[1] == std::pair{failure_unreachable, std::uint64_t{3}});
  }

  TEST_CASE("what waits is packed up to the limit, in order") {
    limits most;
    most.frame_bytes = 300;
    most.waiting_bytes = 100'000;
    outbox x;
    std::string body(60, 'b');
    for (std::uint64_t i = 1; i <= 7; ++i) {
      envelope_view y;
      y.sequence = i;
      y.body = body;
      y.request = i % 2 == 0 ? i : 0;
      REQUIRE(x.add(y, own, {start_number{1}, 0}, most));
    }
    auto frames = x.take();
    CHECK(x.empty());
    CHECK(frames.size() > 1);
    std::uint64_t sequence = 0;
    std::size_t requests = 0;
    std::size_t one_ways = 0;
    for (auto& f : frames) {
      CHECK(f.bytes.size() <= most.frame_bytes);
      auto read = read_frame(f.bytes);
      REQUIRE(read);
      CHECK(read->cluster == own);
      for (auto& y : read->messages)
        CHECK(y.sequence == ++sequence);
      requests += f.requests.size();
      one_ways += f.one_ways;
    }
    CHECK(sequence == 7);
    CHECK(requests == 3);
    CHECK(one_ways == 4);
  }

  TEST_CASE("one message above the packing limit has a frame of its own") {
    limits most;
    outbox x;
    std::string large(most.frame_bytes + 1, 'l');
    envelope_view y;
    REQUIRE(x.add(y, own, {start_number{1}, 0}, most));
    y.body = large;
    REQUIRE(x.add(y, own, {start_number{1}, 0}, most));
    y.body = {};
    REQUIRE(x.add(y, own, {start_number{1}, 0}, most));
    CHECK(x.take().size() == 3);
  }

  TEST_CASE("too much waiting is overloaded, but one message always fits") {
    limits most;
    most.waiting_bytes = 1000;
    outbox x;
    std::string large(2000, 'l');
    envelope_view y;
    y.body = large;
    CHECK(x.add(y, own, {start_number{1}, 0}, most));
    y.body = "s";
    CHECK(!x.add(y, own, {start_number{1}, 0}, most));
    CHECK(x.add({}, own, {start_number{1}, 0}, most)); // a refusal has some more room
    while (x.add({}, own, {start_number{1}, 0}, most))
      REQUIRE(x.bytes() < 1000 + 2000 + 2 * most.frame_bytes);
    x.take();
    CHECK(x.add({}, own, {start_number{1}, 0}, most));
  }

  TEST_CASE("a frame never mixes two clusters") {
    outbox x;
    x.add({}, "", {start_number{1}, 0}, {});
    x.add({}, own, {start_number{1}, 0}, {});
    auto frames = x.take();
    REQUIRE(frames.size() == 2);
    CHECK(read_frame(frames[0].bytes)->cluster.empty());
    CHECK(read_frame(frames[1].bytes)->cluster == own);
  }
}

} // namespace legion::bridge::route_test
