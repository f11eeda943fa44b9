#include "actors/membership/membership_actor.hpp"

#include <algorithm>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "actors/bridge/bridge_actor.hpp"
#include "actors/bridge/directory.hpp"
#include "actors/census/census.hpp"
#include "actors/journal_ends.hpp"
#include "actors/membership/swim.hpp"

namespace legion {

namespace {

struct wake {
  std::uint64_t generation = 0;
};

} // namespace

} // namespace legion

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::wake)

namespace legion {

namespace {

using inner_handle = membership_handle::extend<caf::reacts_to<wake>>;
using charter_door = caf::typed_actor<caf::replies_to<charter_request>::with<charter_reply>>;

struct membership_state {
  static inline const char* name = "membership";
  context_ptr context;
  std::optional<membership::swim> rules;
  std::vector<caf::strong_actor_ptr> subscribers;
  std::vector<caf::typed_response_promise<journal_trusted>> wait_for_trust;
  charter_door charter;                             // null: nobody else is asked about who joins
  std::size_t joins_waiting = 0;                    // for the charter
  std::string join_trouble;                         // of the last try
  std::map<std::size_t, std::string> join_troubles; // of the last with each contact
  bool join_refused = false;                        // in it
  std::uint64_t generation = 0;                     // of the one wake-up that counts
  std::optional<time_point> armed;                  // when it comes
};

using membership_pointer = inner_handle::stateful_pointer<membership_state>;

constexpr auto list_timeout = std::chrono::seconds{3};
constexpr auto charter_timeout = milliseconds{2800}; // below `parameters::join_timeout`
constexpr std::size_t most_joins_waiting = 256;

void perform_all(membership_pointer self, membership::effects all);

time_point now(membership_pointer self) {
  return self->clock().now();
}

membership_handle member_at(membership_pointer self, const node_id& id) {
  return self->state.context->directory->at<membership_handle>(id, "membership");
}

bridge_handle bridge_of(membership_pointer self) {
  auto& context = *self->state.context;
  return context.directory->at<bridge_handle>(context.self.id, "bridge");
}

void perform(membership_pointer self, membership::send_packet& x) {
  if (spdlog::should_log(spdlog::level::debug))
    spdlog::debug("membership send_packet to={} kind={} updates={}", x.to.short_text(),
                  static_cast<int>(x.what.what_case()), x.what.updates_size());
  self->state.context->directory->tell(x.to, "membership", std::move(x.what), self->context());
}

/// The bridge there hears no life before one that is over: this journal is from then.
bool began_anew(membership_pointer self, const fault& why, const std::string& who) {
  const auto& begin = self->state.context->begin_new_journal;
  if (why.code == errc::conflict && begin) {
    self->state.rules->on_outdated();
    begin(who + " says: another start of your node is known here: your journal is an old copy");
  }
  return why.code == errc::conflict;
}

void perform(membership_pointer self, membership::ask_list& x) {
  spdlog::debug("membership ask_list to={} members={}", x.to.short_text(), x.what.members_size());
  self->request(member_at(self, x.to), list_timeout, std::move(x.what))
      .then(
          [self, to = x.to](const member_list& answer) {
            spdlog::debug("membership list from={} members={}", to.short_text(),
                          answer.members_size());
            perform_all(self, self->state.rules->on_list(to, answer, now(self)));
          },
          [self, to = x.to](const caf::error& error) {
            auto why = fault_of(error);
            spdlog::debug("membership list_failed from={} why={}", to.short_text(),
                          to_string(why.code));
            began_anew(self, why, "node " + to.short_text());
          });
}

void perform(membership_pointer self, membership::ask_join& x) {
  auto& contact = self->state.context->join[x.contact];
  auto joining = self->state.rules->joining(); // else it looks for who is not heard
  auto again = self->state.join_troubles.contains(x.contact);
  spdlog::log(joining && !again ? spdlog::level::info : spdlog::level::debug,
              "membership join through={} endpoint={}", contact.id.short_text(), contact.endpoint);
  self->send(bridge_of(self), introduce_contact{contact});
  auto timeout = membership::parameters{}.join_timeout;
  self->request(member_at(self, contact.id), timeout, std::move(x.what))
      .then(
          [self, joining, i = x.contact, endpoint = contact.endpoint](const join_reply& answer) {
            if (answer.has_accepted())
              self->state.join_trouble.clear();
            else if (joining)
              self->state.join_trouble = endpoint + " refuses: " + answer.refused();
            self->state.join_refused = joining && !answer.has_accepted() && !answer.later();
            const auto& begin = self->state.context->begin_new_journal;
            if (answer.outdated() && begin)
              begin(endpoint + " says: " + answer.refused());
            perform_all(self, self->state.rules->on_join_reply(i, answer, now(self)));
          },
          [self, joining, i = x.contact, endpoint = contact.endpoint](const caf::error& error) {
            auto why = fault_of(error);
            auto outdated = began_anew(self, why, endpoint);
            if (!joining)
              return perform_all(self, self->state.rules->on_join_failed(i, now(self), why.code));
            self->state.join_refused =
                why.code == errc::refused || why.code == errc::outlived || outdated;
            self->state.join_trouble =
                self->state.join_refused
                    ? endpoint + " refuses: " + why.detail
                    : endpoint + " does not answer (" + to_string(why.code)
                          + (why.detail.empty() ? "" : ": " + why.detail)
                          + "): is a node there, and is its join string the one given? Each node "
                            "prints "
                            "its own at its start, and another once its node.key is another";
            auto& before = self->state.join_troubles[i];
            auto again = before == self->state.join_trouble;
            before = self->state.join_trouble;
            spdlog::log(again ? spdlog::level::debug : spdlog::level::warn,
                        "membership join_failed endpoint={} why=\"{}: {}\"", endpoint,
                        to_string(why.code), why.detail);
            perform_all(self, self->state.rules->on_join_failed(i, now(self), why.code));
          });
}

void perform(membership_pointer self, membership::tell_change& x) {
  spdlog::info("membership member name={} id={} start={} version={} state={}", x.who.name(),
               node_id::from_bytes(x.who.id()).short_text(), x.who.start(), x.who.version(),
               member_state_Name(x.state));
  auto message = caf::make_message(member_change{std::move(x.who), x.state, x.since});
  for (auto& who : self->state.subscribers)
    who->enqueue(self->ctrl(), caf::make_message_id(), message, self->context());
}

void perform(membership_pointer self, membership::know_cluster& x) {
  self->send(bridge_of(self), cluster_known{std::move(x.cluster)});
}

void perform(membership_pointer self, membership::tell_outdated& x) {
  if (const auto& begin = self->state.context->begin_new_journal) {
    self->state.rules->on_outdated();
    begin(x.why);
  }
}

void perform(membership_pointer self, membership::trust_journal&) {
  for (auto& x : std::exchange(self->state.wait_for_trust, {}))
    x.deliver(journal_trusted{});
}

caf::result<journal_trusted> on_trust_asked(membership_pointer self) {
  if (self->state.rules->trusts_journal())
    return journal_trusted{};
  self->state.wait_for_trust.push_back(self->make_response_promise<journal_trusted>());
  return self->state.wait_for_trust.back();
}

void perform(membership_pointer, membership::note& x) {
  spdlog::log(x.grave ? spdlog::level::err : spdlog::level::info, "membership {} {}", x.event,
              x.detail);
}

void arm(membership_pointer self) {
  auto& state = self->state;
  auto due = state.rules->wake_at();
  if (state.armed && *state.armed <= due)
    return;
  state.armed = due;
  self->delayed_send(caf::actor_cast<inner_handle>(self), due - now(self),
                     wake{++state.generation});
}

void perform_all(membership_pointer self, membership::effects all) {
  for (auto& x : all)
    std::visit([self](auto& y) { perform(self, y); }, x);
  arm(self);
}

membership::swim::setting setting_of(const node_context& context) {
  membership::swim::setting x;
  x.self.set_id(context.self.id.bytes());
  x.self.set_start(value(context.self.start));
  x.self.set_life(context.self.life);
  x.self.set_name(context.self.name);
  x.self.set_endpoint(context.self.endpoint);
  x.self.set_public_key(context.self.public_key);
  x.self.set_zone(context.self.zone);
  x.self.set_binary_version(LEGION_VERSION);
  x.self.set_keeps(context.keeps); // what a keeper holds must be found again after its restart
  x.self.set_journal(context.journal_id);
  x.self.set_cordoned(context.cordoned);
  for (auto& label : context.offers.labels)
    *x.self.add_labels() = label;
  for (auto& taint : context.offers.taints)
    *x.self.add_taints() = taint;
  x.cluster = context.cluster;
  for (const auto& contact : context.join)
    x.contacts.push_back(contact.id);
  if (context.broken == broken_rule::contacts_are_sought)
    x.tuned.seek_first = std::chrono::hours{24 * 365};
  x.may_be_old = context.may_be_old;
  x.rows_found = context.rows_found;
  if (context.ends)
    x.rows_heard = [ends = context.ends](const member& who) {
      return ends->before(
          {node_id::from_bytes(who.id()), consensus::journal_id::from_bytes(who.journal())},
          start_number{who.start()});
    };
  x.seed = context.seed_for("membership");
  x.records = context.records;
  return x;
}

members_known all_members(membership_pointer self) {
  members_known result;
  result.cluster = self->state.rules->cluster();
  result.join_trouble = self->state.join_trouble;
  result.join_refused = self->state.join_refused;
  result.joining = self->state.rules->joining();
  for (auto& e : self->state.rules->members().all())
    result.members.push_back({membership::record_of(e), e.state, e.changed});
  return result;
}

void tell_from_now_on(membership_pointer self, const caf::strong_actor_ptr& who) {
  auto& all = self->state.subscribers;
  if (!who || std::find(all.begin(), all.end(), who) != all.end())
    return;
  self->monitor(who);
  all.push_back(who);
}

void tell_no_more(membership_pointer self, const caf::strong_actor_ptr& who) {
  if (who && std::erase(self->state.subscribers, who) > 0)
    self->demonitor(who->address());
}

void subscribe(membership_pointer self, const subscribe_members& x) {
  tell_from_now_on(self, x.who);
  if (!x.who)
    return;
  for (auto& change : all_members(self).members)
    x.who->enqueue(self->ctrl(), caf::make_message_id(), caf::make_message(std::move(change)),
                   self->context());
}

join_reply accept_join(membership_pointer self, const join_request& x) {
  membership::effects more;
  auto reply = self->state.rules->answer_join(x, now(self), more);
  perform_all(self, std::move(more));
  return reply;
}

join_reply not_admitted(const join_request& x, const charter_reply& why) {
  join_reply reply;
  reply.set_refused(why.refused().detail());
  reply.set_later(why.later());
  spdlog::info("membership not_admitted name={} why=\"{}\"", x.who().name().substr(0, 64),
               reply.refused());
  return reply;
}

charter_request admission_of(const member& who) {
  charter_request result;
  auto& x = *result.mutable_admit()->mutable_who();
  x.set_id(who.id());
  x.set_public_key(who.public_key());
  x.set_name(who.name());
  x.set_endpoint(who.endpoint());
  *x.mutable_labels() = who.labels();
  *x.mutable_taints() = who.taints();
  x.set_cordoned(who.cordoned());
  return result;
}

/// It is a member once the charter has admitted it; until then it is told to come again.
caf::result<join_reply> on_join(membership_pointer self, const join_request& x) {
  auto& state = self->state;
  if (!state.charter)
    return accept_join(self, x);
  membership::effects more;
  auto refusal = state.rules->refuse_join(x, now(self), more);
  perform_all(self, std::move(more));
  if (refusal)
    return *refusal;
  auto reply = self->make_response_promise<join_reply>();
  if (state.joins_waiting >= most_joins_waiting) {
    join_reply busy;
    busy.set_refused(std::to_string(most_joins_waiting) + " nodes wait to be admitted already");
    busy.set_later(true);
    reply.deliver(std::move(busy));
    return reply;
  }
  ++state.joins_waiting;
  self->request(state.charter, charter_timeout, admission_of(x.who()))
      .then(
          [self, reply, x](const charter_reply& answer) mutable {
            --self->state.joins_waiting;
            reply.deliver(answer.has_done() ? accept_join(self, x) : not_admitted(x, answer));
          },
          [self, reply, x](const caf::error&) mutable {
            --self->state.joins_waiting;
            charter_reply late;
            late.mutable_refused()->set_detail("the zone's charter did not answer in time");
            late.set_later(true);
            reply.deliver(not_admitted(x, late));
          });
  return reply;
}

inner_handle::behavior_type membership_actor(membership_pointer self, context_ptr context) {
  self->state.context = context;
  self->state.rules.emplace(setting_of(*context), now(self));
  self->set_default_handler([](auto*, auto&) -> caf::result<caf::message> {
    spdlog::debug("membership unknown_message");
    return caf::sec::unexpected_message;
  });
  self->set_down_handler([self](const caf::down_msg& x) {
    std::erase_if(self->state.subscribers, [&](auto& who) { return who->address() == x.source; });
  });
  context->directory->publish("membership", caf::actor_cast<caf::strong_actor_ptr>(self));
  self->attach_functor(
      [directory = context->directory](const caf::error&) { directory->withdraw("membership"); });
  perform_all(self, self->state.rules->start(now(self)));
  return {
      [self](const swim_packet& x) {
        if (spdlog::should_log(spdlog::level::debug))
          spdlog::debug("membership packet from={} kind={} updates={}",
                        node_id::from_bytes(x.from()).short_text(), static_cast<int>(x.what_case()),
                        x.updates_size());
        perform_all(self, self->state.rules->on_packet(x, now(self)));
      },
      [self](const join_request& x) { return on_join(self, x); },
      [self](const member_list& x) {
        membership::effects more;
        auto reply = self->state.rules->answer_list(x, now(self), more);
        perform_all(self, std::move(more));
        return reply;
      },
      [self](list_members) { return all_members(self); },
      [self](await_trust) { return on_trust_asked(self); },
      [self](const subscribe_members& x) { subscribe(self, x); },
      [self](const follow_members& x) {
        tell_from_now_on(self, x.who);
        return all_members(self);
      },
      [self](const unfollow_members& x) { tell_no_more(self, x.who); },
      [self](const describe_self& x) {
        perform_all(self, self->state.rules->describe(x.record, now(self)));
      },
      [self](const connection_hint& x) {
        spdlog::debug("membership connection peer={} up={}", x.peer.short_text(), x.up);
        perform_all(self, self->state.rules->on_connection(x.peer, x.up, now(self)));
      },
      [self](const peer_heard& x) { self->state.rules->on_heard(x.peer, now(self)); },
      [self](const admit_through& x) {
        self->state.charter = caf::actor_cast<charter_door>(x.charter);
      },
      [self](leave_zone) { perform_all(self, self->state.rules->leave(now(self))); },
      [self](wake x) {
        if (x.generation != self->state.generation)
          return; // a later one was armed for an earlier time
        self->state.armed.reset();
        perform_all(self, self->state.rules->on_tick(now(self)));
      },
  };
}

} // namespace

membership_handle spawn_membership(caf::actor_system& system, const context_ptr& context) {
  return spawn_enrolled(system, context, "membership", membership_actor, context);
}

} // namespace legion
