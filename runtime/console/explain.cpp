#include "runtime/console/explain.hpp"

#include <algorithm>
#include <utility>

#include "messages/ids.hpp"
#include "runtime/console/page.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

std::string decline_word(decline_reason x) {
  auto word = decline_reason_Name(x);
  constexpr std::string_view prefix = "decline_";
  return word.starts_with(prefix) ? word.substr(prefix.size()) : word;
}

/// What became of an accepted offer: why its node did not keep to it, or nothing.
std::string regret_of(const negotiation_round& round, const candidate& x) {
  for (const auto& y : round.regretted())
    if (y.node() == x.node())
      return y.detail();
  return {};
}

/// Behind the name; what does not fit on its line goes on further to the right.
void hanging(page& to, const std::string& name, const std::string& text) {
  constexpr std::size_t columns = 80;
  auto further = name.size() + 4;
  auto first = true;
  for (const auto& line : lines_of(text, columns - further, columns - further))
    std::exchange(first, false) ? to.block(name + "  " + line) : to.block(line, further);
}

void add_candidate(page& to, const negotiation_round& round, const candidate& x,
                   std::size_t name_width) {
  auto name =
      plain(x.node_name().empty() ? node_id::from_bytes(x.node()).short_text() : x.node_name());
  name.resize(std::max(name.size(), name_width), ' ');
  if (x.has_offer()) {
    const auto& y = x.offer();
    auto regret = regret_of(round, x);
    to.block(name + "  offered " + std::to_string(y.count()) + ", score "
             + std::to_string(x.score())
             + (!regret.empty() ? ", accepted, then regretted:"
                : x.accepted()  ? ", accepted"
                : x.late()      ? ", too late: it was given back"
                                : ", not taken"));
    if (!regret.empty())
      for (const auto& line : lines_of(plain(regret), 78 - name_width - 4, 78 - name_width - 4))
        to.block(line, name_width + 4);
    if (!x.score_detail().empty())
      to.block(wrapped(plain(x.score_detail()), name_width + 4), name_width + 4);
    to.block("free " + amounts(y.free()), name_width + 4);
  } else if (x.decline().reason() == decline_silent) {
    to.block(name + "  did not answer" + (x.decline().detail().empty() ? "" : ": ")
             + plain(x.decline().detail()));
  } else {
    const auto& detail = x.decline().detail();
    hanging(to, name,
            (x.late() ? "declined too late: " : "declined: ")
                + (detail.empty() ? decline_word(x.decline().reason()) : plain(detail)));
  }
}

} // namespace

std::pair<int, int> votes_of(const google::protobuf::RepeatedPtrField<keeper_member>& members) {
  std::pair<int, int> result;
  for (const auto& x : members) {
    result.first += x.votes() && x.heard();
    result.second += x.votes();
  }
  return result;
}

std::string quorum_text(const google::protobuf::RepeatedPtrField<keeper_member>& members) {
  std::string names;
  auto [up, votes] = votes_of(members);
  for (auto leaders : {true, false})
    for (const auto& x : members) {
      if (x.leads() != leaders)
        continue;
      names += (names.empty() ? "" : ", ") + plain(x.name())
               + (x.leads()    ? " (leads)"
                  : !x.votes() ? " (learns)"
                  : x.heard()  ? ""
                               : " (not heard)");
    }
  auto led = std::any_of(members.begin(), members.end(), [](const auto& x) { return x.leads(); });
  if (!led)
    return names + ": " + std::to_string(up) + " of " + std::to_string(votes)
           + " are up, and none of them leads";
  if (votes == 1)
    return names + ": one node decides; with three in the zone it will be three";
  auto whole = up == votes      ? ", the quorum is whole"
               : up * 2 > votes ? ", still a quorum"
                                : ", NO quorum: nothing can be changed";
  return names + ": " + std::to_string(up) + " of " + std::to_string(votes) + " are up" + whole;
}

std::string explain(const explanation& x, wall_ms now) {
  page to;
  const auto& view = x.view();
  auto where = view.node_name().empty() ? std::string{" on no node"} : " on " + view.node_name();
  to.block(folded(plain("pod " + x.pod() + ": " + pod_status(view) + where
                        + (view.assessment().ready() && view.state() == "bound" ? ", ready" : "")
                        + (view.note().empty() ? "" : ": " + view.note()))),
           0);
  if (!x.members().empty())
    to.block(folded("kept by " + quorum_text(x.members())), 0);
  if (x.rounds().empty())
    to.block("No round of negotiation is remembered: none has decided about it yet since its\n"
             "keeper was started, or its rounds were the oldest of too many.",
             0);
  auto number = 0;
  for (const auto& round : x.rounds()) {
    std::size_t name_width = 0;
    for (const auto& y : round.candidates())
      name_width = std::max(name_width, y.node_name().size());
    auto asked = static_cast<std::uint32_t>(round.candidates_size()) + round.candidates_left_out();
    to.block("\nRound " + std::to_string(++number) + ", " + age(round.time_ms(), now)
                 + " ago: " + std::to_string(round.called_for())
                 + (round.called_for() == 1 ? " replica" : " replicas") + " called for, "
                 + std::to_string(asked) + (asked == 1 ? " node" : " nodes") + " asked",
             0);
    for (const auto& y : round.candidates())
      add_candidate(to, round, y, name_width);
    if (round.candidates_left_out() > 0)
      to.block("and " + std::to_string(round.candidates_left_out())
               + " more, not accepted, whose answers are not remembered");
    to.block(wrapped("decided: " + or_none(plain(round.decided())), 4), 2);
  }
  return to.text();
}

} // namespace legion::console
