#include "runtime/node/journal_start.hpp"

#include <doctest/doctest.h>

#include "runtime/store/sqlite/sqlite_store.hpp"
#include "tests/unit/node_process/scratch_folder.hpp"

using namespace legion;
using namespace legion::node_process;
using legion::tests::scratch_folder;

namespace {

const auto me = node_id::from_bytes(std::string(16, 'm'));
const auto other = node_id::from_bytes(std::string(16, 'o'));

result<journal_start> start(const scratch_folder& at, const node_id& who, std::int64_t now_ms) {
  auto journal = store::sqlite::open(at.path());
  REQUIRE(journal);
  return begin_start(*journal, who, true, now_ms);
}

} // namespace

TEST_SUITE("node_process/journal_start") {

  TEST_CASE("starts are counted; a founder keeps its cluster, a node the time of its first start") {
    scratch_folder at;
    auto first = start(at, me, 1000);
    REQUIRE(first);
    CHECK(first->journal_is_new);
    CHECK(value(first->start) == 1);
    CHECK(first->cluster.size() == 16);
    CHECK(first->first_ms == 1000);
    auto second = start(at, me, 5000);
    REQUIRE(second);
    CHECK(!second->journal_is_new);
    CHECK(value(second->start) == 2);
    CHECK(second->cluster == first->cluster);
    CHECK(second->first_ms == 1000);
  }

  TEST_CASE("another node's journal is refused, with the cure") {
    scratch_folder at;
    REQUIRE(start(at, me, 1000));
    auto wrong = start(at, other, 2000);
    REQUIRE(!wrong);
    CHECK(wrong.why().code == errc::conflict);
    CHECK(wrong.why().detail
          == "journal.db is of node " + me.short_text() + ", node.key of node " + other.short_text()
                 + ": restore the one that is of the other, or remove both to begin as a new node");
    CHECK(value(start(at, me, 3000)->start) == 2); // nothing was counted
  }

} // TEST_SUITE
