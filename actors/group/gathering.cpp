#include "actors/group/gathering.hpp"

#include <algorithm>

namespace legion::group {

std::vector<gathering::ask> gathering::on_resident(const resident& x) {
  if (x.state == member_left)
    return {};
  auto [i, fresh] = nodes_.try_emplace(x.id);
  auto& it = i->second;
  if (it.state != standing::silent || x.state == member_dead)
    return {};
  it.state = standing::asked;
  it.tries = 0;
  return {{x.id, it.after}};
}

std::vector<gathering::ask> gathering::on_page(const node_id& from, const std::string& next) {
  auto i = nodes_.find(from);
  if (i == nodes_.end() || i->second.state != standing::asked)
    return {};
  auto& it = i->second;
  it.tries = 0;
  // Pages are in an order: one that goes back would never end.
  if (next.empty() || next <= it.after) {
    it.state = standing::told;
    return {};
  }
  it.after = next;
  return {{from, next}};
}

bool gathering::on_failed(const node_id& from) {
  auto i = nodes_.find(from);
  if (i == nodes_.end() || i->second.state != standing::asked)
    return false;
  if (++i->second.tries < most_tries)
    return true;
  i->second.state = standing::silent;
  return false;
}

std::vector<gathering::ask> gathering::again(const node_id& whom) {
  auto i = nodes_.find(whom);
  if (i == nodes_.end() || i->second.state != standing::asked)
    return {};
  return {{whom, i->second.after}};
}

bool gathering::over() const {
  return std::none_of(nodes_.begin(), nodes_.end(),
                      [](const auto& x) { return x.second.state == standing::asked; });
}

std::vector<node_id> gathering::silent() const {
  std::vector<node_id> result;
  for (const auto& [id, x] : nodes_)
    if (x.state == standing::silent)
      result.push_back(id);
  return result;
}

} // namespace legion::group
