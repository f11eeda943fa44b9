#include "actors/node/holdings.hpp"

#include <algorithm>
#include <set>

#include "actors/consensus/incarnation.hpp"

namespace legion::node {

namespace {

/// Names hold no line breaks.
std::string key_of(const resource& x) {
  return x.metadata().namespace_() + "\n" + x.kind() + "\n" + x.metadata().name();
}

/// A workload that runs without a promise belongs to no group.
bool is_promise(const commitment& x) {
  return x.record->what().has_metadata();
}

} // namespace

std::vector<group_holding> holdings_of(const commitments& all,
                                       const std::map<std::uint32_t, std::uint64_t>& terms) {
  std::map<std::uint32_t, group_holding> by_group;
  std::map<std::uint32_t, std::set<std::string>> names;
  for (const auto& [uid, x] : all.all()) {
    if (!is_promise(x))
      continue;
    auto& holding = by_group[x.record->group()];
    holding.set_group(x.record->group());
    holding.set_promises(holding.promises() + 1);
    holding.set_ending(holding.ending() + (x.phase == phase::ending ? 1 : 0));
    if (compare(x.record->slot().order(), holding.highest()) > 0)
      *holding.mutable_highest() = x.record->slot().order();
    names[x.record->group()].insert(key_of(x.record->what()));
  }
  for (const auto& [group, term] : terms)
    if (auto heard = consensus::incarnation_of(term); heard > 0) {
      auto& highest = *by_group[group].mutable_highest();
      highest.set_incarnation(std::max(highest.incarnation(), heard));
      by_group[group].set_group(group);
    }
  std::vector<group_holding> result;
  for (auto& [group, x] : by_group) {
    x.set_resources(static_cast<std::uint32_t>(names[group].size()));
    result.push_back(std::move(x));
  }
  return result;
}

held_promises held_of(const commitments& all, std::uint32_t group, const std::string& after) {
  std::map<std::string, std::vector<const commitment*>> by_resource;
  for (const auto& [uid, x] : all.all())
    if (is_promise(x) && x.record->group() == group && key_of(x.record->what()) > after)
      by_resource[key_of(x.record->what())].push_back(&x);
  held_promises result;
  std::size_t bytes = 0;
  std::string last;
  for (const auto& [key, promises] : by_resource) {
    if (bytes >= held_page_bytes) {
      result.set_next(last);
      break;
    }
    auto place = static_cast<std::uint32_t>(result.resources_size());
    auto& what = *result.add_resources();
    for (const auto* x : promises) {
      const auto& theirs = x->record->what();
      if (!what.has_metadata()
          || theirs.metadata().resource_version() > what.metadata().resource_version())
        what = theirs;
      auto& slot = *result.add_slots();
      *slot.mutable_slot() = x->record->slot();
      slot.set_resource(place);
      slot.set_ending(x->phase == phase::ending || x->end_when_settled);
      slot.set_made_ms(x->record->made_ms());
      bytes += slot.ByteSizeLong();
    }
    bytes += what.ByteSizeLong();
    last = key;
  }
  return result;
}

} // namespace legion::node
