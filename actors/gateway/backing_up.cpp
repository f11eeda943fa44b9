#include "actors/gateway/backing_up.hpp"

#include <algorithm>

namespace legion::gateway {

namespace {

constexpr std::size_t most_sizes = 64;
constexpr std::size_t most_states = 4;
constexpr int most_tries = 3;
constexpr milliseconds piece_timeout{3'000};
constexpr std::size_t max_state_bytes = 16 * 1024 * 1024;

} // namespace

std::string list_of(const std::vector<std::uint32_t>& groups) {
  constexpr std::size_t most = 8;
  std::string result;
  for (std::size_t i = 0; i < std::min(most, groups.size()); ++i) {
    auto last = i + 1 == groups.size();
    result += (i == 0 ? "" : last ? " and " : ", ") + std::to_string(groups[i]);
  }
  if (groups.size() > most)
    result += " and " + std::to_string(groups.size() - most) + " more";
  return result;
}

errand backing_up::first_of(group_id group) {
  group_request request;
  request.set_group(value(group));
  request.mutable_read_state()->set_size_only(sizes_only());
  auto id = ids_.next();
  by_id_[id] = value(group);
  return errand{id, std::move(request), "keeper group " + std::to_string(value(group))};
}

effects backing_up::start(const surroundings& at) {
  for (auto g : what_.groups())
    if (g >= groups_per_zone)
      return refuse(refusal_invalid, "there is no keeper group " + std::to_string(g) + ": 0 to "
                                         + std::to_string(groups_per_zone - 1));
  std::vector<std::uint32_t> wanted(what_.groups().begin(), what_.groups().end());
  for (std::uint32_t g = 0; sizes_only() && g < groups_per_zone; ++g)
    wanted.push_back(g);
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  for (auto i = wanted.rbegin(); i != wanted.rend(); ++i)
    waiting_.push_back(group_id{*i});
  reply_.mutable_backup()->set_cluster(at.cluster);
  reply_.mutable_backup()->set_zone(at.zone_path);
  effects out{still_at_it()};
  append(out, finish_if_done(at));
  return out;
}

effects backing_up::begin(group_id group, const surroundings& at) {
  auto [i, fresh] = readings_.emplace(value(group), reading{group, first_of(group), {}, 0, {}});
  ++under_way_;
  auto out = i->second.first.start(at);
  append(out, go_on(i->second, at));
  return out;
}

/// The first piece came, or never will.
effects backing_up::go_on(reading& x, const surroundings& at) {
  if (x.done || !x.first.done() || x.number != 0)
    return {};
  if (x.first.reply().has_piece()) {
    x.from = x.first.keeper();
    return take(x, x.first.reply().piece(), at);
  }
  x.done = true;
  --under_way_;
  const auto& refused = x.first.reply().refused();
  failed_[value(x.group)] = !x.first.why().empty()      ? x.first.why()
                            : !refused.detail().empty() ? refused.detail()
                                                        : "its answer makes no sense";
  return {};
}

effects backing_up::take(reading& x, const state_piece& piece, const surroundings& at) {
  if (sizes_only()) {
    x.done = true;
    --under_way_;
    auto& head = *reply_.mutable_backup()->add_heads();
    head.set_group(value(x.group));
    head.set_index(piece.index());
    head.set_incarnation(piece.incarnation());
    head.set_resources(piece.resources());
    head.set_bytes(piece.size());
    return {};
  }
  auto follows = piece.offset() == x.bytes.size() && piece.size() <= max_state_bytes
                 && (!piece.data().empty() || piece.size() == x.bytes.size());
  if (!follows)
    return again(x, "its answer makes no sense", at);
  x.number = piece.reading();
  x.bytes += piece.data();
  if (x.bytes.size() >= piece.size())
    return whole(x, at);
  group_request request;
  request.set_group(value(x.group));
  request.mutable_read_state()->set_reading(x.number);
  request.mutable_read_state()->set_offset(x.bytes.size());
  auto id = ids_.next();
  by_id_[id] = value(x.group);
  return {ask{id, x.from, std::move(request), piece_timeout}};
}

effects backing_up::whole(reading& x, const surroundings& at) {
  group_state state;
  if (!state.ParseFromString(x.bytes) || state.group() != value(x.group))
    return again(x, "its state does not read", at);
  state.clear_requests(); // what was answered to whom is of no use elsewhere
  x.done = true;
  x.bytes.clear();
  --under_way_;
  auto what = reply_;
  *what.mutable_backup()->add_states() = std::move(state);
  return {say{std::move(what)}};
}

/// Its leader changed, or no longer has that state: from the beginning.
effects backing_up::again(reading& x, std::string why, const surroundings& at) {
  if (x.begun++ == most_tries) {
    x.done = true;
    --under_way_;
    failed_[value(x.group)] = std::move(why);
    return {};
  }
  x.bytes.clear();
  x.number = 0;
  x.first = first_of(x.group);
  auto out = x.first.start(at);
  append(out, go_on(x, at));
  return out;
}

effects backing_up::fail() {
  std::map<std::string, std::vector<std::uint32_t>> by_reason;
  for (const auto& [group, why] : failed_)
    by_reason[without_number(group, why)].push_back(group);
  std::string text;
  for (const auto& [why, groups] : by_reason)
    text += (text.empty() ? "" : "; ")
            + std::string{groups.size() == 1 ? "keeper group " : "keeper groups "} + list_of(groups)
            + (groups.size() == 1 ? " does" : " do") + " not answer: " + why;
  return refuse(refusal_unreachable, text + ". Nothing was backed up");
}

effects backing_up::finish_if_done(const surroundings& at) {
  effects out;
  auto most = sizes_only() ? most_sizes : most_states;
  while (!waiting_.empty() && under_way_ < most) {
    auto next = waiting_.back();
    waiting_.pop_back();
    append(out, begin(next, at));
  }
  if (under_way_ > 0 || ended_)
    return out;
  ended_ = true;
  if (!failed_.empty()) {
    append(out, fail());
    return out;
  }
  std::sort(reply_.mutable_backup()->mutable_heads()->begin(),
            reply_.mutable_backup()->mutable_heads()->end(),
            [](const auto& a, const auto& b) { return a.group() < b.group(); });
  // The last reply of several states has none of its own.
  reply_.set_last(true);
  auto* last = out.empty() ? nullptr : std::get_if<say>(&out.back());
  if (last && !sizes_only())
    last->what.set_last(true);
  else
    out.push_back(say{reply_});
  return out;
}

backing_up::reading* backing_up::find(std::uint64_t id) {
  auto i = by_id_.find(id);
  if (i == by_id_.end())
    return nullptr;
  auto j = readings_.find(i->second);
  return j == readings_.end() || j->second.done ? nullptr : &j->second;
}

effects backing_up::on(std::uint64_t id, const answer& what, const surroundings& at) {
  auto* x = find(id);
  if (!x)
    return {};
  effects out;
  if (id == x->first.id()) {
    if (x->first.done())
      return {};
    out = x->first.on(what, at);
    append(out, go_on(*x, at));
  } else if (x->number != 0) {
    const auto* reply = std::get_if<group_reply>(&what);
    const auto* failed = std::get_if<fault>(&what);
    if (reply && reply->has_piece() && reply->piece().reading() == x->number)
      out = take(*x, reply->piece(), at);
    else
      out = again(*x,
                  failed  ? std::string{to_string(failed->code)} + " " + failed->detail
                  : reply ? reply->refused().detail()
                          : "its answer makes no sense",
                  at);
  }
  append(out, finish_if_done(at));
  return out;
}

effects backing_up::on_wake(std::uint64_t id, const surroundings& at) {
  auto* x = find(id);
  if (!x || id != x->first.id() || x->first.done())
    return {};
  auto out = x->first.on_wake(at);
  append(out, go_on(*x, at));
  append(out, finish_if_done(at));
  return out;
}

} // namespace legion::gateway
