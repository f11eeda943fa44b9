#pragma once

#include <vector>

#include "actors/gateway/errand.hpp"
#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// why: asks whoever may keep the pod's resource for the rounds of negotiation it remembers.
class explaining : public inquiry {
public:
  explicit explaining(why_request what) : what_(std::move(what)) {}

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;
  effects on_wake(std::uint64_t id, const surroundings& at) override;

private:
  effects finish_if_done();

  why_request what_;
  id_sequence ids_;
  std::vector<errand> asked_;
  bool done_ = false;
};

} // namespace legion::gateway
