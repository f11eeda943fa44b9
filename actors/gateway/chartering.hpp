#pragma once

#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// What the charter decides or knows: cordons, its voters, and that it is raised again.
class chartering : public inquiry {
public:
  explicit chartering(api_request what) : what_(std::move(what)) {}

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;

private:
  api_request what_;
};

} // namespace legion::gateway
