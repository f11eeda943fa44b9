#include <doctest/doctest.h>

#include <map>

#include "actors/bridge/directory.hpp"
#include "actors/consensus/seat_part.hpp"
#include "actors/consensus/wire.hpp"

namespace legion::seat_test {

using namespace legion::consensus;

namespace {

constexpr group_id seven{7};
constexpr incarnation_number fifth = incarnation_number{5} << incarnation_random_bits;
const std::string prefix = "group/7/";

member_id who(char n) {
  return {node_id::from_bytes(std::string(16, n)),
          consensus::journal_id::from_bytes(std::string(16, 'j'))};
}

/// What a seat says, instead of the wire.
class listening final : public directory {
public:
  std::vector<message> said;

  void publish(std::string, caf::strong_actor_ptr) override {}
  void withdraw(std::string_view) override {}
  caf::strong_actor_ptr find(const node_id&, std::string_view) override { return {}; }

private:
  bool tell_remote(const node_id& to, std::string_view, const caf::type_erased_tuple& what,
                   caf::execution_unit*) override {
    const auto& batch = what.get_as<consensus_batch>(0);
    for (const auto& x : batch.messages())
      if (auto y = from_wire(x, who('a'), {to, who('a').journal}))
        said.push_back(std::move(*y));
    return true;
  }
};

/// The actor's hands, and what it is told.
class hands final : public seat_holder {
public:
  time_point clock = time_point{} + std::chrono::hours{1};
  std::deque<record_batch> writing;
  std::uint64_t generation = 0;
  std::vector<std::string> state;
  bool leads_now = false;
  int left = 0;
  std::pair<incarnation_number, log_index> raised_as;

  time_point now() const override { return clock; }
  void write(const record_batch& x) override { writing.push_back(x); }
  void write_after(time_point::duration) override {}
  void wake_after(time_point::duration, std::uint64_t x) override { generation = x; }
  caf::execution_unit* host() const override { return nullptr; }
  consensus_member_handle mailbox() const override { return {}; }
  void begins(std::uint32_t) override {}
  bool restore(const std::string& x) override {
    state.clear();
    if (!x.empty())
      state.push_back(x);
    return true;
  }
  void apply(const entry_refs& entries) override {
    for (const auto& x : entries)
      if (x->kind == entry_kind::data)
        state.push_back(x->data);
  }
  std::size_t pads_snapshot = 0;
  mutable int snapshots = 0;
  std::string snapshot() const override {
    ++snapshots;
    std::string result(pads_snapshot, '.');
    for (const auto& x : state)
      result += x;
    return result;
  }
  void seated() override {}
  void read_granted(std::uint64_t) override {}
  void read_refused(std::uint64_t) override {}
  void leads() override { leads_now = true; }
  void leads_no_more(bool) override { leads_now = false; }
  void changed(const core::status&) override {}
  void readmits(const readmission&) override {}
  void members_due() override {}
  void leaves() override { ++left; }
  void raise(incarnation_number x, log_index index) override { raised_as = {x, index}; }
};

struct one_seat {
  std::map<std::string, std::string> disk;
  hands actor;
  std::shared_ptr<listening> wire = std::make_shared<listening>();
  std::optional<seat> it;

  explicit one_seat(const std::vector<member_id>& voters) {
    record_batch first;
    log_records::found(prefix, voters, first);
    keep(first);
    begin();
  }

  void begin() {
    node_context context;
    context.self.id = who('a').node;
    context.self.start = start_number{3};
    context.journal_id = who('a').journal.bytes();
    context.directory = wire;
    actor.writing.clear();
    it.emplace(seat::setting{"group 7",
                             seven,
                             prefix,
                             std::make_shared<const node_context>(std::move(context)),
                             std::make_shared<journal_copy>(records()),
                             {}},
               actor);
    it->begin();
    settle();
  }

  void keep(const record_batch& x) {
    for (const auto& y : x.records()) {
      if (y.value().empty())
        disk.erase(y.key());
      else
        disk[y.key()] = y.value();
    }
  }

  std::vector<record> records() const {
    std::vector<record> result;
    for (const auto& [key, value] : disk) {
      auto& x = result.emplace_back();
      x.set_key(key);
      x.set_value(value);
    }
    return result;
  }

  void settle() {
    while (!actor.writing.empty()) {
      keep(actor.writing.front());
      actor.writing.pop_front();
      it->on_written();
    }
  }

  void pass(milliseconds much) {
    for (auto end = actor.clock + much; actor.clock < end; actor.clock += milliseconds{50}) {
      it->on_tick({actor.generation});
      it->pump();
      settle();
    }
  }

  /// As who follows the leader `b` in this term; what it sends is on disk, and not committed.
  void follow(term_number term, const std::vector<std::string>& data) {
    append what;
    what.previous_index = 1;
    what.previous_term = 1;
    log_index index = 1;
    for (const auto& x : data)
      what.entries.push_back(
          std::make_shared<const entry>(entry{++index, term, entry_kind::data, x}));
    hear({who('b'), who('a'), term, what});
  }

  void hear(message x) {
    it->on_mail({std::move(x)});
    settle();
  }

  /// As the only voter: how many entries go by until its next snapshot.
  log_index entries_to_a_snapshot(std::size_t bytes = 1000) {
    auto before = actor.snapshots;
    for (log_index i = 1; i <= 10'000; ++i) {
      actor.state.clear(); // each entry replaces what was
      it->hear([&](core& x) { REQUIRE(x.propose(std::string(bytes, 'x'))); });
      settle();
      if (actor.snapshots != before)
        return i;
    }
    return 0;
  }

  log_records::kept kept() const {
    log_records reader{prefix};
    return *reader.read(records());
  }
};

} // namespace

TEST_SUITE("consensus/seat") {

  TEST_CASE("who hears of a later incarnation stops, and keeps the term that it heard") {
    one_seat s{{who('a')}};
    s.pass(seconds{1});
    REQUIRE(s.actor.leads_now);
    REQUIRE(s.it->member()->propose("x"));
    s.pass(milliseconds{100});
    REQUIRE(s.actor.state.size() == 1);
    auto last = s.it->member()->describe(s.actor.clock).last;
    auto later = first_term(fifth) + 1;
    SUBCASE("by mail") {
      s.hear({who('b'), who('a'), later, vote_request{true, 9, 9, false}});
    }
    SUBCASE("by mail about members, of which nothing else counts") {
      s.hear({who('b'), who('a'), later, removed{last + 1'000}});
    }
    SUBCASE("by a beat") {
      s.it->on_beat(who('b'), {later, standing::alone});
      s.settle();
    }
    CHECK_FALSE(s.actor.leads_now);
    CHECK(s.actor.left == 1);
    CHECK(s.actor.state.empty());
    CHECK_FALSE(s.it->has_log());
    CHECK(s.it->incarnation() == fifth);
    auto kept = s.kept();
    CHECK(kept.head.index == 0);
    CHECK(kept.entries.empty());
    CHECK(kept.ballot.term >= later);
    CHECK(kept.removed_at == last);
    s.begin(); // after a restart, too
    s.pass(seconds{10});
    CHECK_FALSE(s.actor.leads_now);
    CHECK(s.it->incarnation() == fifth);
  }

  TEST_CASE("an earlier incarnation changes nothing") {
    one_seat s{{who('a')}};
    REQUIRE(s.it->raise(fifth, 10));
    s.settle();
    s.pass(seconds{1});
    REQUIRE(s.actor.leads_now);
    auto index = s.it->member()->describe(s.actor.clock).last;
    SUBCASE("what it says about members") {
      s.hear({who('b'), who('a'), 7, removed{index + 1'000}});
      s.hear({who('b'), who('a'), 7, fence{index + 1'000}});
    }
    SUBCASE("its beats") {
      s.it->on_beat(who('b'), {7, standing::leads});
      s.settle();
    }
    SUBCASE("its leader, who hears of this one") {
      s.wire->said.clear();
      s.hear({who('b'), who('a'), 7, append{index, 7, index, {}}});
      REQUIRE(s.wire->said.size() == 1);
      CHECK(incarnation_of(s.wire->said[0].term) == fifth);
    }
    CHECK(s.actor.leads_now);
    CHECK(s.actor.left == 0);
    CHECK(s.it->has_log());
    CHECK_FALSE(s.kept().fenced);
  }

  TEST_CASE("raised: all that is on the disk counts, far above all that was seen, in new terms") {
    one_seat s{{who('a'), who('b')}};
    s.follow(2, {"x", "y"});
    CHECK(s.actor.state.empty()); // not known to be committed
    s.pass(seconds{10});          // its leader is gone
    auto index = s.it->raise(fifth, 500);
    REQUIRE(index);
    CHECK(*index == raised_index(500));
    CHECK(s.actor.raised_as == std::pair{fifth, *index});
    s.settle();
    s.pass(seconds{1});
    CHECK(s.actor.leads_now); // alone
    CHECK(s.actor.state == std::vector<std::string>{"x", "y"});
    CHECK(s.it->incarnation() == fifth);
    CHECK(s.it->member()->term() > first_term(fifth));
    s.begin();
    s.pass(seconds{1});
    CHECK(s.actor.leads_now);
    CHECK(s.it->incarnation() == fifth);
    CHECK(s.actor.state == std::vector<std::string>{"xy"}); // as a snapshot
  }

  TEST_CASE("what was on the disk above all that others saw is not gone back behind") {
    one_seat s{{who('a'), who('b')}};
    s.follow(2, {"x", "y"});
    s.pass(seconds{10});
    CHECK(*s.it->raise(fifth, 0) == raised_index(3));
  }

  TEST_CASE("not raised: while a leader is heard, in the middle of a write, or not above") {
    one_seat s{{who('a'), who('b')}};
    s.follow(2, {"x"});
    CHECK(s.it->raise(fifth, 0).why().code == errc::conflict);
    s.pass(seconds{10});
    s.it->on_mail(
        {{who('b'), who('a'), s.it->member()->term() + 1, vote_request{false, 9, 9, true}}});
    REQUIRE_FALSE(s.actor.writing.empty());
    CHECK(s.it->raise(fifth, 0).why().code == errc::overloaded);
    s.settle();
    s.pass(seconds{10});
    REQUIRE(s.it->raise(fifth, 0));
    CHECK(s.it->raise(fifth + 1, 0).why().code == errc::overloaded);
    s.settle();
    CHECK(s.it->raise(0, 0).why().code == errc::conflict);
    CHECK(s.it->raise(fifth, 0).why().code == errc::conflict);
    CHECK(s.it->raise(fifth + 1, 0).why().code == errc::conflict); // a rival, one too many
    CHECK(s.it->raise(most_incarnation + 1, 0).why().code == errc::conflict);
    CHECK(s.it->raise(*incarnation_after(fifth, 0), 0)); // this one was lost, too
  }

  TEST_CASE("who is left behind raises no rival of what it heard of, and what comes after that") {
    one_seat s{{who('a'), who('b')}};
    s.it->on_beat(who('b'), {first_term(fifth) + 3, standing::leads});
    s.settle();
    s.it->hear([&](core& x) { x.on_silence(who('b').node, s.actor.clock, s.actor.clock); });
    s.pass(seconds{10});
    CHECK(s.it->raise(fifth + 1, 0).why().code == errc::conflict);
    CHECK(s.it->raise(*incarnation_after(fifth, 0), 0));
  }

  TEST_CASE("a snapshot comes after some entries, one of a large state after more (5.1)") {
    one_seat s{{who('a')}};
    s.pass(seconds{10});
    REQUIRE(s.actor.leads_now);
    for (int i = 0; i < 5; ++i) {
      auto count = s.entries_to_a_snapshot();
      CHECK(count >= 540); // as many bytes as 576 to 960 entries of 1 KiB
      CHECK(count < 960);
    }
    CHECK(s.entries_to_a_snapshot(4000) < 250);
    auto small = s.entries_to_a_snapshot(10);
    CHECK(small >= 576);
    CHECK(small < 960);
    s.actor.pads_snapshot = 2'000'000;
    s.entries_to_a_snapshot();
    auto count = s.entries_to_a_snapshot(); // of about 1 KB each
    CHECK(count > 2500);
    CHECK(count < 5500);
    s.begin(); // what is on the disk is known again
    s.pass(seconds{10});
    CHECK(s.entries_to_a_snapshot() > 2000); // some were there already
  }

  TEST_CASE("what a member says after its log went is newer than all that it said before") {
    one_seat s{{who('a'), who('b')}};
    s.follow(2, {"x"});
    auto start_said = [&] {
      std::uint64_t result = 0;
      for (const auto& x : s.wire->said)
        if (auto* reply = std::get_if<append_reply>(&x.body))
          result = reply->start;
      s.wire->said.clear();
      return result;
    };
    auto before = start_said();
    REQUIRE(before > 0);
    s.hear({who('b'), who('a'), 2, removed{9}});
    REQUIRE_FALSE(s.it->has_log());
    s.hear({who('b'), who('a'), 2, append{9, 2, 9, {}}}); // it is to come back
    CHECK(start_said() > before);
  }

} // TEST_SUITE

} // namespace legion::seat_test
