#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "messages/membership.pb.h"

namespace legion {

/// A member's record that is passed on and kept without a copy: changes of members go to every
/// actor of every node, and a record is a dozen allocations.
///
/// Shape: never changed; empty, it reads as a record that says nothing. Safe from any thread.
class shared_member {
public:
  shared_member() = default;
  shared_member(member x) : said_(std::make_shared<const member>(std::move(x))) {}
  shared_member(std::shared_ptr<const member> x) : said_(std::move(x)) {}

  const member& get() const { return said_ ? *said_ : member::default_instance(); }
  operator const member&() const { return get(); }

  const std::string& id() const { return get().id(); }
  std::uint64_t start() const { return get().start(); }
  std::uint32_t version() const { return get().version(); }
  std::uint32_t life() const { return get().life(); }
  const std::string& name() const { return get().name(); }
  const std::string& endpoint() const { return get().endpoint(); }
  const std::string& public_key() const { return get().public_key(); }
  bool draining() const { return get().draining(); }
  bool disk_full() const { return get().disk_full(); }
  std::uint64_t keeps() const { return get().keeps(); }
  const std::string& journal() const { return get().journal(); }

private:
  std::shared_ptr<const member> said_;
};

} // namespace legion
