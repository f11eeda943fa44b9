#pragma once

#include <string>
#include <vector>

#include "actors/group/admission.hpp"
#include "actors/group/state.hpp"
#include "actors/group/whereabouts.hpp"

/// Resources, slots and promises for the tests of groups that are raised anew, and of backups.
namespace legion::group {

inline resource a_deployment(const std::string& name, int replicas, std::uint64_t version = 0) {
  resource x;
  x.set_api_version("apps/v1");
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name(name);
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_metadata()->set_uid("uid-of-" + name);
  x.mutable_metadata()->set_generation(1);
  x.mutable_metadata()->set_resource_version(version);
  x.mutable_deployment()->set_replicas(replicas);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image("a");
  return x;
}

inline slot a_slot(const std::string& uid, std::uint64_t index, std::uint64_t incarnation = 1) {
  slot x;
  x.set_uid(uid);
  x.set_pod("pod-" + uid);
  x.mutable_order()->set_incarnation(incarnation);
  x.mutable_order()->set_index(index);
  return x;
}

inline node_id a_node(char x) {
  return node_id::from_bytes(std::string(16, x));
}

/// What a node says that it holds of one resource.
struct held_slots {
  std::vector<slot> bound, ending;
};
inline promises_adopted held_by(char node, const resource& what, const held_slots& slots,
                                bool all = true) {
  promises_adopted x;
  x.set_node(std::string(16, node));
  x.set_node_name(std::string(1, node));
  x.set_start(3);
  x.set_all(all);
  *x.mutable_held()->add_resources() = what;
  for (const auto& y : slots.bound)
    *x.mutable_held()->add_slots()->mutable_slot() = y;
  for (const auto& y : slots.ending) {
    auto& to = *x.mutable_held()->add_slots();
    *to.mutable_slot() = y;
    to.set_ending(true);
  }
  return x;
}

/// A group that has been raised as incarnation 9, after entry 1000.
struct raised_world {
  explicit raised_world(const resource& of) : rules(group_of(name_of(of))) {}

  void commit(group_entry x) {
    x.set_index(rules.index() + 1);
    x.set_incarnation(std::max<std::uint64_t>(x.incarnation(), rules.incarnation()));
    rules.apply(x);
  }
  void put(const resource& what) {
    group_entry x;
    *x.mutable_put()->mutable_what() = what;
    commit(x);
  }
  void adopt(const promises_adopted& x) {
    group_entry entry;
    *entry.mutable_adopted() = x;
    commit(entry);
  }
  void gathered() {
    group_entry x;
    x.mutable_gathered();
    commit(x);
  }
  void remove(const resource& what) {
    group_entry x;
    *x.mutable_remove()->mutable_name() = name_of(what);
    commit(x);
  }
  void gone(const resource& what, const slot& y) {
    group_entry x;
    *x.mutable_gone()->mutable_of() = name_of(what);
    *x.mutable_gone()->add_slots() = y;
    commit(x);
  }
  const slot_state* slot_of(const resource& what, const std::string& uid) const {
    auto* kept = rules.find(key_of(what));
    auto i = kept ? kept->slots.find(uid) : decltype(kept->slots.find(uid)){};
    return kept && i != kept->slots.end() ? &i->second : nullptr;
  }

  state rules;
};

} // namespace legion::group
