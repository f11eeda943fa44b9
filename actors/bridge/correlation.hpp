#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "messages/ids.hpp"
#include "messages/time.hpp"

namespace legion::bridge {

/// Requests that wait for their answer, each with a deadline.
///
/// A number is (age of its place, place), so that looking it up is an index and not a search, and
/// an answer that comes too late never meets the place's next request. Deadlines lie in a wheel of
/// `tick`s, each a doubly linked list through the places (Varghese and Lauck 1987, scheme 6): open,
/// close and expire cost the same with ten requests and with ten thousand.
///
/// Shape:  numbers are below 2^60 and never 0; memory follows the most that were ever open at once.
/// Units:  a deadline is met up to one tick late, never early.
/// Errors: an answer from another peer than the one that was asked closes nothing.
template <class Asker>
class correlation {
public:
  static constexpr milliseconds tick{250};

  struct closed {
    std::uint64_t number = 0;
    node_id peer;
    Asker who;
  };

  std::uint64_t open(const node_id& peer, Asker who, time_point now, milliseconds within) {
    if (open_ == 0)
      reached_ = tick_of(now);
    if (wheel_.empty())
      wheel_.resize(buckets);
    auto place = take_place();
    auto& x = places_[place];
    x.peer = peer;
    x.who.emplace(std::move(who));
    x.due = tick_of(now + within) + 1;
    link(place);
    ++open_;
    return number_of(place);
  }

  std::optional<Asker> close(std::uint64_t number, const node_id& from) {
    auto place = static_cast<std::uint32_t>(number & 0xffffffff) - 1;
    if (place >= places_.size() || !places_[place].who || number_of(place) != number
        || places_[place].peer != from)
      return std::nullopt;
    return take(place);
  }

  /// In the order in which they were opened, tick by tick.
  std::vector<closed> expire(time_point now) {
    std::vector<closed> result;
    auto until = tick_of(now);
    auto first = std::max(reached_ + 1, until - static_cast<std::int64_t>(buckets) + 1);
    for (auto t = first; t <= until && open_ != 0; ++t) {
      auto place = wheel_[bucket(t)].first;
      while (place != none) {
        auto next = places_[place].next;
        if (places_[place].due <= until)
          drop_into(result, place);
        place = next;
      }
    }
    reached_ = std::max(reached_, until);
    if (open_ == 0)
      std::vector<list>{}.swap(wheel_);
    return result;
  }

  /// All that wait for this peer.
  std::vector<closed> close_all(const node_id& peer) {
    std::vector<closed> result;
    for (std::uint32_t place = 0; place < places_.size(); ++place)
      if (places_[place].who && places_[place].peer == peer)
        drop_into(result, place);
    return result;
  }

  std::size_t size() const { return open_; }

private:
  static constexpr std::uint32_t none = 0xffffffff;
  static constexpr std::size_t buckets = 64;

  struct place_of_request {
    node_id peer;
    std::optional<Asker> who;
    std::int64_t due = 0; // tick
    std::uint32_t age = 1;
    std::uint32_t next = none;
    std::uint32_t previous = none;
  };
  struct list {
    std::uint32_t first = none;
    std::uint32_t last = none;
  };

  static std::int64_t tick_of(time_point x) { return x.time_since_epoch() / tick; }
  static std::size_t bucket(std::int64_t t) { return static_cast<std::size_t>(t) % buckets; }

  std::uint64_t number_of(std::uint32_t place) const {
    return static_cast<std::uint64_t>(places_[place].age) << 32 | (place + 1);
  }

  std::uint32_t take_place() {
    if (!free_.empty()) {
      auto place = free_.back();
      free_.pop_back();
      return place;
    }
    places_.emplace_back();
    return static_cast<std::uint32_t>(places_.size() - 1);
  }

  void link(std::uint32_t place) {
    auto& x = places_[place];
    auto& l = wheel_[bucket(x.due)];
    x.next = none;
    x.previous = l.last;
    (l.last == none ? l.first : places_[l.last].next) = place;
    l.last = place;
  }

  Asker take(std::uint32_t place) {
    auto& x = places_[place];
    auto& l = wheel_[bucket(x.due)];
    (x.previous == none ? l.first : places_[x.previous].next) = x.next;
    (x.next == none ? l.last : places_[x.next].previous) = x.previous;
    auto who = std::move(*x.who);
    x.who.reset();
    x.age = x.age == 0x0fffffff ? 1 : x.age + 1;
    free_.push_back(place);
    --open_;
    return who;
  }

  void drop_into(std::vector<closed>& result, std::uint32_t place) {
    auto number = number_of(place);
    auto peer = places_[place].peer;
    result.push_back({number, peer, take(place)});
  }

  std::vector<place_of_request> places_;
  std::vector<std::uint32_t> free_;
  std::vector<list> wheel_;  // empty while nothing is open, for a node at rest
  std::int64_t reached_ = 0; // the tick up to which all have expired
  std::size_t open_ = 0;
};

} // namespace legion::bridge
