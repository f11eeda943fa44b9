#pragma once

#include <map>
#include <vector>

#include "actors/gateway/errands.hpp"
#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// restore: resources of a backup go to the keeper groups that their names belong to, as many at
/// once as fit into a frame; each is answered for itself.
///
/// Shape:  results in the order of the request; at most 16 errands at a time. Those that were
///         deleted when the backup was made are left out.
/// Errors: a resource that was refused has `refused` in its result, and the gravest is the reply's.
class restoring : public inquiry {
public:
  explicit restoring(api_request what) : what_(std::move(what)) {}

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;
  effects on_wake(std::uint64_t id, const surroundings& at) override;

private:
  void pack(int place, const kept_resource& x);
  void close(std::uint32_t group);
  effects end_if_over(effects so_far);
  effects finish();

  api_request what_;
  api_reply reply_;
  struct open_batch {
    group_request request;
    std::vector<int> resources;
    std::size_t bytes = 0;
  };
  std::map<std::uint32_t, open_batch> open_; // by group
  errands batches_;
  std::vector<std::vector<int>> resources_; // of each batch: places in the reply's results
  bool over_ = false;
};

} // namespace legion::gateway
