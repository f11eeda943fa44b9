#include "actors/keeper/keeper_actor.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/keeper/rollout.hpp"
#include "actors/node/node_actor.hpp"

namespace legion {

namespace {

/// The store answers long before; a proposal without an answer is proposed again.
constexpr auto commit_time = seconds{60};
constexpr auto answer_time = seconds{2};
constexpr auto least_sleep = milliseconds{5};

struct keeper_state {
  static inline const char* name = "keeper";
  context_ptr context;
  std::optional<keeper::rollout> rollout;
  commit_handle log;
  std::string path;
  placement_handle placement;
  caf::actor_addr placing; // whose end without an outcome is an outcome too
  std::uint32_t called_for = 0;
  std::optional<time_point> armed;
  std::uint64_t generation = 0;

  ~keeper_state() {
    if (placement)
      caf::anon_send_exit(placement, caf::exit_reason::user_shutdown);
  }
};

using keeper_pointer = keeper_handle::stateful_pointer<keeper_state>;

keeper::moment moment_of(keeper_pointer self) {
  return {self->clock().now(), self->state.context->wall_clock()};
}

node_handle node_at(keeper_pointer self, const node_id& x) {
  return self->state.context->directory->at<node_handle>(x, "node");
}

void perform_all(keeper_pointer self, keeper::rollout::effects effects);

void perform(keeper_pointer self, keeper::propose& x) {
  self->request(self->state.log, commit_time, propose_entries{std::move(x.entries)})
      .then(
          [self](const entries_proposed&) {
            perform_all(self, self->state.rollout->on_proposed(moment_of(self)));
          },
          [self](caf::error& why) {
            auto fault = fault_of(why);
            spdlog::warn("keeper commit_refused path={} why={} detail={}", self->state.path,
                         to_string(fault.code), fault.detail);
            perform_all(self, self->state.rollout->on_refused(fault, moment_of(self)));
          });
}

void perform(keeper_pointer self, keeper::place& x) {
  auto& state = self->state;
  spdlog::debug("keeper call path={} count={} zone={}", state.path, x.what.count(), x.among.size());
  state.called_for = x.what.count();
  state.placement =
      spawn_placement(self->system(), state.context, state.path + "/placement", std::move(x.what),
                      std::move(x.among), x.seed, caf::actor_cast<round_listener>(self));
  state.placing = caf::actor_cast<caf::actor_addr>(state.placement);
  self->monitor(state.placement);
}

void perform(keeper_pointer self, keeper::send_accept& x) {
  spdlog::debug("keeper accept path={} to={} offer={} slots={}", self->state.path,
                x.to.short_text(), x.what.offer(), x.what.slots_size());
  self->request(node_at(self, x.to), answer_time, std::move(x.what))
      .then(
          [self, to = x.to, offer = x.offer](const accept_reply& answer) {
            perform_all(self,
                        self->state.rollout->on_accept_reply(to, offer, answer, moment_of(self)));
          },
          [self, to = x.to, offer = x.offer](caf::error& why) {
            spdlog::debug("keeper accept_unanswered path={} to={} why={}", self->state.path,
                          to.short_text(), fault_of(why).detail);
            perform_all(self, self->state.rollout->on_accept_failed(to, offer, moment_of(self)));
          });
}

void perform(keeper_pointer self, keeper::send_release& x) {
  spdlog::debug("keeper release path={} to={} offer={} slots={}", self->state.path,
                x.to.short_text(), x.what.offer(), x.what.slots_size());
  auto of_slots = x.what.slots_size() > 0;
  self->request(node_at(self, x.to), answer_time, std::move(x.what))
      .then(
          [self, to = x.to, of_slots](const release_reply& answer) {
            if (of_slots)
              perform_all(self, self->state.rollout->on_release_reply(to, answer, moment_of(self)));
          },
          [self, to = x.to, of_slots](caf::error&) {
            if (of_slots)
              perform_all(self, self->state.rollout->on_release_failed(to, moment_of(self)));
          });
}

void perform_all(keeper_pointer self, keeper::rollout::effects effects) {
  auto& state = self->state;
  for (auto& x : effects)
    std::visit([self](auto& y) { perform(self, y); }, x);
  auto now = self->clock().now();
  auto due = state.rollout->due(now);
  if (!due || (state.armed && *state.armed <= *due))
    return;
  auto wait = std::max(*due - now, time_point::duration{least_sleep});
  state.armed = now + wait;
  self->delayed_send(self, wait, keeper_tick{++state.generation});
}

void on_placement_down(keeper_pointer self, const caf::down_msg& x) {
  auto& state = self->state;
  if (state.placing != x.source)
    return;
  spdlog::warn("keeper placement_failed path={}", state.path);
  state.placing = {};
  placement::outcome nothing;
  nothing.missing = state.called_for;
  nothing.note = "the round of placement failed";
  perform_all(self, state.rollout->on_placed(std::move(nothing), moment_of(self)));
}

keeper_handle::behavior_type keeper_actor(keeper_pointer self, context_ptr context, group_id group,
                                          group::resource_state kept, std::uint64_t term,
                                          std::uint64_t seed, std::string path,
                                          keeper::member_table_ptr members, commit_handle log,
                                          time_point exclusive_from) {
  auto& state = self->state;
  state.context = std::move(context);
  state.log = std::move(log);
  state.path = std::move(path);
  self->set_default_handler(caf::drop);
  self->set_down_handler([self](caf::down_msg& x) { on_placement_down(self, x); });
  self->set_exit_handler([self](caf::exit_msg& x) {
    if (self->state.placement)
      self->send_exit(self->state.placement, x.reason);
    self->quit(x.reason);
  });
  state.rollout.emplace(std::move(kept), group, state.context->self.id, term, seed, moment_of(self),
                        state.context->broken, exclusive_from);
  if (members)
    self->send(self, zone_is{std::move(members)});
  else
    self->send(self, keeper_tick{0});
  return {
      [self](entries_committed& x) {
        perform_all(self, self->state.rollout->on_committed(x.entries, moment_of(self)));
      },
      [self](zone_is& x) {
        perform_all(self, self->state.rollout->on_members(std::move(x.members), moment_of(self)));
      },
      [self](const report& x) {
        perform_all(self, self->state.rollout->on_heard(x, moment_of(self)));
      },
      [self](round_ended& x) {
        self->state.placing = {};
        perform_all(self, self->state.rollout->on_placed(std::move(x.what), moment_of(self)));
      },
      [self](const answered_late& x) { self->state.rollout->on_late(x.what.call, x.what.what); },
      [self](const read_view& x) {
        return keeper_view{self->state.rollout->view(moment_of(self), x.events)};
      },
      [self](const explain_slot& x) {
        return keeper_explanation{self->state.rollout->explain(x.pod, moment_of(self))};
      },
      [self](const renew_slots& x) {
        return slots_renewed{self->state.rollout->on_lease_ask(x.from, x.uids, moment_of(self))};
      },
      [self](keeper_tick x) {
        if (x.generation != self->state.generation)
          return;
        self->state.armed.reset();
        perform_all(self, self->state.rollout->on_tick(moment_of(self)));
      },
  };
}

} // namespace

keeper_handle spawn_keeper(caf::actor_system& system, const context_ptr& context, group_id group,
                           group::resource_state kept, std::uint64_t term, std::uint64_t index,
                           keeper::member_table_ptr members, const commit_handle& log,
                           time_point exclusive_from) {
  auto path = "group/" + std::to_string(value(group)) + "/keeper/"
              + kept.what.metadata().namespace_() + "/" + kept.what.metadata().name();
  auto seed =
      context->seed_for(path + "/" + kept.what.kind() + "/"
                        + std::to_string(value(context->self.start)) + "/" + std::to_string(index));
  return spawn_enrolled(system, context, path, keeper_actor, context, group, std::move(kept), term,
                        seed, path, std::move(members), log, exclusive_from);
}

} // namespace legion
