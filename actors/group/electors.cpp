#include "actors/group/electors.hpp"

#include <algorithm>

#include "messages/listed.hpp"

namespace legion::group {

namespace {

std::vector<std::string> names_of(const std::vector<elector>& all, bool (*which)(const elector&)) {
  std::vector<std::string> result;
  for (const auto& x : all)
    if (which(x))
      result.push_back(x.name);
  std::sort(result.begin(), result.end());
  return result;
}

} // namespace

bool can_elect(const std::vector<elector>& voters) {
  auto able = std::count_if(voters.begin(), voters.end(),
                            [](const elector& x) { return !x.down && !x.lost; });
  return static_cast<std::size_t>(able) * 2 > voters.size();
}

std::string why_no_leader(const std::vector<elector>& voters) {
  auto all = listed(names_of(voters, [](const elector&) { return true; }));
  if (can_elect(voters))
    return "has no leader: most of " + all + " must be up";
  auto down = names_of(voters, [](const elector& x) { return x.down; });
  auto lost = names_of(voters, [](const elector& x) { return x.lost && !x.down; });
  auto result = "has no quorum: of " + all;
  if (!down.empty())
    result += ", " + listed(down) + (down.size() == 1 ? " is down" : " are down");
  if (lost.empty())
    return result;
  result += (down.empty() ? ", " : ", and ") + listed(lost) + (lost.size() == 1 ? " has" : " have")
            + " lost the journal with which " + (lost.size() == 1 ? "it" : "they") + " voted";
  return result
         + (down.empty() ? ". `legionctl keepers rebuild` begins it anew from what is left"
                         : ". Should they not come back, `legionctl keepers rebuild` begins it "
                           "anew from what is left");
}

} // namespace legion::group
