#pragma once

#include "actors/group/admission.hpp"
#include "actors/group/state.hpp"
#include "actors/group/whereabouts.hpp"

/// One group's rules, with what is asked of them.
namespace legion::kept_group {

using namespace legion::group;

inline resource deployment(const std::string& name, int replicas, const std::string& image = "a") {
  resource x;
  x.set_api_version("apps/v1");
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name(name);
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_deployment()->set_replicas(replicas);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(image);
  return x;
}

inline group_id home_of(const resource& x) {
  return group_of(name_of(x));
}

inline group_request request(const std::string& id, const resource& x, std::uint64_t expected = 0) {
  group_request result;
  result.set_request_id(id);
  *result.mutable_put()->mutable_what() = x;
  result.mutable_put()->set_expected_version(expected);
  return result;
}

inline group_request scale(const resource& x, int replicas) {
  group_request result;
  *result.mutable_scale()->mutable_name() = name_of(x);
  result.mutable_scale()->set_replicas(replicas);
  return result;
}

inline group_request removal(const resource& x) {
  group_request result;
  *result.mutable_remove()->mutable_name() = name_of(x);
  return result;
}

/// A group's rules with a journal that never fails.
struct fixture {
  explicit fixture(const resource& x) : rules(home_of(x)) {}

  group_reply ask(const group_request& x) {
    auto next = admit(rules, x, 1000, random);
    if (auto* reply = std::get_if<group_reply>(&next))
      return *reply;
    auto entry = std::get<group_entry>(next);
    commit(entry);
    group_reply reply;
    *reply.mutable_done() = entry.result();
    return reply;
  }

  void commit(group_entry x) {
    x.set_index(rules.index() + 1);
    x.set_incarnation(1);
    rules.apply(x);
  }

  slot named(const resource& of, const std::string& uid) {
    group_entry x;
    x.set_time_ms(5);
    *x.mutable_named()->mutable_of() = name_of(of);
    auto& added = *x.mutable_named()->add_slots();
    added.set_uid(uid);
    added.set_pod("pod-" + uid);
    commit(x);
    return added;
  }

  void accepted(const resource& of, const slot& y, std::vector<negotiation_round> rounds = {}) {
    group_entry x;
    for (auto& round : rounds)
      *x.mutable_accepted()->add_rounds() = std::move(round);
    *x.mutable_accepted()->mutable_of() = name_of(of);
    *x.mutable_accepted()->add_slots() = y;
    x.mutable_accepted()->set_node(std::string(16, 'n'));
    x.mutable_accepted()->set_node_name("n2");
    x.mutable_accepted()->set_offer(7);
    x.mutable_accepted()->set_start(2);
    commit(x);
  }

  template <class F>
  void about(const resource& of, const slot& y, F which) {
    group_entry x;
    auto* what = which(x);
    *what->mutable_of() = name_of(of);
    *what->add_slots() = y;
    commit(x);
  }

  state rules;
  seeded_random random{1};
};

inline negotiation_round round_of(std::uint64_t call, const slot& y) {
  negotiation_round result;
  result.set_call(call);
  result.add_pods(y.pod());
  return result;
}

inline auto ended = [](group_entry& x) { return x.mutable_ended(); };
inline auto gone = [](group_entry& x) { return x.mutable_gone(); };

} // namespace legion::kept_group
