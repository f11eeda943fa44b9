#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "messages/membership.pb.h"

namespace legion::membership {

using record_ptr = std::shared_ptr<const member>;

/// Keeps one copy of equal member records, however many nodes of one process hold them: in a
/// simulated zone of 125 each record would otherwise be held 125 times.
///
/// Shape: a record lives as long as somebody holds it. For one thread at a time: one node's
/// membership, or every node of a simulator.
class record_pool {
public:
  record_ptr keep(const member& x);
  std::size_t size() const;

private:
  struct shelf {
    std::unordered_map<std::string, std::weak_ptr<const member>> records; // by their bytes
  };
  std::shared_ptr<shelf> shelf_ = std::make_shared<shelf>();
};

} // namespace legion::membership
