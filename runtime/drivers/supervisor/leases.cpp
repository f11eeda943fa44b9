#include "runtime/drivers/supervisor/leases.hpp"

#include <algorithm>
#include <optional>
#include <vector>

#include <sys/timerfd.h>
#include <unistd.h>

#include "runtime/drivers/boot_clock.hpp"

namespace legion::drivers {

leases::leases(poller& events, due tell)
    : events_(events), tell_(std::move(tell)),
      timer_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  events_.add(timer_, EPOLLIN, [this](std::uint32_t) { on_timer(); });
}

leases::~leases() {
  events_.remove(timer_);
  close(timer_);
}

void leases::hold(const key& who, std::int64_t until_ms, std::int64_t grace_ms) {
  all_[who] = {until_ms, std::max<std::int64_t>(grace_ms, 0)};
  arm();
}

leases::renewal leases::renew(const std::string& workload, std::int64_t until_ms) {
  auto result = renewal::none;
  for (auto i = all_.lower_bound({workload, ""}); i != all_.end() && i->first.first == workload;
       ++i) {
    if (i->second.asked) // one of them ends: the others are to end with it
      return renewal::too_late;
    i->second.until = std::max(i->second.until, until_ms);
    result = renewal::done;
  }
  arm();
  return result;
}

void leases::drop(const key& who) {
  if (all_.erase(who))
    arm();
}

std::int64_t leases::until(const key& who) const {
  auto i = all_.find(who);
  return i == all_.end() ? 0 : i->second.until;
}

void leases::arm() {
  std::optional<std::int64_t> next;
  for (const auto& [who, x] : all_) {
    if (x.killed)
      continue;
    auto at = x.asked ? x.until : x.until - x.grace;
    next = next ? std::min(*next, at) : at;
  }
  struct itimerspec when {};
  if (next) { // 0 would disarm it
    auto at = std::max<std::int64_t>(*next, 1);
    when.it_value.tv_sec = at / 1000;
    when.it_value.tv_nsec = at % 1000 * 1'000'000;
  }
  timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void leases::on_timer() {
  std::uint64_t times = 0;
  if (read(timer_, &times, sizeof(times)) < 0)
    return;
  auto now = boot_ms();
  std::vector<std::pair<key, step>> due;
  for (auto& [who, x] : all_) {
    if (!x.killed && x.until <= now) {
      x.asked = x.killed = true;
      due.emplace_back(who, step::kill);
    } else if (!x.asked && x.until - x.grace <= now) {
      x.asked = true;
      due.emplace_back(who, step::ask);
    }
  }
  for (const auto& [who, what] : due)
    tell_(who, what, std::max<std::int64_t>(until(who) - now, 0));
  arm();
}

} // namespace legion::drivers
