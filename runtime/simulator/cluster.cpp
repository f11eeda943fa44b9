#include "runtime/simulator/cluster.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <sodium.h>
#include <spdlog/spdlog.h>

#include "actors/census/census.hpp"
#include "actors/charter/roster.hpp"
#include "actors/membership/record_pool.hpp"
#include "actors/node/recovery.hpp"
#include "messages/check.hpp"

namespace legion::simulator {

namespace {

using std::chrono::microseconds;

/// 2025-01-01T00:00:00Z: when every simulation begins.
constexpr wall_ms first_wall_ms = 1735689600000;

constexpr auto drain_time = std::chrono::minutes{5};

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

cluster::cluster(cluster_options options)
    : options_(options), first_(options.zone * options.zone_size),
      random_(seed_of(options.seed, options.zone)), system_(random_()),
      network_(random_(), system_.time().as_run_later()),
      records_(std::make_shared<membership::record_pool>()),
      rows_(std::make_shared<charter::row_pool>()), shelf_(std::make_shared<record_shelf>()),
      cluster_id_(bytes_of(options.seed, "cluster", options.zone, 16)),
      actor_log_(options.log_debug    ? spdlog::level::debug
                 : options.log_actors ? spdlog::level::info
                                      : spdlog::level::warn,
                 [this](int level, std::string_view text) { on_actor_log(level, text); }) {
  LEGION_CHECK(options_.zone_size > 0 && first_ < options_.nodes);
  watch_network();
  for (std::uint32_t i = 0; i < std::min(options_.nodes - first_, options_.zone_size); ++i)
    make_node(i);
}

void cluster::watch_network() {
  network_.set_tamper([this](const node_id& from, const node_id& to, std::string& frame) {
    if (!watcher_.sent)
      return true;
    auto a = index_of(from), b = index_of(to);
    return !a || !b || watcher_.sent(*a, *b, frame);
  });
  network_.set_tap([this](const node_id& from, const node_id& to, const std::string& frame) {
    log_.digest(now(), frame);
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
}

void cluster::on_actor_log(int level, std::string_view text) {
  auto who = system_.running();
  auto name = who == virtual_system::nobody ? std::string{} : nodes_[who - 1].self.name;
  constexpr const char* names[] = {"trace ", "debug ", "info ", "warn ", "error ", "critical ", ""};
  auto line = names[level] + std::string(text);
  log_.add(now(), name, line);
  if (level >= spdlog::level::err)
    errors_.push_back(time_text(now()) + " " + name + " " + line);
}

void cluster::note(std::uint32_t index, const std::string& event) {
  log_.add(now(), nodes_[index].self.name, event);
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

void cluster::make_node(std::uint32_t index) {
  auto& x = nodes_.emplace_back();
  auto number = number_of(index) + 1;
  x.self.public_key = bytes_of(options_.seed, "key", number, 32);
  x.self.id = id_of(x.self.public_key);
  numbers_[x.self.id] = index;
  x.self.name = "node-" + std::to_string(number);
  x.self.zone = zones_of(options_) > 1 ? "zone-" + std::to_string(options_.zone + 1) : "local";
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
  x.disk = std::make_unique<store::memory::disk>(random_(), system_.time().as_run_later(), shelf_);
  x.machine = std::make_unique<drivers::fake::machine>(
      random_(), drivers::fake::surroundings{
                     system_.time().as_run_later(), [this] { return now(); },
                     [this] { return wall_clock(); }, [this, index] { return boot_clock(index); }});
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

/// As its journal says; without one, some that --join would name.
std::vector<transport::peer> cluster::contacts_of(std::uint32_t index,
                                                  const std::vector<record>& journal) {
  std::vector<transport::peer> result;
  for (auto& x : node::contacts_in(journal, nodes_[index].self.id))
    result.push_back({node_id::from_bytes(x.id()), x.endpoint(), x.public_key()});
  if (!result.empty())
    return result;
  auto first_start = value(nodes_[index].most_starts) <= 1;
  for (std::uint32_t i : {std::uint32_t{0}, (index + 1) % size()}) {
    auto& x = nodes_[i].self;
    if (i != index && (i == 0 || !first_start))
      result.push_back({x.id, x.endpoint, x.public_key});
  }
  return result;
}

void cluster::start_all(microseconds spread) {
  auto within = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(spread.count()));
  start(0);
  for (std::uint32_t i = 1; i < size(); ++i)
    system_.time().later(milliseconds{10} + microseconds{random_() % within},
                         [this, i] { start(i); });
}

void cluster::start(std::uint32_t index) {
  auto& x = nodes_[index];
  if (x.actors)
    return;
  x.self.start = start_number{value(x.self.start) + 1};
  x.most_starts = std::max(x.most_starts, x.self.start);
  ++x.self.life;
  node_context context;
  context.self = x.self;
  context.offers = x.offers;
  context.seed = random_();
  context.wall_clock = [this] { return wall_clock(); };
  context.boot_clock = [this, index] { return boot_clock(index); };
  context.records = records_;
  context.rows = rows_;
  context.shelf = shelf_;
  context.broken = options_.broken;
  auto journal = x.disk->open();
  context.join = contacts_of(index, journal.records);
  if (context.join.empty() || value(x.most_starts) > 1)
    context.cluster = cluster_id_;
  context.journal_id = std::move(journal.id);
  context.rows_found = journal.rows->load();
  context.rows_written = journal.rows;
  context.replayed = std::move(journal.records);
  context.make_store = std::move(journal.start);
  context.make_transport = network_.attach(x.self.id);
  context.make_driver = x.machine->attach();
  context.begin_new_journal = [this, index, life = x.self.life](const std::string& why) {
    note(index, "journal_outdated why=\"" + why + "\"");
    system_.time().later(milliseconds{1}, [=, this] { begin_new_journal(index, life); });
  };
  note(index, "start number=" + std::to_string(value(x.self.start)));
  system_.run_as(owner_of(index), [&] {
    auto started = start_node(system_.actors(), std::move(context));
    if (started)
      x.actors = std::move(*started);
    else
      note(index, "start failed: " + started.why().detail);
  });
}

/// As legion-node does when its journal proves to be an old one: it begins again with another, and
/// with what it carries over.
void cluster::begin_new_journal(std::uint32_t index, std::uint32_t life) {
  auto& x = nodes_[index];
  if (!x.actors || x.self.life != life)
    return;
  crash(index);
  damage_record what;
  what.set_detail("an old copy");
  what.set_time_ms(wall_clock());
  auto carried = node::carried_over(x.disk->open().records, what);
  x.disk->wipe();
  auto fresh = x.disk->copied();
  for (auto& record : carried)
    fresh.records.put(record.key(), record.value());
  x.disk->put_back(fresh);
  x.self.start = x.most_starts; // legion-node counts on from its clock
  start(index);
}

void cluster::crash(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.actors)
    return;
  note(index, "crash");
  x.paused = false;
  network_.crash(x.self.id);
  x.disk->crash();
  x.machine->crash();
  std::vector<caf::strong_actor_ptr> actors;
  for (auto& row : x.actors->context->census->rows())
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(row.who))
      actors.push_back(std::move(strong));
  x.actors.reset();
  system_.kill(owner_of(index), actors);
  if (watcher_.down)
    watcher_.down(index);
}

void cluster::stop(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.actors)
    return;
  resume(index);
  note(index, "stop");
  system_.run_as(owner_of(index), [&] { stop_node(system_.actors(), *x.actors); });
  system_.time().later(milliseconds{50}, [this, index, life = x.self.life] {
    if (nodes_[index].self.life == life)
      crash(index); // the process ends
  });
}

void cluster::drain(std::uint32_t index, std::function<void(const std::string& note)> done) {
  auto& x = nodes_[index];
  if (!x.actors)
    return;
  note(index, "drain");
  auto ends = [this, index, life = x.self.life, done = std::move(done)](const drained& y) {
    if (done)
      done(y.note);
    system_.time().later(milliseconds{1}, [this, index, life] {
      if (nodes_[index].self.life == life)
        stop(index);
    });
  };
  system_.run_as(virtual_system::nobody, [&] {
    system_.actors().spawn([node = x.actors->node, ends](caf::event_based_actor* self) {
      self->request(node, drain_time, legion::drain{}).then(ends, [](const caf::error&) {});
    });
  });
}

void cluster::pause(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.actors || x.paused)
    return;
  x.paused = true;
  network_.pause(x.self.id);
  system_.pause(owner_of(index));
}

void cluster::resume(std::uint32_t index) {
  auto& x = nodes_[index];
  if (!x.paused)
    return;
  x.paused = false;
  system_.resume(owner_of(index));
  network_.resume(x.self.id);
}

void cluster::run_for(microseconds time) {
  system_.run_until(now() + time);
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
std::optional<result<Reply>> cluster::ask_actor(const Handle& who, Message what,
                                                microseconds patience) {
  auto answer = std::make_shared<std::optional<result<Reply>>>();
  system_.run_as(virtual_system::nobody, [&] {
    system_.actors().spawn([=](caf::event_based_actor* self) {
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
  auto answer = ask_actor<api_reply>(nodes_[index].actors->gateway, std::move(what), patience);
  if (!answer)
    return fault{errc::deadline, "no answer of " + nodes_[index].self.name};
  return std::move(*answer);
}

std::optional<members_known> cluster::members(std::uint32_t index) {
  if (!nodes_[index].actors)
    return std::nullopt;
  auto answer =
      ask_actor<members_known>(nodes_[index].actors->membership, list_members{}, seconds{1});
  if (!answer || !*answer)
    return std::nullopt;
  return std::move(**answer);
}

std::optional<node_view> cluster::view(std::uint32_t index) {
  if (!nodes_[index].actors)
    return std::nullopt;
  auto answer = ask_actor<node_view>(nodes_[index].actors->node, node_request{}, seconds{1});
  if (!answer || !*answer)
    return std::nullopt;
  return std::move(**answer);
}

} // namespace legion::simulator
