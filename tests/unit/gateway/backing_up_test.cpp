#include <doctest/doctest.h>

#include "actors/gateway/backing_up.hpp"
#include "tests/unit/gateway/play.hpp"

namespace legion::backing_up_test {

using namespace legion::gateway;

namespace {

api_request backup_of(std::vector<std::uint32_t> groups) {
  auto x = request_of();
  x.mutable_backup();
  for (auto g : groups)
    x.mutable_backup()->add_groups(g);
  return x;
}

void keeps_all(play& it, int node) {
  it.set_member(node, member_alive, ~std::uint64_t{0});
}

const group_request& request_in(const ask& x) {
  return std::get<group_request>(x.what);
}

group_reply piece(std::uint64_t reading, std::uint64_t size, std::uint64_t offset,
                  const std::string& data) {
  group_reply x;
  auto& p = *x.mutable_piece();
  p.set_reading(reading);
  p.set_index(12);
  p.set_incarnation(1);
  p.set_resources(2);
  p.set_size(size);
  p.set_offset(offset);
  p.set_data(data);
  return x;
}

std::string state_of(std::uint32_t group, std::size_t padding = 0) {
  group_state x;
  x.set_group(group);
  x.set_index(12);
  auto& resource = *x.add_resources();
  resource.mutable_what()->set_kind("Deployment");
  resource.mutable_what()->set_document(std::string(padding, 'd'));
  x.add_requests()->set_id("secret");
  return x.SerializeAsString();
}

} // namespace

TEST_SUITE("gateway/backing_up") {

  TEST_CASE("without groups, all 64 are asked how large they are, and nothing else") {
    play it{backup_of({})};
    keeps_all(it, 2);
    it.start();
    auto asks = it.asked();
    REQUIRE(asks.size() == 64);
    for (const auto& x : asks) {
      CHECK(play::whom(x) == "legion-2");
      CHECK(request_in(x).read_state().size_only());
      CHECK(!it.ended());
      it.answer(x, piece(1, 77, 0, ""));
    }
    REQUIRE(it.ended());
    const auto& said = it.last_said().backup();
    REQUIRE(said.heads_size() == 64);
    CHECK(said.heads(5).group() == 5);
    CHECK(said.heads(5).index() == 12);
    CHECK(said.heads(5).bytes() == 77);
    CHECK(said.heads(5).resources() == 2);
    CHECK(said.zone() == "eu/fra");
  }

  TEST_CASE("a state comes in pieces of one reading, all from who gave the first") {
    play it{backup_of({9})};
    keeps_all(it, 2);
    it.start();
    auto text = state_of(9, 1000);
    auto first = it.one_ask();
    CHECK(!request_in(first).read_state().size_only());
    it.answer(first, piece(33, text.size(), 0, text.substr(0, 600)));
    auto second = it.one_ask();
    CHECK(play::whom(second) == "legion-2");
    CHECK(request_in(second).group() == 9);
    CHECK(request_in(second).read_state().reading() == 33);
    CHECK(request_in(second).read_state().offset() == 600);
    it.answer(second, piece(33, text.size(), 600, text.substr(600)));
    REQUIRE(it.ended());
    const api_reply* with_state = nullptr;
    for (const auto& x : it.said)
      if (x.backup().states_size() == 1)
        with_state = &x;
    REQUIRE(with_state);
    CHECK(with_state->backup().states(0).group() == 9);
    CHECK(with_state->backup().states(0).requests().empty());
    CHECK(!it.last_said().has_refused());
  }

  TEST_CASE("a reading that is over is begun again, three times") {
    play it{backup_of({9})};
    keeps_all(it, 2);
    it.start();
    auto text = state_of(9, 1000);
    for (int i = 0; i < 3; ++i) {
      it.answer(it.one_ask(), piece(30, text.size(), 0, text.substr(0, 600)));
      auto second = it.one_ask();
      if (i == 0)
        it.answer(second, refused_reply(refusal_not_found, "that reading is over"));
      else if (i == 1)
        it.fail(second, errc::unreachable);
      else
        it.answer(second, piece(30, text.size(), 999, "x")); // not what follows
    }
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_unreachable);
  }

  TEST_CASE("groups without a quorum are named, with why, and all fails") {
    play it{backup_of({})};
    it.set_member(1, member_alive, ~std::uint64_t{0} & ~std::uint64_t{0x28});
    it.set_member(2, member_dead, 0x28);
    it.start();
    for (const auto& x : it.asked())
      it.answer(x, piece(1, 0, 0, ""));
    REQUIRE(it.ended());
    CHECK(it.last_said().refused().code() == refusal_unreachable);
    CHECK(it.last_said().refused().detail()
          == "keeper groups 3 and 5 do not answer: its keeper is legion-2, down for 0 s. "
             "Nothing was backed up");
  }

  TEST_CASE("what makes no sense is refused") {
    play it{backup_of({64})};
    it.start();
    CHECK(it.last_said().refused().code() == refusal_invalid);
    play other{backup_of({9})};
    keeps_all(other, 2);
    other.start();
    for (int i = 0; i < 3; ++i)
      other.answer(other.one_ask(), piece(1, 5, 0, "\xff\xff\xff\xff\xff"));
    CHECK(other.last_said().refused().code() == refusal_unreachable);
  }

  TEST_CASE("an empty state is one") {
    play it{backup_of({0})};
    keeps_all(it, 2);
    it.start();
    it.answer(it.one_ask(), piece(1, 0, 0, ""));
    REQUIRE(it.ended());
    CHECK(!it.last_said().has_refused());
  }

  TEST_CASE("many groups are named in few words") {
    CHECK(list_of({3}) == "3");
    CHECK(list_of({3, 7, 20}) == "3, 7 and 20");
    CHECK(list_of({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) == "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
  }
}

} // namespace legion::backing_up_test
