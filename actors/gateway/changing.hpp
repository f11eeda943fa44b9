#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/gateway/errands.hpp"
#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// apply, delete and scale: nothing is sent before the whole request is valid; then one errand per
/// resource, each answered for itself. Where several are applied all keepers are asked first whether
/// they would do it, and nothing is when one would not; a dry run ends there.
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
  effects end_if_over(effects so_far, const surroundings& at);
  effects end_trial(const surroundings& at);
  effects finish(const surroundings& at);
  refusal refusal_of(const resource_name& name, const group_reply& answer) const;
  void note_holders(const put_result& x, const surroundings& at);

  api_request what_;
  api_reply reply_;
  std::vector<resource_name> names_; // of what is changed, an errand each
  errands trial_;                    // the same, changing nothing; empty: none is needed
  errands work_;
  bool tried_ = false;
  bool over_ = false;
};

} // namespace legion::gateway
