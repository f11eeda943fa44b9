#include "runtime/node/timers.hpp"

#include <utility>
#include <vector>

namespace legion::node_process {

void timers::note_next() {
  auto first = schedule_.empty() ? legion::time_point::max() : schedule_.begin()->first;
  next_ = first.time_since_epoch().count();
}

template <class Change>
void timers::change(Change how) {
  auto before = legion::time_point::max();
  auto after = before;
  {
    std::lock_guard guard{mutex_};
    before = next();
    how();
    note_next();
    after = next();
  }
  if (after < before)
    earlier_(after);
}

/// What is due is sent without the lock: an actor that ends of it cancels its timers.
void timers::fire() {
  std::vector<unique_delayed_event_ptr> due;
  {
    std::lock_guard guard{mutex_};
    auto until = now();
    while (!schedule_.empty() && schedule_.begin()->first <= until) {
      auto first = schedule_.begin();
      if (first->second->backlink != actor_lookup_.end())
        actor_lookup_.erase(first->second->backlink);
      due.push_back(std::move(first->second));
      schedule_.erase(first);
    }
    note_next();
  }
  for (auto& x : due)
    ship(*x);
}

void timers::set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                                  std::uint64_t id) {
  change([&] { super::set_ordinary_timeout(t, self, type, id); });
}

void timers::set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                               std::uint64_t id) {
  change([&] { super::set_multi_timeout(t, self, type, id); });
}

void timers::set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) {
  change([&] { super::set_request_timeout(t, self, id); });
}

void timers::cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) {
  change([&] { super::cancel_ordinary_timeout(self, type); });
}

void timers::cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) {
  change([&] { super::cancel_request_timeout(self, id); });
}

void timers::cancel_timeouts(caf::abstract_actor* self) {
  change([&] { super::cancel_timeouts(self); });
}

void timers::schedule_message(time_point t, caf::strong_actor_ptr receiver,
                              caf::mailbox_element_ptr content) {
  change([&] { super::schedule_message(t, std::move(receiver), std::move(content)); });
}

void timers::schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                              caf::message content) {
  change([&] {
    super::schedule_message(t, std::move(target), std::move(sender), std::move(content));
  });
}

/// What they would have sent is let go without the lock.
void timers::cancel_all() {
  schedule_map gone;
  std::lock_guard guard{mutex_};
  gone.swap(schedule_);
  actor_lookup_.clear();
  note_next();
}

} // namespace legion::node_process
