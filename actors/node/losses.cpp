#include "actors/node/losses.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace legion::node {

namespace {

constexpr std::size_t most_shown = 32;

} // namespace

std::string word_of(failure x) {
  if (x == failure_none)
    return "gap";
  constexpr std::string_view prefix = "failure_";
  auto word = failure_Name(x);
  return word.starts_with(prefix) ? word.substr(prefix.size()) : std::to_string(x);
}

void add_losses(node_view& to, std::vector<lost_messages> all) {
  std::erase_if(all, [](const lost_messages& x) { return x.messages() == 0; });
  std::sort(all.begin(), all.end(), [](const lost_messages& a, const lost_messages& b) {
    return std::tuple{b.messages(), a.peer(), a.reason()}
           < std::tuple{a.messages(), b.peer(), b.reason()};
  });
  all.resize(std::min(all.size(), most_shown));
  for (auto& x : all)
    *to.add_lost() = std::move(x);
}

} // namespace legion::node
