#include "actors/gateway/rebuilding.hpp"

#include <algorithm>

#include "actors/gateway/backing_up.hpp"

namespace legion::gateway {

namespace {

constexpr std::size_t most_asked = 128;
constexpr milliseconds standing_timeout{3'000};
constexpr milliseconds raise_timeout{40'000};

std::string group_text(std::uint32_t group) {
  return "keeper group " + std::to_string(group);
}

/// Of one request and group always the same.
std::uint64_t random_of(const std::string& request_id, std::uint32_t group) {
  std::uint64_t result = 14695981039346656037ull + group;
  for (unsigned char c : request_id)
    result = (result ^ c) * 1099511628211ull;
  return result ^ result >> 29;
}

} // namespace

effects rebuilding::start(const surroundings& at) {
  const auto& named = what_.rebuild().groups();
  for (auto g : named)
    if (g >= groups_per_zone)
      return refuse(refusal_invalid, "there is no " + group_text(g) + ": 0 to "
                                         + std::to_string(groups_per_zone - 1));
  probing_.insert(named.begin(), named.end());
  for (std::uint32_t g = 0; named.empty() && g < groups_per_zone; ++g)
    probing_.insert(g);
  effects out{still_at_it()};
  for (auto g : probing_) {
    group_request request;
    request.set_group(g);
    request.mutable_read_state()->set_size_only(true);
    auto id = ids_.next();
    auto& x = probes_.emplace(id, errand{id, std::move(request), group_text(g)}).first->second;
    append(out, x.start(at));
  }
  append(out, step(at));
  return out;
}

effects rebuilding::step(const surroundings& at) {
  effects out;
  if (stage_ == stage::raising)
    out.push_back(still_at_it());
  while (!waiting_.empty() && asked_.size() < most_asked) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next.what.id = ids_.next();
    out.push_back(next.what);
    asked_.emplace(next.what.id, std::move(next));
  }
  if (!asked_.empty())
    return out;
  switch (stage_) {
    case stage::probing:
      if (std::any_of(probes_.begin(), probes_.end(), [](auto& x) { return !x.second.done(); }))
        break;
      append(out, look(at));
      break;
    case stage::looking:
      append(out, choose(at));
      break;
    case stage::raising:
      append(out, finish(at));
      break;
    case stage::over:
      break;
  }
  return out;
}

void rebuilding::enqueue(const node_id& whom, std::optional<std::uint32_t> group, bool raises,
                         std::variant<group_request, node_request> what, milliseconds timeout) {
  question x{whom, group, raises, ask{0, whom, {}, timeout}};
  std::visit([&](auto& y) { x.what.what = std::move(y); }, what);
  waiting_.push_back(std::move(x));
}

/// Who answers needs no rebuilding; of the others every living node is asked what it has.
effects rebuilding::look(const surroundings& at) {
  std::vector<std::uint32_t> answering;
  for (const auto& [id, x] : probes_) {
    auto group = x.request().group();
    if (!x.reply().has_piece())
      lost_[group].told.set_detail(x.why().empty() ? x.reply().refused().detail() : x.why());
    else
      answering.push_back(group);
  }
  if (what_.rebuild().groups_size() > 0 && !answering.empty())
    return refuse(refusal_conflict, (answering.size() == 1 ? "keeper group " : "keeper groups ")
                                        + list_of(answering)
                                        + (answering.size() == 1 ? " answers" : " answer")
                                        + ": there is nothing to rebuild");
  stage_ = stage::looking;
  living_ = at.zone.living();
  if (lost_.empty())
    return choose(at);
  for (const auto& who : living_) {
    node_request request;
    request.set_holdings(true);
    enqueue(who, std::nullopt, false, std::move(request), standing_timeout);
    for (const auto& [g, x] : lost_) {
      group_request look;
      look.set_group(g);
      look.mutable_look();
      enqueue(who, g, false, std::move(look), standing_timeout);
    }
  }
  return step(at);
}

void rebuilding::take(const question& of, const answer& what, const surroundings& at) {
  if (of.raises)
    return take_raised(lost_[*of.group], of, what, at);
  if (!of.group) {
    const auto* view = std::get_if<node_view>(&what);
    if (!view)
      silent_.insert(of.whom);
    else
      for (const auto& x : view->holdings())
        if (auto i = lost_.find(x.group()); i != lost_.end())
          i->second.left[of.whom].holding = x;
    for (auto& [g, x] : lost_)
      if (view)
        x.left[of.whom].node = of.whom;
    return;
  }
  const auto* reply = std::get_if<group_reply>(&what);
  auto& x = lost_[*of.group];
  if (reply && reply->has_standing()) {
    x.left[of.whom].node = of.whom;
    x.left[of.whom].standing = reply->standing();
    x.answers = x.answers || reply->standing().leads();
  } else if (!reply) {
    silent_.insert(of.whom);
  } else if (reply->refused().code() != refusal_elsewhere) {
    x.told.set_detail(at.zone.name_of(of.whom) + ": " + reply->refused().detail());
  }
}

effects rebuilding::choose(const surroundings& at) {
  stage_ = stage::raising;
  for (auto& [g, x] : lost_) {
    std::vector<group::remains> left;
    for (auto& [node, y] : x.left)
      if (!y.node.null())
        left.push_back(y);
    x.told.set_group(g);
    x.told.set_state("failed");
    if (x.answers) {
      x.told.set_detail("it has a leader again: look with `legionctl keepers rebuild --dry-run`");
      continue;
    }
    x.chosen = group::choose_raising(group_id{g}, left, random_of(what_.request_id(), g));
    if (!x.chosen) {
      x.told.set_detail("no node that lives says what it has of it");
      continue;
    }
    const auto& chosen = *x.chosen;
    if (chosen.has_quorum()) {
      x.told.set_detail(std::to_string(chosen.there) + " of its "
                        + std::to_string(chosen.voters.size())
                        + " members are there: it answers in a moment, or look why these do not "
                          "reach one another");
      continue;
    }
    x.told.set_state("lost");
    x.told.set_node(chosen.node.bytes());
    x.told.set_node_name(at.zone.name_of(chosen.node));
    x.told.set_from_log(chosen.from_log);
    x.told.set_promises(chosen.promises);
    x.told.set_resources(chosen.resources);
    x.told.set_incarnation(chosen.incarnation);
    for (const auto& y : chosen.voters)
      x.told.add_voters(at.zone.name_of(y));
    if (what_.rebuild().dry_run())
      continue;
    group_request request;
    request.set_group(g);
    request.set_request_id(part_id(what_.request_id(), g));
    request.mutable_raise()->set_incarnation(chosen.incarnation);
    request.mutable_raise()->set_above(chosen.above);
    enqueue(chosen.node, g, true, std::move(request), raise_timeout);
  }
  return step(at);
}

void rebuilding::take_raised(lost_group& x, const question& of, const answer& what,
                             const surroundings& at) {
  const auto* reply = std::get_if<group_reply>(&what);
  if (reply && reply->has_raised()) {
    const auto& raised = reply->raised();
    x.told.set_state("raised");
    x.told.set_from_log(raised.from_log());
    x.told.set_incarnation(raised.incarnation());
    x.told.set_resources(raised.resources());
    x.told.set_promises(raised.promises());
    x.told.clear_detail();
    *x.told.mutable_only_ending() = raised.only_ending();
    for (const auto& y : raised.silent())
      silent_.insert(node_id::from_bytes(y));
    return;
  }
  const auto* failed = std::get_if<fault>(&what);
  auto busy = reply && reply->refused().code() == refusal_overloaded;
  if (busy && !std::exchange(x.retried, true)) { // its last write is not on disk yet
    waiting_.push_back(of);
    return;
  }
  x.told.set_state("failed");
  if (failed && failed->code == errc::deadline) { // it waits for leases from before, it may be
    x.unknown = true;
    x.told.set_detail(at.zone.name_of(of.whom)
                      + " is at it still: look with `legionctl keepers rebuild --dry-run`");
    return;
  }
  x.told.set_detail(at.zone.name_of(of.whom) + ": "
                    + (failed  ? std::string{to_string(failed->code)} + " " + failed->detail
                       : reply ? reply->refused().detail()
                               : "its answer makes no sense"));
}

effects rebuilding::finish(const surroundings& at) {
  stage_ = stage::over;
  api_reply reply;
  reply.set_last(true);
  std::vector<std::uint32_t> failed;
  auto unknown = false;
  for (auto& [g, x] : lost_) {
    *reply.mutable_rebuild()->add_groups() = x.told;
    unknown = unknown || x.unknown;
    if (x.told.state() == "failed")
      failed.push_back(g);
  }
  reply.mutable_rebuild();
  // A node that is down, too, may hold what nobody else does.
  for (const auto& row : at.zone.rows())
    if (row.down() && (row.state != member_left || row.who.keeps() != 0)) // or left with all of it
      silent_.insert(row.id());
  for (const auto& x : at.zone.unheard())
    silent_.insert(node_id::from_bytes(x.id()));
  for (const auto& x : silent_)
    reply.mutable_rebuild()->add_silent(at.zone.name_of(x));
  if (!failed.empty() && !what_.rebuild().dry_run())
    *reply.mutable_refused() =
        make_refusal(unknown ? refusal_deadline : refusal_unreachable,
                     (failed.size() == 1 ? "keeper group " : "keeper groups ") + list_of(failed)
                         + (failed.size() == 1 ? " was" : " were") + " not raised"
                         + (unknown ? " yet, as far as is known" : ""));
  return {say{std::move(reply)}};
}

effects rebuilding::on(std::uint64_t id, const answer& what, const surroundings& at) {
  if (auto i = probes_.find(id); i != probes_.end()) {
    if (i->second.done() || stage_ != stage::probing)
      return {};
    auto out = i->second.on(what, at);
    append(out, step(at));
    return out;
  }
  auto of = asked_.extract(id);
  if (of.empty())
    return {};
  take(of.mapped(), what, at);
  return step(at);
}

effects rebuilding::on_wake(std::uint64_t id, const surroundings& at) {
  auto i = probes_.find(id);
  if (i == probes_.end() || i->second.done() || stage_ != stage::probing)
    return {};
  auto out = i->second.on_wake(at);
  append(out, step(at));
  return out;
}

} // namespace legion::gateway
