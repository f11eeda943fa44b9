#include "runtime/simulator/disturbance.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "messages/time.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

class drawer {
public:
  drawer(std::uint64_t seed, const roughness& how) : random_(seed), how_(how) {}

  std::vector<disturbance> draw() {
    for (std::uint32_t i = 0; i < how_.incidents; ++i)
      incident();
    for (std::uint32_t i = 0; i < how_.blackouts; ++i)
      blackout();
    for (std::uint32_t i = 0; i < how_.old_copies; ++i)
      old_copy();
    mend();
    std::stable_sort(all_.begin(), all_.end(), [](auto& a, auto& b) { return a.at < b.at; });
    return std::move(all_);
  }

private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  microseconds between(microseconds least, microseconds most) {
    auto spread = std::max<std::int64_t>(1, (most - least).count());
    return least + microseconds{below(static_cast<std::uint64_t>(spread))};
  }

  disturbance& add(microseconds at, disturbance::kind what, std::vector<std::uint32_t> nodes = {}) {
    auto& x = all_.emplace_back();
    x.at = std::min(at, how_.end);
    x.what = what;
    x.nodes = std::move(nodes);
    return x;
  }

  std::uint32_t any() { return static_cast<std::uint32_t>(below(how_.nodes)); }

  void incident() {
    using kind = disturbance::kind;
    auto at = between(how_.begin, how_.end);
    auto until = at + between(std::chrono::milliseconds{100}, seconds{15});
    auto node = any();
    switch (below(12)) {
      case 0:
      case 1:
        add(at, kind::crash, {node});
        add(until, kind::restart, {node});
        break;
      case 2:
        add(at, kind::stop, {node});
        add(until, kind::restart, {node});
        break;
      case 3:
        add(at, kind::pause, {node});
        add(until, kind::resume, {node});
        break;
      case 4:
      case 5:
        split(at);
        add(until, kind::heal);
        break;
      case 6:
        add(at, kind::cut, {node, (node + 1 + any()) % how_.nodes});
        add(until, kind::heal);
        break;
      case 7:
        fraction(at, until, kind::loss, 0.2);
        break;
      case 8:
        fraction(at, until, kind::duplication, 0.1);
        fraction(at, until, kind::reordering, 0.1);
        break;
      case 9:
        slow(at, until);
        break;
      case 10:
        if (how_.disks) {
          add(at, kind::disk_full, {node});
          add(until, kind::disk_free, {node});
        }
        break;
      default:
        add(at, how_.supervisors && below(2) == 0 ? kind::supervisor : kind::kill, {node});
    }
  }

  void split(microseconds at) {
    std::vector<std::uint32_t> side;
    for (std::uint32_t i = 0; i < how_.nodes; ++i)
      if (below(2) == 0)
        side.push_back(i);
    add(at, disturbance::kind::partition).sides.push_back(std::move(side));
  }

  void fraction(microseconds at, microseconds until, disturbance::kind what, double most) {
    add(at, what).fraction = most * static_cast<double>(1 + below(100)) / 100;
    add(until, what);
  }

  void slow(microseconds at, microseconds until) {
    auto& x = add(at, disturbance::kind::delay);
    x.least = milliseconds{1};
    x.most = milliseconds{2 + below(200)};
    usual(until);
  }

  void usual(microseconds at) {
    auto& x = add(at, disturbance::kind::delay);
    x.least = microseconds{150};
    x.most = microseconds{1500};
  }

  std::vector<std::uint32_t> every() const {
    std::vector<std::uint32_t> result(how_.nodes);
    std::iota(result.begin(), result.end(), std::uint32_t{0});
    return result;
  }

  /// As after a power cut: all come back within a second, or nearly at once, in any order.
  void blackout() {
    auto at = between(how_.begin, how_.end);
    add(at, disturbance::kind::crash, every());
    auto back = at + between(milliseconds{1}, seconds{5});
    auto spread = below(2) == 0 ? milliseconds{1} : milliseconds{1000};
    for (std::uint32_t i = 0; i < how_.nodes; ++i)
      add(back + between(milliseconds{0}, spread), disturbance::kind::restart, {i});
  }

  /// It is started once between the copy and its return: so that start is counted twice.
  void old_copy() {
    using kind = disturbance::kind;
    auto node = any();
    auto at = between(how_.begin, how_.end);
    add(at, kind::copy, {node});
    for (auto what : {kind::crash, kind::restart, kind::put_back, kind::restart})
      add(at += between(milliseconds{10}, seconds{8}), what, {node});
  }

  void mend() {
    using kind = disturbance::kind;
    for (auto what : {kind::loss, kind::duplication, kind::reordering, kind::heal})
      add(how_.end, what);
    usual(how_.end);
    for (auto what : {kind::disk_free, kind::resume, kind::restart})
      add(how_.end, what, every());
  }

  std::mt19937_64 random_;
  roughness how_;
  std::vector<disturbance> all_;
};

std::string names_of(const std::vector<std::uint32_t>& nodes) {
  std::string result;
  for (auto x : nodes)
    result += (result.empty() ? "" : ",") + std::string("node-") + std::to_string(x + 1);
  return result;
}

} // namespace

const char* to_string(disturbance::kind x) {
  constexpr const char* names[] = {"crash",      "restart", "stop",      "pause",     "resume",
                                   "partition",  "cut",     "heal",      "loss",      "duplication",
                                   "reordering", "delay",   "disk-full", "disk-free", "kill",
                                   "supervisor", "wipe",    "copy",      "put-back"};
  return names[static_cast<unsigned>(x)];
}

std::string text_of(const disturbance& x) {
  std::string result = to_string(x.what);
  if (!x.nodes.empty())
    result += " nodes=" + names_of(x.nodes);
  for (auto& side : x.sides)
    result += " side=" + names_of(side);
  using kind = disturbance::kind;
  if (x.what == kind::loss || x.what == kind::duplication || x.what == kind::reordering)
    result += " permille=" + std::to_string(static_cast<int>(x.fraction * 1000 + 0.5));
  if (x.what == kind::delay)
    result += " least_us=" + std::to_string(x.least.count())
              + " most_us=" + std::to_string(x.most.count());
  return result;
}

std::optional<disturbance> part_of(const disturbance& x, std::uint32_t first, std::uint32_t count) {
  auto elsewhere = [=](std::uint32_t node) { return node < first || node - first >= count; };
  auto result = x;
  std::erase_if(result.nodes, elsewhere);
  std::erase_if(result.sides, [=](std::vector<std::uint32_t>& side) {
    return std::erase_if(side, elsewhere) > 0 && side.empty();
  });
  auto lost = x.nodes.size() - result.nodes.size();
  if (lost > 0 && (result.nodes.empty() || x.what == disturbance::kind::cut))
    return std::nullopt;
  return result;
}

std::vector<disturbance> draw_disturbances(std::uint64_t seed, const roughness& how) {
  return drawer{seed, how}.draw();
}

} // namespace legion::simulator
