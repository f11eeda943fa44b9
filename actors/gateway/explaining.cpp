#include "actors/gateway/explaining.hpp"

#include <algorithm>

#include "actors/group/whereabouts.hpp"

namespace legion::gateway {

effects explaining::start(const surroundings& at) {
  auto ns = what_.namespace_().empty() ? "default" : what_.namespace_();
  what_.set_namespace_(ns);
  effects out;
  for (const auto& owner : owners_of_pod(ns, what_.pod())) {
    group_request request;
    request.set_group(value(group::group_of(owner)));
    request.mutable_explain()->set_namespace_(ns);
    request.mutable_explain()->set_pod(what_.pod());
    asked_.emplace_back(ids_.next(), std::move(request), shown(owner));
  }
  for (auto& x : asked_)
    append(out, x.start(at));
  append(out, finish_if_done());
  return out;
}

effects explaining::on(std::uint64_t id, const answer& what, const surroundings& at) {
  effects out;
  for (auto& x : asked_)
    if (x.id() == id && !x.done())
      append(out, x.on(what, at));
  append(out, finish_if_done());
  return out;
}

effects explaining::on_wake(std::uint64_t id, const surroundings& at) {
  effects out;
  for (auto& x : asked_)
    if (x.id() == id && !x.done())
      append(out, x.on_wake(at));
  append(out, finish_if_done());
  return out;
}

effects explaining::finish_if_done() {
  if (done_ || !std::all_of(asked_.begin(), asked_.end(), [](const auto& x) { return x.done(); }))
    return {};
  done_ = true;
  for (const auto& x : asked_)
    if (x.reply().has_explanation()) {
      api_reply reply;
      reply.set_last(true);
      *reply.mutable_explanation() = x.reply().explanation();
      return {say{std::move(reply)}};
    }
  for (const auto& x : asked_)
    if (x.unanswered())
      return refuse(x.reply().refused().code(), x.reply().refused().detail());
  return refuse(refusal_not_found, "no pod " + what_.pod() + " in namespace " + what_.namespace_()
                                       + ": `legionctl get pods -n " + what_.namespace_()
                                       + "` lists them");
}

} // namespace legion::gateway
