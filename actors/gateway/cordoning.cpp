#include "actors/gateway/cordoning.hpp"

namespace legion::gateway {

namespace {

constexpr milliseconds timeout{5'000};

} // namespace

effects cordoning::start(const surroundings& at) {
  const auto* row = at.zone.named(what_.node());
  if (!row)
    return refuse(refusal_not_found, "no node " + what_.node()
                                         + ", or several of that name: "
                                           "`legionctl get nodes`");
  whom_ = row->id();
  if (row->down())
    return refuse(refusal_unreachable, "node " + at.zone.with_state(whom_, at.now)
                                           + ": only the node itself can change that");
  what_.set_node(row->who.name());
  return {ask{1, whom_, what_, timeout}};
}

effects cordoning::on(std::uint64_t, const answer& what, const surroundings& at) {
  if (const auto* failed = std::get_if<fault>(&what)) {
    auto unknown = failed->code == errc::deadline || failed->code == errc::unreachable;
    return refuse(unknown ? refusal_deadline : refusal_unknown,
                  "node " + at.zone.with_state(whom_, at.now) + ": " + to_string(failed->code)
                      + (failed->detail.empty() ? "" : " (" + failed->detail + ")")
                      + (unknown ? "; whether it was changed is unknown" : ""));
  }
  api_reply reply;
  reply.set_last(true);
  if (const auto* view = std::get_if<node_view>(&what))
    *reply.add_nodes() = *view;
  return {say{std::move(reply)}};
}

} // namespace legion::gateway
