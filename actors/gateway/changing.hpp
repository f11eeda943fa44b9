#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/gateway/errands.hpp"
#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// apply, delete and scale: nothing is sent before the whole request is valid; then one errand per
/// resource, each answered for itself.
///
/// Shape:  results in the order of the documents; at most 16 errands at a time.
/// Errors: `diagnostics` for files; a resource that was refused has `refused` in its result, and
///         the first of them is the reply's.
class changing : public inquiry {
public:
  explicit changing(api_request what);

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;
  effects on_wake(std::uint64_t id, const surroundings& at) override;

private:
  std::optional<effects> plan();
  std::optional<effects> read_files();
  void add(const resource_name& name, group_request what);
  effects begin(const surroundings& at);
  effects end_if_over(effects so_far);
  effects finish();

  api_request what_;
  api_reply reply_;
  std::vector<resource_name> names_; // of what is changed, an errand each
  errands work_;
  bool over_ = false;
};

} // namespace legion::gateway
