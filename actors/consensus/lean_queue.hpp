#pragma once

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace legion::consensus {

/// First in, first out, in one vector: an empty `std::deque` takes 600 bytes, and a member of a
/// group has eight that are empty for the most part.
///
/// Shape:  what is taken from the front goes for good once it is half of what is there, so each
///         step costs a constant on average; as much memory as its longest so far.
template <class T>
class lean_queue {
public:
  bool empty() const { return first_ == all_.size(); }
  std::size_t size() const { return all_.size() - first_; }

  T& front() { return all_[first_]; }
  const T& front() const { return all_[first_]; }
  T& back() { return all_.back(); }
  const T& back() const { return all_.back(); }
  T& operator[](std::size_t i) { return all_[first_ + i]; }
  const T& operator[](std::size_t i) const { return all_[first_ + i]; }

  auto begin() { return std::next(all_.begin(), offset()); }
  auto end() { return all_.end(); }
  auto begin() const { return std::next(all_.begin(), offset()); }
  auto end() const { return all_.end(); }

  void push_back(T x) { all_.push_back(std::move(x)); }
  void pop_back() {
    all_.pop_back();
    if (empty())
      clear();
  }
  void pop_front() {
    all_[first_] = T{};
    ++first_;
    if (first_ * 2 < all_.size())
      return;
    all_.erase(all_.begin(), begin());
    first_ = 0;
  }
  void clear() {
    all_.clear();
    first_ = 0;
  }

private:
  std::ptrdiff_t offset() const { return static_cast<std::ptrdiff_t>(first_); }

  std::vector<T> all_;
  std::size_t first_ = 0; // before it are only empty ones
};

} // namespace legion::consensus
