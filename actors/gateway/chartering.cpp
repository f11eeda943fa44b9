#include "actors/gateway/chartering.hpp"

namespace legion::gateway {

namespace {

constexpr milliseconds timeout{12'000}; // a cordon's node is told meanwhile

/// The node whose roster row it is, as this gateway knows it.
node_view view_of(const roster_node& x, const surroundings& at) {
  node_view result;
  const auto* row = at.zone.find(node_id::from_bytes(x.id()));
  if (row) {
    *result.mutable_member() = row->who;
    result.set_state(row->state);
  } else {
    result.mutable_member()->set_id(x.id());
    result.mutable_member()->set_name(x.name());
    result.set_state(member_dead);
  }
  result.mutable_member()->set_cordoned(x.cordoned());
  return result;
}

} // namespace

effects chartering::start(const surroundings& at) {
  charter_request request;
  if (what_.has_cordon()) {
    const auto* row = at.zone.named(what_.cordon().node());
    request.mutable_cordon()->set_node(row ? row->id().text() : what_.cordon().node());
    request.mutable_cordon()->set_cordoned(what_.cordon().cordoned());
  } else if (what_.has_rebuild_charter()) {
    *request.mutable_rebuild() = what_.rebuild_charter();
  } else {
    request.mutable_show();
  }
  return {ask{1, at.self, std::move(request), timeout}};
}

effects chartering::on(std::uint64_t, const answer& what, const surroundings& at) {
  if (const auto* failed = std::get_if<fault>(&what)) {
    auto unknown = failed->code == errc::deadline && !what_.has_charter();
    return refuse(unknown ? refusal_deadline : refusal_unreachable,
                  "the charter did not answer: " + std::string{to_string(failed->code)}
                      + (failed->detail.empty() ? "" : " (" + failed->detail + ")")
                      + (unknown ? "; whether it was done is unknown" : ""));
  }
  const auto* reply = std::get_if<charter_reply>(&what);
  if (!reply)
    return {};
  if (const auto& x = reply->refused(); x.in_doubt())
    return refuse(refusal_deadline, x.detail() + "; whether it was done is unknown");
  else if (reply->has_refused())
    return refuse(x.code(), x.detail());
  api_reply said;
  said.set_last(true);
  if (reply->has_view())
    *said.mutable_charter() = reply->view();
  if (reply->done().has_node())
    *said.add_nodes() = view_of(reply->done().node(), at);
  if (!reply->done().note().empty())
    said.add_notes(reply->done().note());
  return {say{std::move(said)}};
}

} // namespace legion::gateway
