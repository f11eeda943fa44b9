#include "actors/node/ledger.hpp"

#include <algorithm>

#include "messages/saturating.hpp"

namespace legion::node {

namespace {

/// As people write quantities: whole units with the largest binary suffix that loses nothing.
std::string memory_text(std::int64_t bytes) {
  constexpr const char* suffixes[] = {"", "Ki", "Mi", "Gi", "Ti"};
  auto value = bytes;
  std::size_t i = 0;
  while (i + 1 < std::size(suffixes) && value != 0 && value % 1024 == 0) {
    value /= 1024;
    ++i;
  }
  // What is odd to the byte reads better rounded down to Mi.
  if (i < 2 && bytes >= 10 * 1024 * 1024)
    return std::to_string(bytes / (1024 * 1024)) + "Mi";
  return std::to_string(value) + suffixes[i];
}

std::string sentence(const char* what, const std::string& needs, const std::string& free,
                     const std::string& total) {
  return std::string{what} + ": needs " + needs + ", free " + free + " of " + total;
}

} // namespace

need need_of(const pod_spec& what) {
  need result;
  auto& fixed = result.fixed_ports;
  for (const auto& x : what.containers()) {
    result.cpu_millis = saturating_sum(result.cpu_millis, x.requests().cpu_millis());
    result.memory_bytes = saturating_sum(result.memory_bytes, x.requests().memory_bytes());
    result.ports += x.ports_size();
    for (const auto& port : x.ports())
      if (port.host_port() != 0 && !std::count(fixed.begin(), fixed.end(), port.host_port()))
        fixed.push_back(port.host_port());
  }
  return result;
}

ledger::ledger(const capacity& total, int first_port, int last_port)
    : total_(total), first_port_(first_port), last_port_(last_port), last_tried_(first_port - 1) {}

void ledger::use(const need& each, int sign) {
  used_.cpu_millis += sign * each.cpu_millis;
  used_.memory_bytes += sign * each.memory_bytes;
  used_.ports += sign * each.ports;
  used_.pods += sign * each.pods;
}

capacity ledger::free() const {
  capacity result;
  result.set_cpu_millis(std::max<std::int64_t>(0, total_.cpu_millis() - used_.cpu_millis));
  result.set_memory_bytes(std::max<std::int64_t>(0, total_.memory_bytes() - used_.memory_bytes));
  result.set_ports(std::max(0, total_.ports() - used_.ports - foreign_ports()));
  result.set_pods(std::max(0, total_.pods() - used_.pods));
  return result;
}

/// Of the range: a port outside of it never counted as free.
int ledger::foreign_ports() const {
  return static_cast<int>(std::count_if(foreign_.begin(), foreign_.end(), [&](const auto& x) {
    return x.first >= first_port_ && x.first <= last_port_;
  }));
}

bool ledger::fixed_port_free(int port, std::string& user) const {
  if (auto i = ports_.find(port); i != ports_.end()) {
    user = i->second;
    return false;
  }
  for (const auto& [offer, x] : holds_)
    if (std::find(x.each.fixed_ports.begin(), x.each.fixed_ports.end(), port)
        != x.each.fixed_ports.end()) {
      user = "an offer";
      return false;
    }
  if (foreign_.contains(port)) {
    user = "a process that is not of this cluster";
    return false;
  }
  return true;
}

std::uint32_t ledger::how_many(const need& each, std::uint32_t count, shortage& why) const {
  auto left = free();
  std::uint64_t result = count;
  auto lacks = [&](decline_reason reason, const std::string& detail) {
    why = {why.reason == decline_unknown ? reason : why.reason,
           why.detail + (why.detail.empty() ? "" : "; ") + detail, why.holder};
  };
  auto limit = [&](std::int64_t wanted, std::int64_t available, decline_reason reason,
                   auto detail) {
    if (wanted <= 0)
      return;
    auto fits = static_cast<std::uint64_t>(available / wanted);
    if (fits == 0)
      lacks(reason, detail());
    result = std::min(result, fits);
  };
  limit(each.cpu_millis, left.cpu_millis(), decline_cpu, [&] {
    return sentence("cpu", std::to_string(each.cpu_millis) + "m",
                    std::to_string(left.cpu_millis()) + "m",
                    std::to_string(total_.cpu_millis()) + "m");
  });
  limit(each.memory_bytes, left.memory_bytes(), decline_memory, [&] {
    return sentence("memory", memory_text(each.memory_bytes), memory_text(left.memory_bytes()),
                    memory_text(total_.memory_bytes()));
  });
  limit(each.ports, left.ports(), decline_ports, [&] {
    auto strangers = foreign_ports();
    return sentence("ports", std::to_string(each.ports), std::to_string(left.ports()),
                    std::to_string(total_.ports()))
           + (strangers == 0 ? ""
                             : ", " + std::to_string(strangers)
                                   + " used by processes that are not of this cluster: looked at "
                                     "again within a minute");
  });
  limit(each.pods, left.pods(), decline_pods, [&] {
    return sentence("pods", std::to_string(each.pods), std::to_string(left.pods()),
                    std::to_string(total_.pods()));
  });
  for (auto port : each.fixed_ports) {
    std::string user;
    auto free = fixed_port_free(port, user);
    if (!free)
      lacks(decline_ports, "ports: hostPort " + std::to_string(port) + " is used by " + user);
    if (ports_.contains(port))
      why.holder = user;
    result = std::min<std::uint64_t>(result, free ? 1 : 0);
  }
  return static_cast<std::uint32_t>(result);
}

std::optional<shortage> ledger::hold_some(std::uint64_t offer, const need& each,
                                          std::uint32_t count, time_point now, time_point expires) {
  expire(now);
  if (holds_.size() >= max_holds)
    return shortage{decline_overloaded,
                    "offers: " + std::to_string(max_holds) + " are open, the most there may be"};
  shortage why;
  auto n = how_many(each, std::max<std::uint32_t>(1, count), why);
  if (n == 0)
    return why;
  for (std::uint32_t i = 0; i < n; ++i)
    use(each, 1);
  holds_.insert_or_assign(offer, hold{each, n, expires});
  return std::nullopt;
}

const ledger::hold* ledger::held(std::uint64_t offer) const {
  auto i = holds_.find(offer);
  return i == holds_.end() ? nullptr : &i->second;
}

bool ledger::bind(std::uint64_t offer, const std::vector<std::string>& uids, time_point now) {
  expire(now);
  auto i = holds_.find(offer);
  if (i == holds_.end() || i->second.count < uids.size())
    return false;
  for (const auto& uid : uids)
    if (bound_.emplace(uid, bound{i->second.each, false, {}}).second)
      --i->second.count;
  give_back(offer);
  return true;
}

void ledger::give_back(std::uint64_t offer) {
  auto i = holds_.find(offer);
  if (i == holds_.end())
    return;
  for (std::uint32_t n = 0; n < i->second.count; ++n)
    use(i->second.each, -1);
  holds_.erase(i);
}

bool ledger::expire(time_point now) {
  std::erase_if(foreign_, [&](const auto& x) { return x.second <= now; });
  std::vector<std::uint64_t> over;
  for (const auto& [offer, x] : holds_)
    if (x.expires <= now)
      over.push_back(offer);
  for (auto offer : over)
    give_back(offer);
  return !over.empty();
}

std::optional<time_point> ledger::next_expiry() const {
  std::optional<time_point> result;
  for (const auto& [offer, x] : holds_)
    if (!result || x.expires < *result)
      result = x.expires;
  for (const auto& [port, again] : foreign_)
    if (!result || again < *result)
      result = again;
  return result;
}

void ledger::restore(const std::string& uid, const need& each, const std::vector<int>& host_ports) {
  if (!bound_.emplace(uid, bound{each, false, host_ports}).second)
    return;
  use(each, 1);
  for (auto port : host_ports)
    ports_.emplace(port, uid);
}

void ledger::rest(const std::string& uid) {
  auto i = bound_.find(uid);
  if (i == bound_.end() || i->second.resting)
    return;
  i->second.resting = true;
  use(i->second.each, -1);
  auto ports = std::exchange(i->second.ports, {});
  for (auto port : ports) {
    auto owner = ports_.find(port);
    if (owner == ports_.end() || owner->second != uid)
      continue;
    ports_.erase(owner);
    for (const auto& [other, x] : bound_) // whose port it is by now, as the journal has both
      if (std::count(x.ports.begin(), x.ports.end(), port) > 0)
        ports_.emplace(port, other);
  }
}

void ledger::gone(const std::string& uid) {
  auto i = bound_.find(uid);
  if (i == bound_.end())
    return;
  rest(uid);
  bound_.erase(i);
}

int ledger::choose_port(const std::string& uid, time_point now) {
  std::erase_if(foreign_, [&](const auto& x) { return x.second <= now; });
  auto i = bound_.find(uid);
  if (i == bound_.end() || last_port_ < first_port_)
    return 0;
  for (int tries = first_port_; tries <= last_port_; ++tries) {
    last_tried_ = last_tried_ >= last_port_ ? first_port_ : last_tried_ + 1;
    if (foreign_.contains(last_tried_) || !ports_.emplace(last_tried_, uid).second)
      continue;
    i->second.ports.push_back(last_tried_);
    return last_tried_;
  }
  return 0;
}

bool ledger::claim_port(const std::string& uid, int port) {
  auto i = bound_.find(uid);
  if (i == bound_.end())
    return false;
  auto [known, is_new] = ports_.emplace(port, uid);
  if (is_new)
    i->second.ports.push_back(port);
  return known->second == uid;
}

void ledger::port_taken(const std::string& uid, int port, time_point again) {
  foreign_[port] = again;
  ports_.erase(port);
  if (auto i = bound_.find(uid); i != bound_.end())
    std::erase(i->second.ports, port);
}

} // namespace legion::node
