#include <doctest/doctest.h>

#include "runtime/simulator/timeline.hpp"
#include "runtime/store/memory/disk.hpp"

namespace legion::memory_test {

namespace {

using namespace std::chrono_literals;
using legion::store::memory::disk;

struct completions : legion::store::sink {
  std::vector<std::string> heard;
  void written(std::uint64_t n) override { heard.push_back(std::to_string(n)); }
  void failed(std::uint64_t n, fault why) override {
    heard.push_back(std::to_string(n) + " " + to_string(why.code));
  }
  void health_changed(const legion::store::health& x) override {
    heard.push_back(x.full ? "full" : "has space");
  }
};

record_batch batch_of(const std::string& key, const std::string& value) {
  record_batch result;
  auto* x = result.add_records();
  x->set_key(key);
  x->set_value(value);
  return result;
}

TEST_SUITE("store/memory") {
  TEST_CASE("completions come in order, later records replace earlier ones, empty ones end a key") {
    simulator::timeline time;
    disk d{1, time.as_run_later()};
    completions sink;
    auto store = d.open().start(sink);
    store->append(1, batch_of("b", "1"));
    store->append(2, batch_of("a", "1"));
    store->append(3, batch_of("b", "2"));
    store->append(4, batch_of("c", "1"));
    store->append(5, batch_of("c", ""));
    CHECK(sink.heard.empty());
    time.run_until(1s);
    CHECK(sink.heard == std::vector<std::string>{"1", "2", "3", "4", "5"});
    auto again = d.open();
    REQUIRE(again.records.size() == 2);
    CHECK(again.records[0].key() == "a");
    CHECK(again.records[1].key() == "b");
    CHECK(again.records[1].value() == "2");
  }

  TEST_CASE(
      "a crash keeps what was written; of the rest the sync under way is kept whole or lost") {
    bool lost = false, kept = false;
    for (std::uint64_t seed = 1; seed < 40; ++seed) {
      simulator::timeline time;
      disk d{seed, time.as_run_later()};
      completions sink;
      auto store = d.open().start(sink);
      store->append(1, batch_of("1", "x"));
      time.run_until(1s);
      store->append(2, batch_of("2", "x")); // begins a sync
      time.run_until(1s + 1ms * (seed % 4));
      for (std::uint64_t i = 3; i < 6; ++i)
        store->append(i, batch_of(std::to_string(i), "x"));
      time.run_until(1s + 1ms * (seed % 4 + seed % 3));
      auto told = sink.heard.size();
      d.crash();
      time.run_until(2s);
      CHECK(sink.heard.size() == told); // nobody hears of what was under way
      auto n = d.records().size();
      CHECK(n >= told);
      CHECK(n != 4); // 4 and 5 always share a sync: both or none
      for (std::size_t i = 1; i <= n; ++i)
        CHECK(d.records().contains(std::to_string(i)));
      lost = lost || n < 5;
      kept = kept || n > told;
    }
    CHECK(lost);
    CHECK(kept);
  }

  TEST_CASE("a full disk fails batches and goes on once there is space") {
    simulator::timeline time;
    disk d{1, time.as_run_later()};
    completions sink;
    auto store = d.open().start(sink);
    d.set_full(true);
    store->append(1, batch_of("a", "1"));
    time.run_until(1s);
    d.set_full(false);
    store->append(2, batch_of("b", "1"));
    time.run_until(2s);
    CHECK(sink.heard == std::vector<std::string>{"full", "1 disk full", "has space", "2"});
    CHECK(d.records().size() == 1);
  }

  TEST_CASE("on a full disk a few batches that may take the ballast are written, and it is told") {
    simulator::timeline time;
    disk d{1, time.as_run_later()};
    completions sink;
    auto store = d.open().start(sink);
    store->append(1, batch_of("a", "1"));
    time.run_until(1s);
    d.set_full(true);
    store->append(2, batch_of("a", ""));
    auto last_word = batch_of("b", "1");
    last_word.set_from_ballast(true);
    store->append(3, last_word);
    time.run_until(2s);
    CHECK(sink.heard == std::vector<std::string>{"1", "full", "2", "3"});
    for (std::uint64_t i = 4; i < 4 + disk::ballast_batches; ++i)
      store->append(i, last_word);
    time.run_until(3s);
    CHECK(sink.heard[sink.heard.size() - 2].find("disk full") != std::string::npos);
    CHECK(sink.heard[sink.heard.size() - 3].find("disk full") == std::string::npos);
    d.set_full(false);
    CHECK(sink.heard.back() == "has space");
  }

  TEST_CASE("a wiped disk is empty and has another journal id") {
    simulator::timeline time;
    disk d{1, time.as_run_later()};
    auto id = d.open().id;
    CHECK(id.size() == 16);
    completions sink;
    {
      auto store = d.open().start(sink);
      store->append(1, batch_of("a", "1"));
      time.run_until(1s);
    }
    CHECK(d.open().id == id);
    d.wipe();
    CHECK(d.open().records.empty());
    CHECK(d.open().id != id);
    CHECK(disk{2, time.as_run_later()}.id() != id);
  }

  TEST_CASE("a writer of an earlier life writes nothing and hears nothing") {
    simulator::timeline time;
    disk d{1, time.as_run_later()};
    completions old_sink, new_sink;
    auto old_store = d.open().start(old_sink);
    auto new_store = d.open().start(new_sink);
    old_store->append(1, batch_of("a", "old"));
    new_store->append(1, batch_of("a", "new"));
    old_store.reset();
    time.run_until(1s);
    CHECK(old_sink.heard.empty());
    CHECK(new_sink.heard == std::vector<std::string>{"1"});
    CHECK(d.records().at("a") == "new");
  }

  TEST_CASE(
      "disks that share a shelf keep one copy of equal records, and forget it with the last") {
    simulator::timeline time;
    auto shelf = std::make_shared<record_shelf>();
    disk a{1, time.as_run_later(), shelf}, b{2, time.as_run_later(), shelf};
    completions sink;
    auto one = a.open().start(sink), two = b.open().start(sink);
    one->append(1, batch_of("k", "v"));
    two->append(2, batch_of("k", "v"));
    time.run_until(1s);
    CHECK(shelf->size() == 1);
    CHECK(a.records().at("k").data() == b.records().at("k").data());
    a.wipe();
    CHECK(b.records().at("k") == "v");
    b.wipe();
    CHECK(shelf->size() == 0);
  }
}

} // namespace

} // namespace legion::memory_test
