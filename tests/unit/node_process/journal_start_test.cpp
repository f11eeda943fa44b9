#include "runtime/node/journal_start.hpp"

#include <filesystem>
#include <fstream>
#include <future>

#include <doctest/doctest.h>

#include "actors/node/recovery.hpp"
#include "messages/consensus.pb.h"
#include "runtime/store/sqlite/salvage.hpp"
#include "runtime/store/sqlite/sqlite_store.hpp"
#include "tests/unit/node_process/scratch_folder.hpp"

namespace legion::journal_start_test {

using namespace legion::node_process;
using legion::tests::scratch_folder;

namespace {

const auto me = node_id::from_bytes(std::string(16, 'm'));
const auto other = node_id::from_bytes(std::string(16, 'o'));

struct first_told final : store::sink {
  void written(std::uint64_t) override { said.set_value(true); }
  void failed(std::uint64_t, fault) override { said.set_value(false); }
  bool wait() { return said.get_future().get(); }
  std::promise<bool> said;
};

result<journal_start> start(const scratch_folder& at, const node_id& who, std::int64_t now_ms) {
  auto journal = store::sqlite::open(at.path());
  REQUIRE(journal);
  return begin_start(*journal, who, {.founds = true, .now = now_ms});
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

  TEST_CASE("where the count of starts is lost it goes on from the clock, and never backwards") {
    scratch_folder at;
    const wall_ms now = 1'800'000'000'000;
    auto begin = [&](wall_ms when, bool key_is_new) {
      auto journal = open_journal(at.path(), when);
      REQUIRE(journal);
      auto begun = begin_start(*journal, me, {.now = when, .key_is_new = key_is_new});
      REQUIRE(begun);
      return value(begun->start);
    };
    CHECK(begin(now, true) == 1);
    CHECK(begin(now, false) == 2); // nothing is lost
    for (const auto& file : std::filesystem::directory_iterator{at.path()})
      std::filesystem::remove(file);
    CHECK(begin(now, false) == 1'800'000'000);
    CHECK(begin(now + 5000, false) == 1'800'000'001); // it is counted on
    REQUIRE(store::sqlite::mark_outdated(at.path(), "n1 says: your journal is an old copy"));
    CHECK(begin(now + 60'000, false) == 1'800'000'061); // the copy's count is not the last one
    CHECK(begin(now - 60'000, false) == 1'800'000'062);
  }

  TEST_CASE(
      "a founder whose first start failed, and which kept nothing, may join another cluster") {
    scratch_folder at;
    REQUIRE(start(at, me, 1000)->cluster.size() == 16);
    auto journal = store::sqlite::open(at.path());
    REQUIRE(journal);
    auto joins = begin_start(*journal, me, {.now = 2000});
    REQUIRE(joins);
    CHECK(joins->cluster.empty());
    CHECK(value(joins->start) == 2);
    CHECK_FALSE(node::founds_charter(false, journal->records)); // nor has it a charter of its own
  }

  TEST_CASE("a node that has lost its journal founds nothing unless its loss is accepted") {
    scratch_folder at;
    auto begin = [&](circumstances how) {
      auto journal = store::sqlite::open(at.path());
      REQUIRE(journal);
      how.now = 5'000'000;
      how.key_is_new = false;
      return begin_start(*journal, me, how);
    };
    auto refused = begin({.founds = true});
    REQUIRE(!refused);
    CHECK(refused.why().code == errc::conflict);
    CHECK(refused.why().detail.find("journal.db is missing, but node.key is there") == 0);
    CHECK(begin({.founds = true, .accepts_loss = true})->cluster.size() == 16);
  }

  TEST_CASE("a founder that kept something stays in its cluster, whatever it is told to join") {
    scratch_folder at;
    auto cluster = start(at, me, 1000)->cluster;
    auto journal = store::sqlite::open(at.path());
    REQUIRE(journal);
    journal->records.emplace_back().set_key("group/1/ballot");
    auto joins = begin_start(*journal, me, {.now = 2000});
    REQUIRE(joins);
    CHECK(joins->cluster == cluster);
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

  TEST_CASE(
      "a damaged journal fences until its loss is accepted, for good, and makes a new member") {
    scratch_folder at;
    std::string old;
    {
      auto journal = open_journal(at.path(), 1'000);
      REQUIRE(begin_start(*journal, me, {.founds = true, .now = 1000}));
      old = journal->id;
    }
    std::ofstream{at.path() + "/journal.db"} << std::string(8192, 'z');
    std::filesystem::remove(at.path() + "/journal.db-wal");
    const wall_ms now = 1'700'000'000'000;
    {
      auto journal = open_journal(at.path(), now);
      REQUIRE(journal);
      CHECK(journal->id != old);
      CHECK(std::filesystem::exists(at.path() + "/journal.damaged-1/journal.db"));
      auto damage = node::damage_in(journal->records);
      REQUIRE(damage);
      CHECK(damage->time_ms() == now);
      auto founds = begin_start(*journal, me, {.founds = true, .now = 1000});
      REQUIRE(!founds); // it may have been in a cluster that lives
      CHECK(founds.why().detail.find("--join") != std::string::npos);
      CHECK(founds.why().detail.find("--accept-loss") != std::string::npos);
      old = journal->id;
    }
    {
      auto journal = open_journal(at.path(), now);
      auto begun = begin_start(*journal, me, {.now = 1000}); // told whom to join
      REQUIRE(begun);
      CHECK(begun->cluster.empty());
      CHECK(value(begun->start) == now / 1000 + 1); // above any that may be lost
    }
    {
      auto journal = open_journal(at.path(), now);
      CHECK(node::damage_in(journal->records)); // a restart lifts nothing
      auto begun = begin_start(*journal, me, {.founds = true, .now = 1000, .accepts_loss = true});
      REQUIRE(begun);
      CHECK(begun->cluster.size() == 16);
      CHECK_FALSE(node::damage_in(journal->records));
    }
    auto journal = open_journal(at.path(), now);
    CHECK_FALSE(node::damage_in(journal->records));
    CHECK(journal->id == old);
    CHECK(std::filesystem::exists(at.path()
                                  + "/journal.damaged-1/journal.db")); // its owner removes it
  }

  TEST_CASE("a journal that holds less than was acknowledged from it is set aside, too") {
    scratch_folder at;
    std::string old;
    {
      auto journal = open_journal(at.path(), 1'000);
      old = journal->id;
      first_told done;
      auto writer = journal->start(done);
      record_batch batch;
      consensus_promised promised;
      promised.set_fenced(true);
      auto& x = *batch.add_records();
      x.set_key("group/7/promised");
      x.set_value(promised.SerializeAsString());
      writer->append(1, std::move(batch));
      REQUIRE(done.wait());
    }
    auto journal = open_journal(at.path(), 2'000);
    REQUIRE(journal);
    CHECK(journal->id != old);
    auto damage = node::damage_in(journal->records);
    REQUIRE(damage);
    CHECK(damage->detail().find("it holds less of group/7 than was acknowledged from it")
          != std::string::npos);
    CHECK(std::filesystem::exists(at.path() + "/journal.damaged-1/journal.db"));
    journal->start = {};
    auto again = open_journal(at.path(), 3'000);
    CHECK(again->id == journal->id); // once
  }

  TEST_CASE(
      "a journal that the zone knows to be old is set aside at the next start, with its words") {
    scratch_folder at;
    std::string old = open_journal(at.path(), 1'000)->id;
    REQUIRE(store::sqlite::mark_outdated(at.path(), "n1 says: your journal is an old copy"));
    auto journal = open_journal(at.path(), 2'000);
    REQUIRE(journal);
    CHECK(journal->id != old);
    CHECK(node::damage_in(journal->records)->detail().find("n1 says: your journal is an old copy")
          != std::string::npos);
  }

} // TEST_SUITE

} // namespace legion::journal_start_test
