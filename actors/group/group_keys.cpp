#include "actors/group/group_keys.hpp"

#include <charconv>
#include <map>

#include "actors/consensus/log_records.hpp"

namespace legion::group {

namespace {

constexpr std::string_view all_groups = "group/";

} // namespace

std::string key_prefix(group_id group) {
  return std::string{all_groups} + std::to_string(value(group)) + "/";
}

std::optional<group_id> group_of_key(std::string_view key) {
  if (!key.starts_with(all_groups))
    return std::nullopt;
  key.remove_prefix(all_groups.size());
  std::uint32_t result = 0;
  auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), result);
  if (error != std::errc{} || end == key.data() + key.size() || *end != '/'
      || result >= groups_per_zone)
    return std::nullopt;
  return group_id{result};
}

std::uint64_t groups_in(const std::vector<record>& journal) {
  std::map<group_id, std::vector<record>> groups;
  for (const auto& x : journal)
    if (auto g = group_of_key(x.key()))
      groups[*g].push_back(x);
  std::uint64_t result = 0;
  for (const auto& [g, records] : groups) {
    auto read = consensus::log_records{key_prefix(g)}.read(records);
    if (!read || read->head.index != 0)
      result |= std::uint64_t{1} << value(g);
  }
  return result;
}

} // namespace legion::group
