#pragma once

#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// Tells one node to take on no more, or to take on again.
class cordoning : public inquiry {
public:
  explicit cordoning(cordon_request what) : what_(std::move(what)) {}

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;

private:
  cordon_request what_;
  node_id whom_;
};

} // namespace legion::gateway
