#pragma once

#include <deque>
#include <map>
#include <set>
#include <variant>
#include <vector>

#include "actors/gateway/errand.hpp"
#include "actors/gateway/inquiry.hpp"
#include "actors/group/raising.hpp"

namespace legion::gateway {

/// keepers rebuild: finds the groups that do not answer, asks every living node what it has of them,
/// and has one node raise each anew.
///
/// Shape:  three steps, each ended before the next: groups are asked whether they answer, nodes what
///         they have, the chosen ones to raise. At most 128 questions at a time, the rest wait. The
///         same request id raises the same incarnation.
/// Units:  a node has 3 s to say what it has; a group is raised within 40 s, of which leases may
///         take 13.
/// Errors: conflict, when a group that was named answers. What was not raised is said of each group;
///         the reply is refused when that is any.
class rebuilding : public inquiry {
public:
  explicit rebuilding(api_request what) : what_(std::move(what)) {}

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;
  effects on_wake(std::uint64_t id, const surroundings& at) override;

private:
  struct lost_group {
    std::map<node_id, group::remains> left; // by node
    std::optional<group::raising> chosen;
    rebuilt_group told;
    bool answers = false;
    bool retried = false;
    bool unknown = false; // whether it was raised
  };
  struct question {
    node_id whom;
    std::optional<std::uint32_t> group; // nothing: its promises, of all groups
    bool raises = false;
    ask what;
  };

  effects look(const surroundings& at);
  effects choose(const surroundings& at);
  effects step(const surroundings& at);
  effects finish(const surroundings& at);
  void enqueue(const node_id& whom, std::optional<std::uint32_t> group, bool raises,
               std::variant<group_request, node_request> what, milliseconds timeout);
  void take(const question& of, const answer& what, const surroundings& at);
  void take_raised(lost_group& x, const question& of, const answer& what, const surroundings& at);

  api_request what_;
  id_sequence ids_;
  std::map<std::uint64_t, errand> probes_;
  std::set<std::uint32_t> probing_;
  std::map<std::uint32_t, lost_group> lost_;
  std::deque<question> waiting_;
  std::map<std::uint64_t, question> asked_;
  std::set<node_id> silent_;
  std::vector<node_id> living_;
  enum class stage { probing, looking, raising, over } stage_ = stage::probing;
};

} // namespace legion::gateway
