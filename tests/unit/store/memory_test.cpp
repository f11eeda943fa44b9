#include <doctest/doctest.h>

#include "runtime/simulator/timeline.hpp"
#include "runtime/store/memory/disk.hpp"

namespace {

using namespace legion;
using namespace std::chrono_literals;
using legion::store::memory::disk;

struct completions : legion::store::sink {
  std::vector<std::string> heard;
  void written(std::uint64_t n) override { heard.push_back(std::to_string(n)); }
  void failed(std::uint64_t n, fault why) override {
    heard.push_back(std::to_string(n) + " " + to_string(why.code));
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

  TEST_CASE("a crash keeps what was written, and of the rest no batch without those before it") {
    bool lost = false, kept = false;
    for (std::uint64_t seed = 1; seed < 40; ++seed) {
      simulator::timeline time;
      disk d{seed, time.as_run_later()};
      completions sink;
      auto store = d.open().start(sink);
      store->append(1, batch_of("1", "x"));
      time.run_until(1s);
      for (std::uint64_t i = 2; i < 6; ++i)
        store->append(i, batch_of(std::to_string(i), "x"));
      d.crash();
      time.run_until(2s);
      CHECK(sink.heard == std::vector<std::string>{"1"});
      auto n = d.records().size();
      for (std::size_t i = 1; i <= n; ++i)
        CHECK(d.records().count(std::to_string(i)) == 1);
      lost = lost || n < 5;
      kept = kept || n > 1;
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
    CHECK(sink.heard == std::vector<std::string>{"1 disk full", "2"});
    CHECK(d.records().size() == 1);
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
}

} // namespace
