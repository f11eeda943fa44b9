#include "actors/consensus/configuration.hpp"

#include <algorithm>
#include <iterator>

#include "actors/consensus/wire.hpp"

namespace legion::consensus {

namespace {

bool in(const std::vector<member_id>& all, const member_id& x) {
  return std::binary_search(all.begin(), all.end(), x);
}

void put_in_order(std::vector<member_id>& x) {
  std::sort(x.begin(), x.end());
  x.erase(std::unique(x.begin(), x.end()), x.end());
}

} // namespace

bool configuration::votes(const member_id& x) const {
  return in(voters, x) || in(outgoing, x);
}

bool configuration::has(const member_id& x) const {
  return votes(x) || in(learners, x);
}

std::vector<member_id> configuration::all() const {
  auto result = voters;
  result.insert(result.end(), outgoing.begin(), outgoing.end());
  result.insert(result.end(), learners.begin(), learners.end());
  put_in_order(result);
  return result;
}

configuration in_order(configuration x) {
  put_in_order(x.voters);
  put_in_order(x.outgoing);
  put_in_order(x.learners);
  return x;
}

std::string flaw_of(const configuration& x) {
  if (x.voters.empty())
    return "no voter";
  if (x.voters.size() > configuration::most_voters
      || x.outgoing.size() > configuration::most_voters)
    return "more than " + std::to_string(configuration::most_voters) + " voters";
  auto all = x.all();
  if (all.size() > configuration::most_members)
    return "more than " + std::to_string(configuration::most_members) + " members";
  for (const auto& who : all)
    if (who.node.null() || who.journal.null())
      return "a member without a node or a journal";
  for (const auto& who : x.voters)
    if (in(x.learners, who))
      return "a voter is a learner too";
  if (in_order(x) != x)
    return "a member is named twice";
  return {};
}

std::string encode(const configuration& x) {
  return to_wire(x).SerializeAsString();
}

std::optional<configuration> decode_configuration(std::string_view bytes) {
  consensus_configuration wire;
  if (!wire.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return std::nullopt;
  auto result = from_wire(wire);
  if (!result || !flaw_of(*result).empty())
    return std::nullopt;
  return result;
}

} // namespace legion::consensus
