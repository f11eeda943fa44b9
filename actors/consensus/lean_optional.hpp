#pragma once

#include <memory>
#include <utility>

namespace legion::consensus {

/// As `std::optional`, in a pointer's room: for what is large, and not there for the most part.
template <class T>
class lean_optional {
public:
  lean_optional() = default;
  lean_optional& operator=(T x) {
    emplace(std::move(x));
    return *this;
  }

  explicit operator bool() const { return what_ != nullptr; }
  T& operator*() { return *what_; }
  const T& operator*() const { return *what_; }
  T* operator->() { return what_.get(); }
  const T* operator->() const { return what_.get(); }

  template <class... Xs>
  T& emplace(Xs&&... xs) {
    what_ = std::make_unique<T>(std::forward<Xs>(xs)...);
    return *what_;
  }
  /// What is there; if nothing is, an empty one that is there from now on.
  T& made() { return what_ ? *what_ : emplace(); }
  /// What was there, else an empty one; it is not there any more.
  T take() {
    auto taken = std::exchange(what_, nullptr);
    return taken ? std::move(*taken) : T{};
  }
  void reset() { what_.reset(); }

private:
  std::unique_ptr<T> what_;
};

} // namespace legion::consensus
