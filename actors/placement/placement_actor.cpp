#include "actors/placement/placement_actor.hpp"

#include <optional>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/node/node_actor.hpp"

namespace legion {

namespace {

/// How much longer than the call's deadline its answer may be under way.
constexpr auto answer_slack = milliseconds{300};
constexpr auto release_time = seconds{2};

struct placement_state {
  static inline const char* name = "placement";
  context_ptr context;
  std::optional<placement::round> round;
  round_listener listener;
  std::optional<time_point> armed;
};

using placement_pointer = placement_handle::stateful_pointer<placement_state>;

time_point now(placement_pointer self) {
  return self->clock().now();
}

void perform_all(placement_pointer self, std::vector<placement::effect> effects);

node_handle node_at(placement_pointer self, const node_id& x) {
  return self->state.context->directory->at<node_handle>(x, "node");
}

void perform(placement_pointer self, placement::send_call& x) {
  spdlog::debug("placement call of={} to={} count={}", x.what.of().name(), x.to.short_text(),
                x.what.count());
  auto limit = milliseconds{x.what.deadline_ms()} + answer_slack;
  self->request(node_at(self, x.to), limit, std::move(x.what))
      .then(
          [self, from = x.to](const call_reply& answer) {
            perform_all(self, self->state.round->on_reply(from, answer, now(self)));
          },
          [self, from = x.to](caf::error& why) {
            perform_all(self, self->state.round->on_failure(from, fault_of(why), now(self)));
          });
}

void perform(placement_pointer self, placement::send_release& x) {
  // Once: a hold that is not released expires.
  self->request(node_at(self, x.to), release_time, std::move(x.what))
      .then([](const release_reply&) {}, [](caf::error&) {});
}

void perform(placement_pointer self, placement::decide& x) {
  spdlog::debug("placement decided of={} picks={} missing={} decided={}", x.what.record.of().name(),
                x.what.picks.size(), x.what.missing, x.what.record.decided());
  self->send(self->state.listener, round_ended{std::move(x.what)});
}

void perform(placement_pointer self, placement::note_late& x) {
  self->send(self->state.listener, answered_late{std::move(x)});
}

void perform_all(placement_pointer self, std::vector<placement::effect> effects) {
  auto& state = self->state;
  for (auto& x : effects)
    std::visit([self](auto& y) { perform(self, y); }, x);
  if (state.round->over())
    return self->quit();
  auto due = state.round->due();
  if (due && (!state.armed || *due < *state.armed)) {
    state.armed = due;
    self->delayed_send(self, std::max(*due - now(self), time_point::duration{milliseconds{1}}),
                       placement_tick{});
  }
}

placement_handle::behavior_type placement_actor(placement_pointer self, context_ptr context,
                                                placement::round round, round_listener listener) {
  self->set_default_handler(caf::drop);
  self->state.context = std::move(context);
  self->state.round = std::move(round);
  self->state.listener = std::move(listener);
  self->send(self, placement_tick{});
  return {
      [self, begun = false](placement_tick) mutable {
        auto& state = self->state;
        state.armed.reset();
        auto effects = begun ? state.round->on_tick(now(self)) : state.round->start(now(self));
        begun = true;
        perform_all(self, std::move(effects));
      },
  };
}

} // namespace

placement_handle spawn_placement(caf::actor_system& system, const context_ptr& context,
                                 std::string path, call what,
                                 std::vector<placement::volunteer> among, std::uint64_t seed,
                                 round_listener listener) {
  auto round = placement::round{std::move(what), std::move(among), seed, system.clock().now(),
                                context->wall_clock()};
  return spawn_enrolled(system, context, std::move(path), placement_actor, context,
                        std::move(round), std::move(listener));
}

} // namespace legion
