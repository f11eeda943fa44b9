#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "actors/gateway/errand.hpp"
#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// Many errands of one request, of which a few are under way at a time.
///
/// Shape:  at most 16 at once; started and kept in the order in which they were added. Each has the
///         request id of its place.
class errands {
public:
  /// `request_id` of what the user asked.
  void add(const std::string& request_id, std::uint32_t group, group_request what,
           std::string subject);

  /// Starts those that may be.
  effects advance(const surroundings& at);
  effects on(std::uint64_t id, const answer& what, const surroundings& at);
  effects on_wake(std::uint64_t id, const surroundings& at);

  /// All that were started have ended, and none waits.
  bool over() const { return under_way_ == 0 && next_ == all_.size(); }
  std::size_t size() const { return all_.size(); }
  const errand& operator[](std::size_t i) const { return all_[i]; }

private:
  template <class Step>
  effects step(std::uint64_t id, const surroundings& at, Step step);

  id_sequence ids_;
  std::vector<errand> all_;
  std::map<std::uint64_t, std::size_t> by_id_;
  std::size_t next_ = 0; // the first that was not started
  std::size_t under_way_ = 0;
};

} // namespace legion::gateway
