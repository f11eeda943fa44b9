#pragma once

#include <map>
#include <vector>

#include "actors/gateway/errand.hpp"
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
  struct batch {
    errand work;
    std::vector<int> resources; // places in the reply's results
  };

  void pack(int place, const kept_resource& x);
  void close(std::uint32_t group);
  effects advance(const surroundings& at);
  effects finish();

  api_request what_;
  id_sequence ids_;
  api_reply reply_;
  struct open_batch {
    group_request request;
    std::vector<int> resources;
    std::size_t bytes = 0;
  };
  std::map<std::uint32_t, open_batch> open_; // by group
  std::vector<batch> batches_;
  std::map<std::uint64_t, std::size_t> by_id_;
  std::size_t next_ = 0;
  std::size_t under_way_ = 0;
};

} // namespace legion::gateway
