#include "runtime/simulator/cluster.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iterator>
#include <thread>
#include <utility>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <sodium.h>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/charter/roster.hpp"
#include "actors/membership/record_pool.hpp"
#include "messages/check.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

/// 2025-01-01T00:00:00Z: when every simulation begins.
constexpr wall_ms first_wall_ms = 1735689600000;

/// Of one zone while others wait: long enough to be worth the cache that it takes.
constexpr microseconds longest_turn = seconds{1};

/// Whose zone's world runs in this thread.
constexpr std::uint32_t no_zone = ~std::uint32_t{0};
thread_local std::uint32_t running_zone = no_zone;

/// Until its end this thread runs a zone's world.
class in_zone {
public:
  explicit in_zone(std::uint32_t zone) : before_(std::exchange(running_zone, zone)) {}
  ~in_zone() { running_zone = before_; }
  in_zone(const in_zone&) = delete;
  in_zone& operator=(const in_zone&) = delete;

private:
  std::uint32_t before_;
};

std::string bytes_of(std::uint64_t seed, std::string_view what, std::uint32_t number,
                     std::size_t size) {
  auto text = std::to_string(seed) + "/" + std::string(what) + "/" + std::to_string(number);
  std::string result(size, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(result.data()), size,
                     reinterpret_cast<const unsigned char*>(text.data()), text.size(), nullptr, 0);
  return result;
}

/// As node.key would give it: the id is the hash of the public key.
node_id id_of(const std::string& public_key) {
  unsigned char hash[32];
  crypto_generichash(hash, sizeof(hash), reinterpret_cast<const unsigned char*>(public_key.data()),
                     public_key.size(), nullptr, 0);
  return node_id::from_bytes({reinterpret_cast<const char*>(hash), node_id::size});
}

/// A zone's chance is its own, whichever zones live beside it.
std::uint64_t seed_of(std::uint64_t seed, std::uint32_t zone) {
  if (zone == 0) // a simulation of one zone is what its seed says
    return seed;
  std::uint64_t result = 0;
  auto bytes = bytes_of(seed, "zone", zone, sizeof(result));
  std::memcpy(&result, bytes.data(), sizeof(result));
  return result;
}

} // namespace

std::uint32_t zones_of(const cluster_options& x) {
  return (x.nodes + x.zone_size - 1) / x.zone_size;
}

event_log& cluster::log_of(world& x) {
  if (zones() == 1)
    return log_;
  x.log.gather_for(log_);
  return x.log;
}

cluster::world::world(std::uint64_t seed)
    : random(seed), system(random()), network(random(), system.time().as_run_later()),
      records(std::make_shared<membership::record_pool>()),
      rows(std::make_shared<charter::row_pool>()), shelf(std::make_shared<record_shelf>()) {}

cluster::cluster(cluster_options options)
    : options_(options),
      actor_log_(options.log_debug    ? spdlog::level::debug
                 : options.log_actors ? spdlog::level::info
                                      : spdlog::level::warn,
                 [this](int level, std::string_view text) { on_actor_log(level, text); }) {
  LEGION_CHECK(options_.nodes > 0 && options_.zone_size > 0);
  LEGION_CHECK(options_.first_zone < zones_of(options_));
  auto rest = zones_of(options_) - options_.first_zone;
  auto count = options_.zones == 0 ? rest : std::min(options_.zones, rest);
  for (std::uint32_t zone = 0; zone < count; ++zone)
    make_zone(zone);
}

void cluster::make_zone(std::uint32_t zone) {
  auto number = options_.first_zone + zone;
  worlds_.push_back(std::make_unique<world>(seed_of(options_.seed, number)));
  clusters_.push_back(bytes_of(options_.seed, "cluster", number, 16));
  watch_network(*worlds_.back());
  for (std::uint32_t i = 0; i < size_of(zone); ++i)
    make_node(first_of(zone) + i);
}

std::uint32_t cluster::size_of(std::uint32_t zone) const {
  return std::min(options_.nodes - number_of(first_of(zone)), options_.zone_size);
}

std::uint32_t cluster::number_of(std::uint32_t index) const {
  return options_.first_zone * options_.zone_size + index;
}

void cluster::watch_network(world& x) {
  x.network.set_tamper([this](const node_id& from, const node_id& to, std::string& frame) {
    if (!watcher_.sent)
      return true;
    auto a = index_of(from), b = index_of(to);
    return !a || !b || watcher_.sent(*a, *b, frame);
  });
  x.network.set_tap(
      [this, home = &x](const node_id& from, const node_id& to, const std::string& frame) {
        log_of(*home).digest(now(), frame);
        if (!options_.log_frames && !watcher_.delivered)
          return;
        auto a = index_of(from), b = index_of(to);
        if (!a || !b)
          return;
        if (options_.log_frames)
          note(*b, "frame from=" + nodes_[*a].self.name + " bytes=" + std::to_string(frame.size()));
        if (watcher_.delivered)
          watcher_.delivered(*a, *b, frame);
      });
}

cluster::~cluster() {
  for (std::uint32_t i = 0; i < size(); ++i)
    crash(i);
  gather_logs();
}

void cluster::on_actor_log(int level, std::string_view text) {
  auto& where = running_zone < worlds_.size() ? *worlds_[running_zone] : *worlds_[0];
  auto who = where.system.running();
  auto name = who == virtual_system::nobody ? std::string{} : nodes_[who - 1].self.name;
  constexpr const char* names[] = {"trace ", "debug ", "info ", "warn ", "error ", "critical ", ""};
  auto line = names[level] + std::string(text);
  log_of(where).add(now(), name, line);
  if (level >= spdlog::level::err)
    (zones() == 1 ? errors_ : where.errors).push_back(time_text(now()) + " " + name + " " + line);
}

void cluster::note(std::uint32_t index, const std::string& event) {
  log_of(world_of(index)).add(now(), nodes_[index].self.name, event);
}

microseconds cluster::now() const {
  return worlds_[running_zone < worlds_.size() ? running_zone : 0]->system.now();
}

wall_ms cluster::wall_clock() const {
  return first_wall_ms + now().count() / 1000;
}

std::int64_t cluster::boot_clock(std::uint32_t index) const {
  constexpr std::int64_t apart_ms = 1'000'000; // machines did not boot at once
  auto number = number_of(index);
  auto rate = 1 + options_.clock_error * (static_cast<double>(number % 3) - 1);
  return static_cast<std::int64_t>(static_cast<double>(now().count()) / 1000 * rate)
         + (number + 1) * apart_ms;
}

std::uint32_t cluster::zones() const {
  return static_cast<std::uint32_t>(worlds_.size());
}

void cluster::make_node(std::uint32_t index) {
  auto& x = nodes_.emplace_back();
  auto number = number_of(index) + 1;
  x.zone = index / options_.zone_size;
  x.self.public_key = bytes_of(options_.seed, "key", number, 32);
  x.self.id = id_of(x.self.public_key);
  numbers_[x.self.id] = index;
  x.self.name = "node-" + std::to_string(number);
  x.self.zone =
      zones_of(options_) > 1 ? "zone-" + std::to_string(options_.first_zone + x.zone + 1) : "local";
  x.self.endpoint = "10." + std::to_string(number >> 16) + "." + std::to_string(number >> 8 & 255)
                    + "." + std::to_string(number & 255) + ":7710";
  x.has.set_cpu_millis(options_.cpu_millis);
  x.has.set_memory_bytes(options_.memory_bytes);
  x.has.set_ports(options_.ports);
  x.has.set_pods(options_.pods);
  x.offers.total = x.has;
  x.offers.last_port = x.offers.first_port + options_.ports - 1;
  auto& hostname = x.offers.labels.emplace_back();
  hostname.set_key("kubernetes.io/hostname");
  hostname.set_value(x.self.name);
  auto& home = world_of(index);
  x.disk = std::make_unique<store::memory::disk>(home.random(), home.system.time().as_run_later(),
                                                 home.shelf);
  x.machine = std::make_unique<drivers::fake::machine>(
      home.random(),
      drivers::fake::surroundings{home.system.time().as_run_later(), [this] { return now(); },
                                  [this] { return wall_clock(); },
                                  [this, index] { return boot_clock(index); }});
  x.machine->set_habits(options_.habits);
  x.disk->set_watcher([this, index](const record_batch& batch) {
    if (watcher_.durable)
      watcher_.durable(index, batch);
  });
  using happening = drivers::fake::machine::happening;
  x.machine->set_watcher([this, index](happening what, const process_status& status) {
    const char* names[] = {"launched", "exited", "removed"};
    note(index, std::string("workload ") + names[static_cast<int>(what)] + " pod=" + status.pod()
                    + " container=" + status.container() + " life=" + std::to_string(status.life())
                    + " signal=" + std::to_string(status.signal()));
    if (what == happening::launched && watcher_.launched)
      watcher_.launched(index);
  });
}

std::optional<std::uint32_t> cluster::index_of(const node_id& id) const {
  auto i = numbers_.find(id);
  return i == numbers_.end() ? std::nullopt : std::optional{i->second};
}

std::vector<transport::peer> cluster::contacts_of(std::uint32_t index) {
  auto first = first_of(nodes_[index].zone);
  auto count = size_of(nodes_[index].zone);
  std::vector<transport::peer> result;
  auto add = [&](std::uint32_t i) {
    auto& x = nodes_[i].self;
    auto same = [&](auto& y) { return y.id == x.id; };
    if (i != index && std::none_of(result.begin(), result.end(), same))
      result.push_back({x.id, x.endpoint, x.public_key});
  };
  if (!nodes_[index].joined) {
    if (index != first)
      add(first);
    return result;
  }
  auto& random = world_of(index).random;
  for (int i = 0; i < 3; ++i)
    add(first + static_cast<std::uint32_t>(random() % count));
  add(first);
  add(first + (index - first + 1) % count);
  return result;
}

void cluster::start_all(microseconds spread) {
  auto within = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(spread.count()));
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (i == first_of(nodes_[i].zone)) {
      start(i);
      continue;
    }
    auto& home = world_of(i);
    home.system.time().later(milliseconds{10} + microseconds{home.random() % within},
                             [this, i] { start(i); });
  }
}

void cluster::start(std::uint32_t index) {
  auto& x = nodes_[index];
  if (x.actors)
    return;
  in_zone here{x.zone};
  x.self.start = start_number{value(x.self.start) + 1};
  auto& home = world_of(index);
  node_context context;
  context.self = x.self;
  context.offers = x.offers;
  context.seed = home.random();
  context.wall_clock = [this] { return wall_clock(); };
  context.boot_clock = [this, index] { return boot_clock(index); };
  context.records = home.records;
  context.rows = home.rows;
  context.shelf = home.shelf;
  context.broken = options_.broken;
  context.join = contacts_of(index);
  if (x.joined || context.join.empty())
    context.cluster = clusters_[x.zone];
  auto journal = x.disk->open();
  context.journal_id = std::move(journal.id);
  context.replayed = std::move(journal.records);
  context.make_store = std::move(journal.start);
  context.make_transport = home.network.attach(x.self.id);
  context.make_driver = x.machine->attach();
  note(index, "start number=" + std::to_string(value(x.self.start)));
  home.system.run_as(owner_of(index), [&] {
    auto started = start_node(home.system.actors(), std::move(context));
    if (started)
      x.actors = std::move(*started);
    else
      note(index, "start failed: " + started.why().detail);
  });
  x.joined = true;
}

void cluster::crash(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.actors)
    return;
  in_zone here{x.zone};
  note(index, "crash");
  x.paused = false;
  world_of(index).network.crash(x.self.id);
  x.disk->crash();
  x.machine->crash();
  std::vector<caf::strong_actor_ptr> actors;
  for (auto& row : x.actors->context->census->rows())
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(row.who))
      actors.push_back(std::move(strong));
  x.actors.reset();
  world_of(index).system.kill(owner_of(index), actors);
  if (watcher_.down)
    watcher_.down(index);
}

void cluster::stop(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.actors)
    return;
  in_zone here{x.zone};
  resume(index);
  note(index, "stop");
  auto& system = world_of(index).system;
  system.run_as(owner_of(index), [&] { stop_node(system.actors(), *x.actors); });
  system.time().later(milliseconds{50}, [this, index, life = x.self.start] {
    if (nodes_[index].self.start == life)
      crash(index); // the process ends
  });
}

void cluster::pause(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.actors || x.paused)
    return;
  x.paused = true;
  world_of(index).network.pause(x.self.id);
  world_of(index).system.pause(owner_of(index));
}

void cluster::resume(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.paused)
    return;
  x.paused = false;
  world_of(index).system.resume(owner_of(index));
  world_of(index).network.resume(x.self.id);
}

void cluster::run_for(microseconds time) {
  auto end = now() + time;
  if (zones() == 1)
    return worlds_[0]->system.run_until(end);
  do {
    run_worlds(std::min(end, now() + longest_turn));
  } while (now() < end);
}

/// Each is the same whoever runs it, and when: they have nothing in common.
void cluster::run_worlds(microseconds until) {
  std::atomic<std::uint32_t> next = 0;
  auto work = [&] {
    actor_log_.listen();
    for (auto zone = next++; zone < zones(); zone = next++) {
      in_zone here{zone};
      worlds_[zone]->system.run_until(until);
    }
  };
  auto watched =
      watcher_.sent || watcher_.delivered || watcher_.durable || watcher_.down || watcher_.launched;
  auto threads = watched ? 1 : std::min(zones(), std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::jthread> others;
  for (std::uint32_t i = 1; i < threads; ++i)
    others.emplace_back(work);
  work();
  others.clear(); // joins them
  gather_logs();
}

/// What they logged comes out in the order of time, not of zones.
void cluster::gather_logs() {
  if (zones() == 1)
    return;
  std::vector<event_log*> logs;
  for (auto& x : worlds_) {
    logs.push_back(&x->log);
    std::move(x->errors.begin(), x->errors.end(), std::back_inserter(errors_));
    x->errors.clear();
  }
  log_.take_in(logs);
}

bool cluster::run_until(const std::function<bool()>& what, microseconds most, microseconds step) {
  auto end = now() + most;
  while (!what()) {
    if (now() >= end)
      return false;
    run_for(step);
  }
  return true;
}

template <class Reply, class Handle, class Message>
std::optional<result<Reply>> cluster::ask_actor(std::uint32_t zone, const Handle& who, Message what,
                                                microseconds patience) {
  auto answer = std::make_shared<std::optional<result<Reply>>>();
  auto& system = worlds_[zone]->system;
  system.run_as(virtual_system::nobody, [&] {
    system.actors().spawn([=](caf::event_based_actor* self) {
      self->request(who, patience, what)
          .then([=](Reply& x) { *answer = std::move(x); },
                [=](const caf::error& why) { *answer = fault_of(why); });
    });
  });
  run_until([&] { return answer->has_value(); }, patience + milliseconds{10}, milliseconds{5});
  return *answer;
}

result<api_reply> cluster::ask(std::uint32_t index, api_request what, microseconds patience) {
  if (!nodes_[index].actors)
    return fault{errc::unreachable, nodes_[index].self.name + " does not run"};
  auto answer = ask_actor<api_reply>(nodes_[index].zone, nodes_[index].actors->gateway,
                                     std::move(what), patience);
  if (!answer)
    return fault{errc::deadline, "no answer of " + nodes_[index].self.name};
  return std::move(*answer);
}

std::optional<members_known> cluster::members(std::uint32_t index) {
  if (!nodes_[index].actors)
    return std::nullopt;
  auto answer = ask_actor<members_known>(nodes_[index].zone, nodes_[index].actors->membership,
                                         list_members{}, seconds{1});
  if (!answer || !*answer)
    return std::nullopt;
  return std::move(**answer);
}

std::optional<node_view> cluster::view(std::uint32_t index) {
  if (!nodes_[index].actors)
    return std::nullopt;
  auto answer = ask_actor<node_view>(nodes_[index].zone, nodes_[index].actors->node, node_request{},
                                     seconds{1});
  if (!answer || !*answer)
    return std::nullopt;
  return std::move(**answer);
}

} // namespace legion::simulator
