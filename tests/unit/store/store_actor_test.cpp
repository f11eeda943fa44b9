#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include "actors/census/census.hpp"
#include "actors/store/store_actor.hpp"

namespace legion::store_actor_test {

namespace {

/// Answers as told, at once.
struct scripted final : store::store {
  scripted(legion::store::sink& to) : to(to) {}
  void append(std::uint64_t id, record_batch batch) override {
    if (batch.records(0).key() == "full") {
      to.health_changed({true, "nothing is left"});
      to.failed(id, {errc::disk_full, "nothing is left"});
    } else {
      to.written(id);
    }
  }
  legion::store::sink& to;
};

} // namespace

TEST_SUITE("store/store_actor") {

  TEST_CASE("a batch is answered once it is written, or with the journal's own fault") {
    caf::actor_system_config config;
    config.set("scheduler.policy", caf::atom("sharing"));
    config.set("scheduler.max-threads", 1u);
    caf::actor_system system{config};
    node_context context;
    context.census = std::make_shared<census>();
    context.make_store = [](legion::store::sink& to) { return std::make_unique<scripted>(to); };
    auto journal = spawn_store(system, std::make_shared<const node_context>(context));
    CHECK(context.census->rows().size() == 1);
    caf::scoped_actor self{system};
    auto ask = [&](const std::string& key) {
      record_batch batch;
      batch.add_records()->set_key(key);
      errc code = errc::deadline;
      self->request(journal, std::chrono::seconds{30}, batch)
          .receive([&](written) { code = errc::none; },
                   [&](const caf::error& why) { code = fault_of(why).code; });
      return code;
    };
    CHECK(ask("a") == errc::none);
    self->send(journal, subscribe_health{caf::actor_cast<caf::strong_actor_ptr>(self)});
    std::string heard;
    auto hear = [&] {
      self->receive([&](const legion::store::health& x) { heard += x.full ? "full " : "well "; },
                    caf::after(std::chrono::seconds{30}) >> [&] { heard += "nothing "; });
    };
    hear();
    CHECK(ask("full") == errc::disk_full);
    hear();
    CHECK(heard == "well full ");
    CHECK(ask("b") == errc::none);
    self->send_exit(journal, caf::exit_reason::user_shutdown);
    self->wait_for(journal);
    // The actor leaves the census a moment after it was seen to end.
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (!context.census->rows().empty() && std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    CHECK(context.census->rows().empty());
  }

  TEST_CASE("the timeout of a write ends with its answer, a good one or not") {
    caf::actor_system_config config;
    config.set("scheduler.policy", caf::atom("testing"));
    caf::actor_system system{config};
    auto& turns = dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler());
    node_context context;
    context.census = std::make_shared<census>();
    context.make_store = [](legion::store::sink& to) { return std::make_unique<scripted>(to); };
    auto journal = spawn_store(system, std::make_shared<const node_context>(context));
    turns.run();
    for (const auto* key : {"a", "full"}) {
      std::string heard;
      system.spawn([&](caf::event_based_actor* self) {
        record_batch batch;
        batch.add_records()->set_key(key);
        write(
            self, journal, std::chrono::minutes{1}, std::move(batch),
            [&](written) { heard += "written"; }, [&](const caf::error&) { heard += "failed"; });
      });
      turns.run_once(); // it asks
      CHECK(turns.clock().has_pending_timeout());
      turns.run();
      CHECK(heard == (key == std::string{"a"} ? "written" : "failed"));
      CHECK_FALSE(turns.clock().has_pending_timeout());
    }
    caf::anon_send_exit(journal, caf::exit_reason::user_shutdown);
    turns.run();
  }

} // TEST_SUITE

} // namespace legion::store_actor_test
