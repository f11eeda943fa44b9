#include <doctest/doctest.h>

#include <map>

#include "actors/consensus/log_records.hpp"

namespace legion::log_records_test {

using namespace legion::consensus;

namespace {

member_id who(char n) {
  return {node_id::from_bytes(std::string(16, n)),
          consensus::journal_id::from_bytes(std::string(16, static_cast<char>(n + 1)))};
}

entry_ref made(log_index index, term_number term, std::string data = "x") {
  return std::make_shared<const entry>(entry{index, term, entry_kind::data, std::move(data)});
}

consensus::write of(std::uint64_t sequence, entry_refs entries, term_number term = 2) {
  consensus::write x;
  x.sequence = sequence;
  x.ballot = {term, who('a')};
  x.entries = std::move(entries);
  return x;
}

/// A journal as a store keeps it.
struct disk {
  std::map<std::string, std::string> values;

  void keep(const record_batch& x) {
    for (const auto& y : x.records()) {
      if (y.value().empty())
        values.erase(y.key());
      else
        values[y.key()] = y.value();
    }
  }
  std::vector<record> records() const {
    std::vector<record> result;
    for (const auto& [key, value] : values) {
      auto& x = result.emplace_back();
      x.set_key(key);
      x.set_value(value);
    }
    return result;
  }
};

const std::string seven = "group/7/";

struct kept_on_disk {
  disk d;
  log_records records{seven};

  kept_on_disk() {
    record_batch first;
    log_records::found(seven, {who('a')}, first);
    d.keep(first);
    REQUIRE(records.read(d.records()));
  }
  void add(const consensus::write& x) {
    record_batch batch;
    records.add(x, batch);
    d.keep(batch);
  }
  log_records::kept again() {
    auto result = log_records{seven}.read(d.records());
    REQUIRE(result);
    return *result;
  }
};

} // namespace

TEST_SUITE("consensus/log_records") {

  TEST_CASE("a group begins with its founder, and nothing in its log") {
    kept_on_disk x;
    auto kept = x.again();
    CHECK(kept.head == founded_by({who('a')}));
    CHECK(kept.entries.empty());
    CHECK(kept.state.empty());
  }

  TEST_CASE("entries, ballot and what they replace are found again") {
    kept_on_disk x;
    x.add(of(1, {made(2, 1), made(3, 1), made(4, 1)}));
    auto cut = of(2, {made(3, 2, "other")}, 5);
    cut.truncate_from = 3;
    x.add(cut);
    auto kept = x.again();
    REQUIRE(kept.entries.size() == 2);
    CHECK(kept.entries.back()->data == "other");
    CHECK(kept.entries.back()->term == 2);
    CHECK(kept.ballot == ballot{5, who('a')});
  }

  TEST_CASE("a snapshot from the leader takes the place of the whole log") {
    kept_on_disk x;
    x.add(of(1, {made(2, 1), made(3, 1)}));
    auto all = of(2, {made(10, 3)});
    snapshot_head head{9, 2, {{who('a')}, {}, {}}, 4};
    all.installed = snapshot{head, std::make_shared<const std::string>("state")};
    x.add(all);
    auto kept = x.again();
    CHECK(kept.head == head);
    CHECK(kept.state == "state");
    REQUIRE(kept.entries.size() == 1);
    CHECK(kept.entries.front()->index == 10);
  }

  TEST_CASE("its own snapshot leaves the entries that slow followers need") {
    kept_on_disk x;
    x.add(of(1, {made(2, 1), made(3, 1), made(4, 1), made(5, 1)}));
    record_batch batch;
    snapshot_head head{4, 1, {{who('a')}, {}, {}}, 1};
    x.records.add_snapshot(head, "as of 4", 3, batch);
    x.d.keep(batch);
    auto kept = x.again();
    CHECK(kept.state == "as of 4");
    REQUIRE(kept.entries.size() == 3);
    CHECK(kept.entries.front()->index == 3);
  }

  TEST_CASE("of a member that was removed the ballot stays, and nothing else") {
    kept_on_disk x;
    x.add(of(1, {made(2, 1), made(3, 1)}, 6));
    record_batch batch;
    auto stays = x.records.bury(3, batch);
    x.d.keep(batch);
    CHECK(x.d.values.size() == 1);
    auto kept = x.again();
    CHECK(kept.removed_at == 3);
    CHECK(stays.removed_at == 3);
    CHECK(kept.ballot == ballot{6, who('a')});
    CHECK(kept.head.index == 0);
    auto back = of(1, {}, 7); // readmitted, by a snapshot
    back.installed =
        snapshot{{9, 2, {{who('a')}, {}, {}}, 8}, std::make_shared<const std::string>("state")};
    x.add(back);
    CHECK(x.again().removed_at == 3); // the tombstone is not forgotten by a later write
    CHECK(x.again().head.index == 9);
  }

  TEST_CASE("one that is left behind keeps the term that it heard, and nothing of its log") {
    kept_on_disk x;
    x.add(of(1, {made(2, 1), made(3, 1)}, 6));
    record_batch batch;
    x.records.add_fence(batch); // what it promised before counts for nothing
    x.records.leave_behind(3, 900, batch);
    x.d.keep(batch);
    CHECK(x.d.values.size() == 1);
    auto kept = x.again();
    CHECK(kept.ballot == ballot{900, {}});
    CHECK(kept.removed_at == 3);
    CHECK(!kept.fenced);
    CHECK(kept.head.index == 0);
    CHECK(kept.entries.empty());
    record_batch later;
    CHECK(x.records.leave_behind(3, 5, later).ballot.term == 900); // never lower
  }

  TEST_CASE("a log that begins anew has nothing of the earlier one") {
    kept_on_disk x;
    x.add(of(1, {made(2, 1), made(3, 1)}, 6));
    record_batch batch;
    snapshot_head head{1000, 700, {{who('a')}, {}, {}}, 1000};
    auto raised = x.records.raise(head, "state", batch);
    x.d.keep(batch);
    CHECK(x.d.values.size() == 2);
    auto kept = x.again();
    for (const auto* y : {&kept, &raised}) {
      CHECK(y->ballot == ballot{700, {}});
      CHECK(y->head.index == 1000);
      CHECK(y->head.members.voters.size() == 1);
      CHECK(y->state == "state");
      CHECK(y->entries.empty());
      CHECK(y->removed_at == 0);
    }
    x.add(of(2, {made(1001, 701)}, 701));
    CHECK(x.again().entries.size() == 1);
  }

  TEST_CASE("a fence is found again") {
    kept_on_disk x;
    record_batch batch;
    x.records.add_fence(batch);
    x.d.keep(batch);
    CHECK(x.again().fenced);
  }

  TEST_CASE("what does not read, or is missing, is damage and not the end of the log") {
    kept_on_disk x;
    x.add(of(1, {made(2, 1), made(3, 1), made(4, 1)}));
    SUBCASE("an entry is missing") {
      x.d.values.erase("group/7/log/00000000000000000003");
    }
    SUBCASE("the first is missing") {
      x.d.values.erase("group/7/log/00000000000000000002");
    }
    SUBCASE("an entry under another's key") {
      x.d.values["group/7/log/00000000000000000003"] =
          x.d.values["group/7/log/00000000000000000004"];
    }
    SUBCASE("an entry that does not read") {
      x.d.values["group/7/log/00000000000000000003"] = "\xff";
    }
    SUBCASE("a ballot that does not read") {
      x.d.values["group/7/promised"] = "\xff";
    }
    SUBCASE("a snapshot that does not read") {
      x.d.values["group/7/snapshot"] = "\xff";
    }
    auto read = log_records{seven}.read(x.d.records());
    REQUIRE_FALSE(read);
    CHECK(read.why().code == errc::damaged);
  }

  TEST_CASE("a journal from before consensus is refused in words") {
    kept_on_disk x;
    x.d.values["group/7/entry/00000000000000000001"] = "put";
    auto read = log_records{seven}.read(x.d.records());
    REQUIRE_FALSE(read);
    CHECK(read.why().code == errc::unsupported);
  }

} // TEST_SUITE

} // namespace legion::log_records_test
