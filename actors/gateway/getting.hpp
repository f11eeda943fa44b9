#pragma once

#include <map>
#include <optional>
#include <string>

#include "actors/gateway/inquiry.hpp"
#include "actors/gateway/selector.hpp"
#include "actors/gateway/survey.hpp"

namespace legion::gateway {

/// get, describe and their watches: one survey, or one a second for as long as the user listens.
///
/// Shape:  the first reply has all there is; later ones of a watch have each resource or node that
///         changed, whole, and what is gone with `deleting` set and its pods in state "gone".
class getting : public inquiry {
public:
  explicit getting(get_request what);

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;
  effects on_wake(std::uint64_t id, const surroundings& at) override;

private:
  enum class sort { nodes, deployments, pods, promises };

  std::optional<effects> refuse_nonsense();
  survey::question question() const;
  effects finish_round(const surroundings& at);
  void filter(api_reply& reply) const;
  void filter_pods(resource_view& view) const;
  void refuse_missing(api_reply& reply) const;
  bool named(const std::string& name) const;
  bool keep_changes(api_reply& reply, bool complete);

  get_request what_;
  sort sort_ = sort::pods;
  selector selector_;
  id_sequence ids_;
  std::optional<survey> survey_;
  bool first_ = true;
  std::map<std::string, std::string> shown_; // by name: what the user was told last
  std::map<std::string, resource_view> shown_views_;
  std::string shown_notes_;
};

} // namespace legion::gateway
