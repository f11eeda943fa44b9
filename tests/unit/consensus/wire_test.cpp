#include <doctest/doctest.h>

#include "actors/consensus/wire.hpp"
#include "tests/unit/consensus/few_members.hpp"

namespace legion::wire_test {

using namespace legion::consensus;

TEST_SUITE("consensus/wire") {

  TEST_CASE("every message reads as it was written") {
    auto head = std::make_shared<snapshot_head>(
        snapshot_head{7, 2, {{nth_member(0), nth_member(1)}, {nth_member(2)}, {nth_member(3)}}, 5});
    append entries{4, 2, 3, {}};
    for (log_index i = 5; i < 8; ++i)
      entries.entries.push_back(
          std::make_shared<const entry>(entry{i, 3, entry_kind::data, std::string("\0x", 2)}));
    message_body table[] = {vote_request{true, 5, 6, true},
                            vote_reply{true, true},
                            entries,
                            append_reply{true, 1, 2, 3, 4, 5, 6},
                            snapshot_chunk{head, 3, 9, "data"},
                            snapshot_reply{1, 2, true, 3, 4},
                            confirm{3},
                            confirmed{4},
                            take_over{},
                            stranger{},
                            fence{5},
                            removed{6}};
    for (auto& body : table) {
      auto bytes = to_wire(message{nth_member(0), nth_member(1), 9, body}).SerializeAsString();
      consensus_message wire;
      REQUIRE(wire.ParseFromString(bytes));
      auto back = from_wire(wire, nth_member(0), nth_member(1));
      REQUIRE(back);
      CHECK(back->term == 9);
      CHECK(back->from == nth_member(0));
      CHECK(back->body.index() == body.index());
      CHECK(to_wire(*back).SerializeAsString() == bytes);
      if (auto* x = std::get_if<append>(&back->body)) {
        CHECK(x->entries.back()->index == 7);
        CHECK(x->entries.back()->data == std::string("\0x", 2));
      }
      if (auto* x = std::get_if<snapshot_chunk>(&back->body))
        CHECK(*x->head == *head);
    }
    CHECK_FALSE(from_wire(consensus_message{}, nth_member(0), nth_member(1)));
  }

  TEST_CASE("what is on disk reads as it was written; what makes no sense reads as nothing") {
    entry e{3, 2, entry_kind::configuration, "x"};
    auto back = from_wire(to_wire(e));
    REQUIRE(back);
    CHECK(back->index == 3);
    CHECK(back->kind == entry_kind::configuration);
    for (const ballot& x : {ballot{3, {}}, ballot{4, nth_member(1)}})
      CHECK(from_wire(to_wire(x)) == x);
    auto broken = to_wire(ballot{4, nth_member(1)});
    broken.mutable_vote()->set_node("short");
    CHECK_FALSE(from_wire(broken));
    auto kind = to_wire(e);
    kind.set_kind(static_cast<consensus_entry_kind>(9));
    CHECK_FALSE(from_wire(kind));
    auto head = to_wire(snapshot_head{7, 2, {{nth_member(0)}, {}, {}}, 5});
    head.set_configuration_index(8);
    CHECK_FALSE(from_wire(head));
    CHECK_FALSE(decode_configuration("\xff"));
    CHECK_FALSE(decode_configuration(""));
  }

  TEST_CASE("a configuration is the same bytes in whatever order it was named") {
    configuration a{{nth_member(1), nth_member(0)}, {}, {nth_member(3), nth_member(2)}};
    configuration b{
        {nth_member(0), nth_member(1)}, {}, {nth_member(2), nth_member(3), nth_member(2)}};
    CHECK(encode(in_order(a)) == encode(in_order(b)));
    CHECK(decode_configuration(encode(a)) == in_order(b));
  }
}

} // namespace legion::wire_test
