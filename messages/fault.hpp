#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace legion {

/// Why something that can be expected to fail has failed.
enum class errc : std::uint8_t {
  none = 0,
  overloaded,      // a bounded queue is full: try again later
  unreachable,     // the other side is dead, unknown or cut off
  deadline,        // no answer in time: what happened is unknown
  unknown_message, // the other side does not know this kind of message
  unknown_actor,   // nobody lives under that path
  refused,         // the other side said no; detail says why
  not_found,
  conflict,
  invalid,   // bad input; detail names the place, what was found, what is allowed
  too_large, // detail names the limit
  disk,      // a file could not be read, written or synced
  disk_full,
  damaged,     // what is on disk or on the wire does not check
  locked,      // another process holds it
  unsupported, // this machine, or this version, does not offer it
  outlived,    // a later life of the node that asks is known there, and not known to be over
};
inline constexpr auto last_errc = errc::outlived;

constexpr const char* to_string(errc x) {
  constexpr const char* names[] = {
      "none",      "overloaded", "unreachable", "deadline",    "unknown message", "unknown actor",
      "refused",   "not found",  "conflict",    "invalid",     "too large",       "disk",
      "disk full", "damaged",    "locked",      "unsupported", "outlived"};
  auto i = static_cast<unsigned>(x);
  return i < std::size(names) ? names[i] : "?";
}

/// Of a request: the other side may have done what it says, or may yet.
constexpr bool may_be_done(errc x) {
  return x == errc::unreachable || x == errc::deadline;
}

/// An expected failure. `detail` names the thing and the limit, and where there is one, the cure.
struct fault {
  errc code = errc::none;
  std::string detail;
};

/// A value or a fault.
template <class T>
class [[nodiscard]] result {
public:
  result(T value) : content_(std::move(value)) {}
  result(fault why) : content_(std::move(why)) {}

  explicit operator bool() const { return std::holds_alternative<T>(content_); }
  T& operator*() { return std::get<T>(content_); }
  const T& operator*() const { return std::get<T>(content_); }
  T* operator->() { return &std::get<T>(content_); }
  const T* operator->() const { return &std::get<T>(content_); }
  const fault& why() const { return std::get<fault>(content_); }

private:
  std::variant<T, fault> content_;
};

template <>
class [[nodiscard]] result<void> {
public:
  result() = default;
  result(fault why) : why_(std::move(why)) {}

  explicit operator bool() const { return !why_; }
  const fault& why() const { return *why_; }

private:
  std::optional<fault> why_;
};

} // namespace legion
