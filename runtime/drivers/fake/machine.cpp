#include "runtime/drivers/fake/machine.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <random>
#include <utility>

namespace legion::drivers::fake {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr auto call_delay = microseconds{300};

/// The host ports a life was told of: PORT=N and PORT_<NAME>=N.
std::vector<int> ports_in(const legion::launch& what) {
  std::vector<int> result;
  for (auto& x : what.env()) {
    auto equals = x.find('=');
    if (equals == std::string::npos || !x.starts_with("PORT") || (equals > 4 && x[4] != '_'))
      continue;
    int port = 0;
    auto [end, error] = std::from_chars(x.data() + equals + 1, x.data() + x.size(), port);
    if (error == std::errc{} && end == x.data() + x.size())
      result.push_back(port);
  }
  return result;
}

} // namespace

struct machine::content : std::enable_shared_from_this<content> {
  using name = std::pair<std::string, std::string>; // workload, container

  struct life {
    process_status status;
    std::int64_t cpu_millis = 0;
    std::int64_t memory_bytes = 0;
    std::vector<int> ports;
    microseconds probe_passes_at{0};
    std::string output;
    bool ghost = false;       // it is gone, and the driver does not know
    std::uint64_t number = 0; // of all lives here
  };

  std::minstd_rand random; // small: there may be 10,000 machines
  surroundings around;
  habits habit;
  watcher watch;
  std::shared_ptr<const features> can; // null: everything
  std::map<name, life> lives;
  std::map<name, std::string> former_output;
  sink* listener = nullptr;
  std::uint64_t attachments = 0;
  std::uint64_t launches = 0;
  bool ignores_leases = false;

  void later(microseconds delay, std::function<void(content&)> what) {
    around.later(delay, [weak = weak_from_this(), what = std::move(what)] {
      if (auto self = weak.lock())
        what(*self);
    });
  }

  /// Answers the driver that asked, if it is still there.
  void answer(std::function<void(content&, sink&)> what, microseconds delay = call_delay) {
    later(delay, [what = std::move(what), asked = attachments](content& self) {
      if (self.listener && self.attachments == asked)
        what(self, *self.listener);
    });
  }

  microseconds draw(const habits::range& x) {
    auto spread = std::max<std::int64_t>(1, microseconds{x.most - x.least}.count());
    return x.least + microseconds{static_cast<std::int64_t>(random()) % spread};
  }

  bool draw(double fraction) {
    return fraction > 0 && static_cast<double>(random() - 1) < fraction * (random.max() - 1);
  }

  life* find(const name& which, std::uint64_t number) {
    auto i = lives.find(which);
    return i != lives.end() && i->second.number == number ? &i->second : nullptr;
  }

  void end(life& x, int exit_code, int signal) {
    if (x.status.state() == "exited")
      return;
    x.status.set_state("exited");
    x.status.set_exit_code(exit_code);
    x.status.set_signal(signal);
    x.status.set_finished_ms(around.wall_clock());
    if (!x.ghost && watch)
      watch(happening::exited, x.status);
    if (listener)
      listener->exited(x.status);
  }

  std::int64_t boot_ms() const {
    return around.boot_clock ? around.boot_clock() : around.now().count() / 1000;
  }

  /// Ends it at its deadline, which may have moved by then.
  void watch_lease(const name& which, std::uint64_t number, std::int64_t until) {
    later(milliseconds{std::max<std::int64_t>(until - boot_ms(), 0)},
          [which, number](content& self) {
            auto* x = self.find(which, number);
            if (!x || x->status.state() == "exited" || self.ignores_leases)
              return;
            if (auto moved = x->status.lease_until_ms(); moved > self.boot_ms())
              return self.watch_lease(which, number, moved);
            x->status.set_reason("lease_expired");
            self.end(*x, 0, 9);
          });
  }

  void begin(std::uint64_t correlation, const legion::launch& what);
  void begun(std::uint64_t correlation, const name& which, std::uint64_t number, bool fails);
};

void machine::content::begin(std::uint64_t correlation, const legion::launch& what) {
  auto which = name{what.workload(), what.container()};
  auto i = lives.find(which);
  if (i != lives.end()
      && (i->second.status.state() != "exited" || i->second.status.life() == what.life())) {
    answer([correlation, status = i->second.status](content&, sink& to) {
      to.launched(correlation, status);
    });
    return;
  }
  if (what.lease_until_ms() != 0 && what.lease_until_ms() <= boot_ms()) {
    answer([correlation, workload = what.workload()](content&, sink& to) {
      to.launched(correlation, fault{errc::refused, "the lease of " + workload + " has run out"});
    });
    return;
  }
  if (i != lives.end())
    former_output[which] = std::move(i->second.output);
  auto& x = lives[which] = {};
  x.number = ++launches;
  x.cpu_millis = what.cpu_weight_millis();
  x.memory_bytes = what.memory_bytes();
  x.ports = ports_in(what);
  x.status.set_workload(what.workload());
  x.status.set_container(what.container());
  x.status.set_pod(what.pod());
  x.status.set_promise(what.promise());
  x.status.set_life(what.life());
  x.status.set_state("running");
  x.status.set_pid(static_cast<int>(1000 + x.number));
  x.status.set_started_ms(around.wall_clock());
  if (what.lease_until_ms() != 0) {
    x.status.set_lease_until_ms(what.lease_until_ms());
    watch_lease(which, x.number, what.lease_until_ms());
  }
  x.output = what.pod() + " life " + std::to_string(what.life()) + "\n";
  auto delay = draw(habit.start);
  x.probe_passes_at = around.now() + delay + draw(habit.probe_passes);
  later(delay, [correlation, which, number = x.number, fails = draw(habit.launch_fails),
                asked = attachments](content& self) {
    self.begun(self.attachments == asked ? correlation : 0, which, number, fails);
  });
}

// `correlation` 0: the driver that asked is gone.
void machine::content::begun(std::uint64_t correlation, const name& which, std::uint64_t number,
                             bool fails) {
  auto* x = find(which, number);
  if (!x)
    return;
  if (fails && x->status.state() == "running") {
    x->status.set_state("exited");
    x->status.set_exit_code(127);
    x->status.set_finished_ms(around.wall_clock());
    x->status.set_error("execve: no such file or directory (simulated)");
  } else if (x->status.state() == "running" && watch) {
    watch(happening::launched, x->status);
  }
  if (listener && correlation != 0)
    listener->launched(correlation, x->status);
  if (habit.lifetime.most > milliseconds{0} && x->status.state() == "running")
    later(draw(habit.lifetime),
          [which, number, code = draw(habit.exit_fails) ? 1 : 0](content& self) {
            if (auto* life = self.find(which, number))
              self.end(*life, code, 0);
          });
}

class machine::fake_driver : public driver {
public:
  fake_driver(std::shared_ptr<content> where, std::uint64_t attachment)
      : content_(std::move(where)), attachment_(attachment) {}
  ~fake_driver() override {
    if (current())
      content_->listener = nullptr;
  }

  features what_it_can() const override {
    if (content_->can)
      return *content_->can;
    return {.name = "process",
            .root = true,
            .namespaces = true,
            .limits = {"cpu", "memory", "pids"},
            .note = {}};
  }

  void launch(std::uint64_t correlation, const legion::launch& what) override {
    if (current())
      content_->begin(correlation, what);
  }

  void stop(std::uint64_t correlation, const legion::stop& what) override {
    if (!current())
      return;
    end_gracefully(what);
    content_->answer([=](content&, sink& to) { to.stopped(correlation, {}); });
  }

  void renew(std::uint64_t correlation, const renew_lease& what) override {
    if (!current())
      return;
    bool leased = false;
    for (auto& [which, x] : content_->lives)
      if (which.first == what.workload() && x.status.state() != "exited"
          && x.status.lease_until_ms() != 0) {
        leased = true;
        x.status.set_lease_until_ms(std::max(x.status.lease_until_ms(), what.until_ms()));
      }
    content_->answer([=, workload = what.workload()](content&, sink& to) {
      if (leased)
        to.renewed(correlation, {});
      else
        to.renewed(correlation,
                   fault{errc::not_found, "nothing of " + workload + " is leased and alive"});
    });
  }

  void remove(std::uint64_t correlation, const std::string& workload) override {
    if (!current())
      return;
    bool lives = false;
    for (auto& [which, x] : content_->lives)
      lives = lives || (which.first == workload && x.status.state() != "exited");
    if (!lives)
      forget(workload);
    content_->answer([=](content&, sink& to) {
      if (lives)
        to.removed(correlation, fault{errc::conflict, workload + " still runs"});
      else
        to.removed(correlation, {});
    });
  }

  void list(std::uint64_t correlation) override {
    if (!current())
      return;
    content_->answer([=](content& self, sink& to) {
      process_list all;
      for (auto& [which, x] : self.lives)
        *all.add_processes() = x.status;
      all.set_limits("simulated: cpu, memory, pids");
      all.set_supervisor_pid(2);
      for (auto* x : {"cpu", "memory", "pids", "kill", "namespaces", "root"})
        all.add_capabilities(x);
      to.listed(correlation, std::move(all));
    });
  }

  void probe(std::uint64_t correlation, const probe_target& where) override {
    if (!current())
      return;
    content_->answer([=, port = where.port](content& self, sink& to) {
      auto outcome = probe_outcome{false, "connection refused"};
      for (auto& [which, x] : self.lives) {
        if (x.status.state() == "exited"
            || std::find(x.ports.begin(), x.ports.end(), port) == x.ports.end())
          continue;
        outcome.passed = self.around.now() >= x.probe_passes_at;
        outcome.detail = outcome.passed ? "200 OK" : "503 Service Unavailable";
      }
      to.probed(correlation, std::move(outcome));
    });
  }

  void read(std::uint64_t correlation, const std::string& workload, const std::string& container,
            std::int64_t life, std::int64_t offset) override {
    if (!current())
      return;
    content_->answer([=](content& self, sink& to) {
      auto which = content::name{workload, container};
      auto i = self.lives.find(which);
      if (i == self.lives.end()) {
        to.read(correlation, fault{errc::not_found, "no output of " + workload});
        return;
      }
      bool newest = life < 0 || life == i->second.status.life();
      auto& text = newest ? i->second.output : self.former_output[which];
      auto from = static_cast<std::size_t>(std::max<std::int64_t>(0, offset));
      output piece;
      piece.text = from < text.size() ? text.substr(from) : "";
      piece.next_offset = static_cast<std::int64_t>(std::max(from, text.size()));
      piece.end = !newest || i->second.status.state() == "exited";
      to.read(correlation, std::move(piece));
    });
  }

  void shut_down(std::uint64_t correlation, std::int64_t grace_ms) override {
    if (!current())
      return;
    legion::stop every;
    every.set_grace_ms(grace_ms);
    end_gracefully(every);
    content_->answer([=](content&, sink& to) { to.stopped(correlation, {}); },
                     milliseconds{grace_ms});
  }

  bool port_is_free(int port) const override {
    for (auto& [which, x] : content_->lives)
      if (x.status.state() != "exited"
          && std::find(x.ports.begin(), x.ports.end(), port) != x.ports.end())
        return false;
    return true;
  }

private:
  bool current() const { return content_->attachments == attachment_; }

  /// An empty workload means every one.
  void end_gracefully(const legion::stop& what) {
    for (auto& [which, x] : content_->lives) {
      if ((!what.workload().empty() && which.first != what.workload())
          || (!what.container().empty() && which.second != what.container())
          || x.status.state() != "running")
        continue;
      x.status.set_state("stopping");
      auto wish = content_->draw(content_->habit.stop);
      auto grace = microseconds{milliseconds{std::max<std::int64_t>(0, what.grace_ms())}};
      int signal = wish <= grace ? 15 : 9;
      content_->later(std::min(wish, grace), [which, number = x.number, signal](content& self) {
        if (auto* life = self.find(which, number))
          self.end(*life, 0, signal);
      });
    }
  }

  void forget(const std::string& workload) {
    std::erase_if(content_->former_output,
                  [&](const auto& x) { return x.first.first == workload; });
    std::erase_if(content_->lives, [&](const auto& x) {
      if (x.first.first != workload)
        return false;
      if (content_->watch)
        content_->watch(happening::removed, x.second.status);
      return true;
    });
  }

  std::shared_ptr<content> content_;
  std::uint64_t attachment_;
};

machine::machine(std::uint64_t seed, surroundings around) : content_(std::make_shared<content>()) {
  content_->random.seed(static_cast<std::uint32_t>(seed ^ (seed >> 32)));
  content_->around = std::move(around);
}

factory machine::attach() {
  return [content = content_](sink& listener) -> result<std::unique_ptr<driver>> {
    content->listener = &listener;
    return std::unique_ptr<driver>(std::make_unique<fake_driver>(content, ++content->attachments));
  };
}

void machine::crash() {
  content_->listener = nullptr;
  ++content_->attachments;
}

void machine::set_habits(const habits& x) {
  content_->habit = x;
}

void machine::set_features(features x) {
  content_->can = std::make_shared<const features>(std::move(x));
}

void machine::set_watcher(watcher x) {
  content_->watch = std::move(x);
}

std::vector<process> machine::processes() const {
  std::vector<process> result;
  for (auto& [which, x] : content_->lives)
    if (!x.ghost)
      result.push_back({x.status, x.cpu_millis, x.memory_bytes});
  return result;
}

void machine::kill(const std::string& workload) {
  for (auto& [which, x] : content_->lives)
    if (which.first == workload)
      content_->end(x, 0, 9);
}

void machine::kill_silently(const std::string& workload) {
  for (auto& [which, x] : content_->lives)
    if (which.first == workload)
      x.ghost = true;
}

void machine::ignore_leases() {
  content_->ignores_leases = true;
}

void machine::lose_supervisor() {
  for (auto& [which, x] : content_->lives)
    if (x.status.state() != "exited" && !x.ghost && content_->watch) {
      auto gone = x.status;
      gone.set_state("exited");
      gone.set_signal(9);
      content_->watch(happening::exited, gone);
    }
  content_->lives.clear();
  if (content_->listener)
    content_->listener->supervisor_lost("killed (simulated)");
}

} // namespace legion::drivers::fake
