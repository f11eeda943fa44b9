#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "messages/membership.pb.h"

namespace legion::membership {

/// A member's record, and its bytes as they travel: gossip copies and compares these, and reads a
/// record once.
struct known_record {
  known_record(std::shared_ptr<const member> x, std::string_view as_bytes)
      : shared(std::move(x)), said(*shared), bytes(as_bytes) {}

  std::shared_ptr<const member> shared; // may go to other threads, and outlives the record there
  const member& said;
  std::string bytes;
};

using record_ptr = std::shared_ptr<const known_record>;

/// Keeps one copy of equal member records, however many nodes of one process hold them: in a
/// simulated zone of 125 each record would otherwise be held, and read, 125 times.
///
/// Shape:  a record lives as long as somebody holds it. For one thread at a time: one node's
///         membership, or every node of a simulator.
class record_pool {
public:
  /// Null if the bytes are no `member`.
  record_ptr keep(std::string_view bytes);
  record_ptr keep(const member& x);
  std::size_t size() const;

private:
  struct shelf {
    // The keys are views of the records' own bytes.
    std::unordered_map<std::string_view, std::weak_ptr<const known_record>> records;
  };
  std::shared_ptr<shelf> shelf_ = std::make_shared<shelf>();
};

} // namespace legion::membership
