#include "actors/store/store_actor.hpp"

#include <map>

#include <caf/actor_cast.hpp>
#include <caf/response_promise.hpp>
#include <caf/send.hpp>
#include <caf/typed_response_promise.hpp>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"

namespace legion {
namespace {

struct batch_written {
  std::uint64_t correlation = 0;
};
struct batch_failed {
  std::uint64_t correlation = 0;
  fault why;
};

} // namespace
} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::batch_written)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::batch_failed)

namespace legion {
namespace {

using health_listener = caf::typed_actor<caf::reacts_to<store::health>>;

/// What the actor also hears, from its own journal only.
using store_inside =
    store_handle::extend<caf::reacts_to<batch_written>, caf::reacts_to<batch_failed>,
                         caf::reacts_to<store::health>>;

/// Passes completions on, from the journal's thread to the actor, for as long as there is one.
class completions final : public store::sink {
public:
  explicit completions(caf::actor_addr to) : to_(std::move(to)) {}

  void written(std::uint64_t correlation) override { tell(batch_written{correlation}); }
  void failed(std::uint64_t correlation, fault why) override {
    tell(batch_failed{correlation, std::move(why)});
  }
  void health_changed(const store::health& now) override { tell(now); }

private:
  template <class T>
  void tell(T what) {
    if (auto to = caf::actor_cast<caf::strong_actor_ptr>(to_))
      caf::anon_send(caf::actor_cast<caf::actor>(to), std::move(what));
  }

  caf::actor_addr to_;
};

struct store_state {
  static inline const char* name = "store";
  std::map<std::uint64_t, caf::typed_response_promise<written>> open; // by correlation id
  std::uint64_t next = 1;
  store::health health;
  health_listener subscriber;
  std::unique_ptr<completions> sink;
  std::unique_ptr<store::store> journal; // goes first: it ends the thread that calls the sink
};

using store_pointer = store_inside::stateful_pointer<store_state>;

void on_health(store_pointer self, const store::health& now) {
  auto& s = self->state;
  if (now.full)
    spdlog::warn("store full detail=\"{}\": changes are refused until there is space", now.detail);
  else
    spdlog::info("store has_space_again");
  s.health = now;
  if (s.subscriber)
    self->send(s.subscriber, now);
}

store_inside::behavior_type store_actor(store_pointer self, store::factory make) {
  self->set_default_handler([](auto*, auto& x) -> caf::result<caf::message> {
    spdlog::debug("store unexpected message={}", caf::deep_to_string(x.content()));
    return caf::sec::unexpected_message;
  });
  self->state.sink = std::make_unique<completions>(caf::actor_cast<caf::actor_addr>(self));
  self->state.journal = make(*self->state.sink);
  return {
      [self](record_batch& batch) -> caf::result<written> {
        auto id = self->state.next++;
        auto reply = self->make_response_promise<written>();
        self->state.open.emplace(id, reply);
        spdlog::debug("store append correlation={} records={}", id, batch.records_size());
        self->state.journal->append(id, std::move(batch));
        return reply;
      },
      [self](const batch_written& x) {
        if (auto node = self->state.open.extract(x.correlation))
          node.mapped().deliver(written{});
      },
      [self](const batch_failed& x) {
        if (auto node = self->state.open.extract(x.correlation)) {
          // That the disk is full was said once; it is not to be filled with saying so.
          auto level = x.why.code == errc::disk_full ? spdlog::level::debug : spdlog::level::warn;
          spdlog::log(level, "store failed correlation={} why={} detail=\"{}\"", x.correlation,
                      to_string(x.why.code), x.why.detail);
          node.mapped().deliver(make_error(x.why));
        }
      },
      [self](const store::health& x) { on_health(self, x); },
      [self](const subscribe_health& x) {
        self->state.subscriber = caf::actor_cast<health_listener>(x.who);
        self->send(self->state.subscriber, self->state.health);
      },
  };
}

} // namespace

store_handle spawn_store(caf::actor_system& system, const context_ptr& context) {
  return spawn_enrolled(system, context, "store", store_actor, context->make_store);
}

} // namespace legion
