#include "actors/group/raising.hpp"

#include <algorithm>
#include <tuple>

#include "actors/consensus/incarnation.hpp"
#include "actors/group/whereabouts.hpp"

namespace legion::group {

namespace {

auto log_of(const remains& x) {
  const auto& y = x.standing;
  return std::tuple{y.member(), !y.fenced(), y.last_term(), y.last_index()};
}

} // namespace

std::optional<raising> choose_raising(group_id group, const std::vector<remains>& left,
                                      std::uint64_t random) {
  if (left.empty())
    return std::nullopt;
  auto best = std::max_element(left.begin(), left.end(), [&](const remains& a, const remains& b) {
    auto x = log_of(a), y = log_of(b);
    return x != y ? x < y : ranks_before(group, b.node, a.node);
  });
  raising result;
  result.node = best->node;
  result.from_log = best->standing.member();
  result.resources = best->standing.resources();
  for (const auto& x : best->standing.voters())
    result.voters.push_back(node_id::from_bytes(x));
  std::uint64_t seen = 0;
  for (const auto& x : left) {
    // With another journal than it had it is another member, and votes only once it is admitted.
    auto votes =
        x.standing.votes()
        && std::find(result.voters.begin(), result.voters.end(), x.node) != result.voters.end();
    result.there += votes && x.standing.member() && !x.standing.fenced() ? 1 : 0;
    seen = std::max({seen, x.standing.incarnation(), consensus::incarnation_of(x.standing.term()),
                     x.holding.highest().incarnation()});
    result.above = std::max({result.above, x.standing.last_index(), x.holding.highest().index()});
    result.promises += x.holding.promises();
    result.resources = std::max(result.resources, x.holding.resources());
  }
  auto next = consensus::incarnation_after(seen, random);
  if (!next)
    return std::nullopt;
  result.incarnation = *next;
  return result;
}

} // namespace legion::group
