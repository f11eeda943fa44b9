#include "actors/bridge/proxy_actor.hpp"

#include <caf/actor_cast.hpp>
#include <caf/error.hpp>
#include <caf/exit_reason.hpp>

#include "actors/bridge/exchange_actor.hpp"
#include "actors/message_types.hpp"

namespace legion::bridge {
namespace {

/// Requests carry 60 bits of number.
constexpr caf::message_id watch_answer = caf::make_message_id(1);

} // namespace

proxy::proxy(caf::actor_config& config, std::shared_ptr<exchange> owner, node_id node,
             std::string path)
    : actor_proxy(config), owner_(std::move(owner)), node_(node), path_(std::move(path)) {}

void proxy::bounce_as(caf::mailbox_element& what, const caf::error& why,
                      caf::execution_unit* host) {
  if (what.mid.is_request() && what.sender)
    what.sender->enqueue(nullptr, what.mid.response_id(), caf::make_message(why), host);
  else if (node_ != owner_->self().id)
    owner_->lost(node_, failure_unreachable);
}

void proxy::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* host) {
  if (what->mid.is_response())
    return on_answer_to_watch(*what, host);
  if (getf(is_terminated_flag))
    return bounce_as(*what, fail_state(), host);
  if (node_ == owner_->self().id) {
    if (auto local = owner_->local(path_))
      return local->enqueue(std::move(what), host);
    return bounce_as(*what, make_error(fault{errc::unknown_actor, "no actor lives at " + path_}),
                     host);
  }
  owner_->send(node_, path_, *what, host);
}

void proxy::attach(caf::attachable_ptr what) {
  actor_proxy::attach(std::move(what));
  if (node_ != owner_->self().id && !getf(is_terminated_flag))
    owner_->watch(*this);
}

std::size_t proxy::detach(const caf::attachable::token& what) {
  auto result = actor_proxy::detach(what);
  auto watched = exclusive_critical_section([&] { return attachables_head_ != nullptr; });
  if (!watched)
    owner_->unwatch(*this);
  return result;
}

void proxy::kill_proxy(caf::execution_unit* host, caf::error why) {
  cleanup(std::move(why), host);
}

bool proxy::add_backlink(caf::abstract_actor* x) {
  auto result = actor_proxy::add_backlink(x);
  if (result && node_ != owner_->self().id)
    owner_->watch(*this);
  return result;
}

void proxy::on_destroy() {
  owner_->unlist(*this);
  cleanup(caf::exit_reason::unreachable, nullptr);
  actor_proxy::on_destroy();
}

void proxy::on_answer_to_watch(const caf::mailbox_element& what, caf::execution_unit* host) {
  if (what.mid != watch_answer.response_id() || !what.content().match_elements<caf::error>())
    return;
  auto why = fault_of(what.content().get_as<caf::error>(0));
  if (why.code == errc::unknown_actor)
    owner_->end(*this, {errc::unreachable, why.detail}, host);
  else if (why.code != errc::unreachable) // a dead node is membership's to tell
    owner_->watch_again(node_);
}

reply_port::reply_port(caf::actor_config& config, std::shared_ptr<exchange> owner, node_id node,
                       start_number start)
    : actor_proxy(config), owner_(std::move(owner)), node_(node), start_(start) {}

void reply_port::enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) {
  answer(what->mid, what->content());
}

void reply_port::enqueue(caf::strong_actor_ptr, caf::message_id id, caf::message what,
                         caf::execution_unit*) {
  answer(id, what);
}

void reply_port::answer(caf::message_id id, const caf::type_erased_tuple& what) {
  if (id.is_response())
    owner_->answer(node_, start_, id.request_id().integer_value(), what);
}

} // namespace legion::bridge
