#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include <caf/detail/simple_actor_clock.hpp>

#include "messages/time.hpp"

namespace legion::node_process {

/// Timers of actors, for a scheduler that looks at them by itself: any thread sets them, whoever
/// calls `fire` sends what is due.
///
/// Shape:  as many as are set. `earlier` is called, without a lock, by who sets one that is due
///         before all others.
class timers final : public caf::detail::simple_actor_clock {
public:
  using super = caf::detail::simple_actor_clock;

  explicit timers(std::function<void(legion::time_point)> earlier) : earlier_(std::move(earlier)) {}

  /// When the first is due; `time_point::max()` if there is none.
  legion::time_point next() const {
    return legion::time_point{legion::time_point::duration{next_.load()}};
  }
  void fire();

  void set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                            std::uint64_t id) override;
  void set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                         std::uint64_t id) override;
  void set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) override;
  void cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) override;
  void cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) override;
  void cancel_timeouts(caf::abstract_actor* self) override;
  void schedule_message(time_point t, caf::strong_actor_ptr receiver,
                        caf::mailbox_element_ptr content) override;
  void schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                        caf::message content) override;
  void cancel_all() override;

private:
  template <class Change>
  void change(Change how);
  void note_next();

  std::function<void(legion::time_point)> earlier_;
  std::mutex mutex_;
  std::atomic<legion::time_point::rep> next_ = legion::time_point::max().time_since_epoch().count();
};

} // namespace legion::node_process
