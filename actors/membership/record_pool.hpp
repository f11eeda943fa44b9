#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "messages/ids.hpp"
#include "messages/membership.pb.h"

namespace legion::membership {

struct record_shelf;

/// A member's record, and its bytes as they travel: gossip copies and compares these, and reads a
/// record once.
struct known_record {
  known_record(std::shared_ptr<const member> x, std::string_view as_bytes)
      : id(node_id::from_bytes(x->id())), shared(std::move(x)), said(*shared), bytes(as_bytes) {}

  const node_id id;
  std::shared_ptr<const member> shared; // may go to other threads, and outlives the record there
  const member& said;
  std::string bytes;

private:
  friend class record_ptr;
  friend class record_pool;

  std::weak_ptr<record_shelf> shelf_; // that it lies on
  mutable std::size_t holders_ = 0;
};

/// Holds a record. Half of a `std::shared_ptr`, because a simulator has a million and more of them,
/// and for one thread at a time.
class record_ptr {
public:
  record_ptr() = default;
  record_ptr(std::nullptr_t) {}
  record_ptr(const record_ptr& x) : record_ptr(x.what_) {}
  record_ptr(record_ptr&& x) noexcept : what_(std::exchange(x.what_, nullptr)) {}
  record_ptr& operator=(record_ptr x) noexcept {
    std::swap(what_, x.what_);
    return *this;
  }
  ~record_ptr() {
    if (what_ && --what_->holders_ == 0)
      forget(what_);
  }

  const known_record& operator*() const { return *what_; }
  const known_record* operator->() const { return what_; }
  explicit operator bool() const { return what_ != nullptr; }
  friend bool operator==(const record_ptr&, const record_ptr&) = default;

private:
  friend class record_pool;
  explicit record_ptr(const known_record* x) : what_(x) {
    if (what_)
      ++what_->holders_;
  }
  static void forget(const known_record* x);

  const known_record* what_ = nullptr;
};

/// Keeps one copy of equal member records, however many nodes of one process hold them: in a
/// simulated zone of 125 each record would otherwise be held, and read, 125 times.
///
/// Shape:  a record lives as long as somebody holds it. For one thread at a time: one node's
///         membership, or every node of a simulator.
class record_pool {
public:
  record_pool();

  /// Null if the bytes are no `member`.
  record_ptr keep(std::string_view bytes);
  record_ptr keep(const member& x);
  std::size_t size() const;

private:
  std::shared_ptr<record_shelf> shelf_;
};

} // namespace legion::membership
