#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/gateway/errand.hpp"
#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// Asks everybody who has a part of the answer, and puts the parts together.
///
/// Shape:  one question per kept group, or several where its answer fills pages, and one per living
///         member; resources come out sorted by
///         kind, namespace and name, nodes by name.
/// Units:  a node has 2 s to answer.
/// Errors: what a silent node would have said is missing, and a note says so. A group whose keeper
///         is silent is put together from the promises that the other nodes hold, and marked
///         `keeper_dead`; what then can't be known is missing, as when this node knows of no group.
class survey {
public:
  struct question {
    bool resources = false;           // of every kept group, or
    std::vector<resource_name> named; // only these
    std::string kind;                 // empty: every kind
    std::string ns;                   // empty: every namespace
    bool events = false;
    bool nodes = false;       // what each node knows of itself
    bool assessments = false; // with its promises
  };

  survey(question what, id_sequence& ids);

  effects start(const surroundings& at);
  /// True if the id was one of this survey's.
  bool on(std::uint64_t id, const answer& what, const surroundings& at, effects& out);
  bool on_wake(std::uint64_t id, const surroundings& at, effects& out);

  bool done() const { return done_; }

  // Once done:
  std::vector<resource_view> resources;
  std::vector<node_view> nodes; // members that did not answer have their member record only
  std::vector<std::string> notes;
  bool complete = true; // nobody was silent

private:
  effects ask_groups(const surroundings& at);
  effects ask_group(group_request what, std::string subject, const surroundings& at);
  effects ask_nodes(bool assessments, bool resources, const surroundings& at);
  effects step(const surroundings& at);
  effects take(const errand& x, const surroundings& at);
  void add(resource_view view, const errand& from, const surroundings& at);
  static void name_members(resource_view& view, const node_id& asked, const zone_members& zone);
  void rebuild(const surroundings& at);
  void finish(const surroundings& at);
  bool wanted(const resource_name& x) const;

  question what_;
  id_sequence& ids_;
  std::map<std::uint64_t, errand> errands_;
  std::map<std::uint64_t, node_id> asked_;
  std::map<node_id, node_view> answered_;
  std::map<group_id, node_id> silent_groups_; // and who was asked last
  std::map<group_id, std::string> why_silent_;
  bool knows_no_group_ = false;
  std::set<node_id> silent_nodes_;
  bool promises_asked_ = false;
  bool done_ = false;
};

/// What a keeper would say of its resources, as far as the promises on other nodes show it.
std::vector<resource_view> views_from_promises(const std::vector<node_view>& nodes);

} // namespace legion::gateway
