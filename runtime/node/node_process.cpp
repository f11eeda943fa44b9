#include "runtime/node/node_process.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>

#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <google/protobuf/stubs/logging.h>
#include <sodium.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "actors/message_types.hpp"
#include "actors/node/cluster_node.hpp"
#include "runtime/api/socket_server.hpp"
#include "runtime/drivers/boot_clock.hpp"
#include "runtime/drivers/process/process_driver.hpp"
#include "runtime/node/data_folder.hpp"
#include "runtime/node/journal_start.hpp"
#include "runtime/node/machine.hpp"
#include "runtime/node/scheduler.hpp"
#include "runtime/node/signals.hpp"
#include "runtime/node/spare_memory.hpp"
#include "runtime/node/texts.hpp"
#include "runtime/store/sqlite/salvage.hpp"
#include "runtime/transport/zeromq/identify.hpp"
#include "runtime/transport/zeromq/zeromq.hpp"

namespace legion::node_process {

namespace {

int refuse(const std::string& why) {
  std::fprintf(stderr, "legion-node: %s\n", why.c_str());
  return 1;
}

/// With the cure, where the disk is full.
int refuse(const fault& why, const configuration& settings) {
  return refuse(why.detail
                + (why.code != errc::disk_full
                       ? ""
                       : "; free space on the disk of " + settings.data
                             + ", or choose another folder with --data DIR"));
}

void start_logging(const configuration& settings) {
  auto logger = std::make_shared<spdlog::logger>(settings.name,
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n %v", spdlog::pattern_time_type::utc);
  logger->set_level(
      spdlog::level::from_str(settings.log_level == "warn" ? "warning" : settings.log_level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
}

/// This node offers what its owner said of what the machine has.
offering offer_of(const configuration& settings) {
  auto found = measure_machine();
  offering result;
  result.total.set_cpu_millis(settings.cpu_millis.of(found.cpu_millis));
  result.total.set_memory_bytes(settings.memory_bytes.of(found.memory_bytes));
  result.total.set_ports(settings.last_port - settings.first_port + 1);
  result.total.set_pods(settings.pods);
  result.first_port = settings.first_port;
  result.last_port = settings.last_port;
  result.labels = settings.labels;
  result.taints = settings.taints;
  auto add = [&](const char* key, const std::string& value) {
    auto known = std::any_of(result.labels.begin(), result.labels.end(),
                             [&](const label& x) { return x.key() == key; });
    if (known)
      return;
    label made;
    made.set_key(key);
    made.set_value(value);
    result.labels.push_back(std::move(made));
  };
  add("kubernetes.io/hostname", settings.name);
  add("kubernetes.io/os", "linux");
  add("kubernetes.io/arch", found.architecture);
  std::sort(result.labels.begin(), result.labels.end(),
            [](const label& a, const label& b) { return a.key() < b.key(); });
  return result;
}

result<std::vector<transport::peer>> contacts_of(const configuration& settings) {
  std::vector<transport::peer> result;
  for (const auto& text : settings.join) {
    auto parsed = join_string_of(text);
    if (!parsed)
      return fault{errc::invalid,
                   "--join: found \"" + text + "\", allowed: " + parsed.why().detail};
    result.push_back({identify(parsed->public_key), parsed->endpoint, parsed->public_key});
  }
  return result;
}

std::int64_t now_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

/// In two bytes of each frame.
constexpr std::uint32_t most_lives = 16'383;

result<node_context> context_of(const configuration& settings, const key_pair& keys,
                                store::opened& journal) {
  node_context result;
  result.self.id = identify(keys.public_key);
  auto founds = settings.join.empty();
  result.rows_found = journal.rows->load();
  result.rows_written = journal.rows;
  auto begun = begin_start(journal, result.self.id,
                           {.founds = founds,
                            .now = now_ms(),
                            .accepts_loss = settings.accept_loss,
                            .key_is_new = keys.made});
  if (!begun)
    return begun.why();
  auto contacts = contacts_of(settings);
  if (!contacts)
    return contacts.why();
  // One list for all nodes of a zone names each of them, too.
  std::erase_if(*contacts, [&](const auto& x) { return x.id == result.self.id; });
  if (!founds && contacts->empty() && begun->contacts.empty())
    return fault{errc::invalid, "--join: that is this node's own join string: name another node"};
  result.self.start = begun->start;
  result.self.life = 1 + randombytes_uniform(most_lives);
  result.self.name = settings.name;
  result.self.zone = settings.zone;
  result.self.endpoint = settings.listen;
  result.self.public_key = keys.public_key;
  result.first_started_ms = begun->first_ms;
  result.accepts_loss = settings.accept_loss;
  result.offers = offer_of(settings);
  if (begun->journal_is_new && !keys.made) {
    result.offers.notes.push_back(lost_journal(founds));
    spdlog::warn("node journal_is_new {}", result.offers.notes.back());
  }
  randombytes_buf(&result.seed, sizeof(result.seed));
  result.wall_clock = now_ms;
  result.boot_clock = drivers::boot_ms;
  result.pid = ::getpid();
  result.join = *contacts;
  result.join.insert(result.join.end(), begun->contacts.begin(), begun->contacts.end());
  result.cluster = begun->cluster;
  result.journal_id = journal.id;
  result.replayed = journal.records;
  result.make_transport =
      transport::zeromq::make({settings.listen, keys.public_key, keys.secret_key});
  result.make_store = journal.start;
  result.make_driver = drivers::process_driver({settings.data});
  api::settings api_settings;
  api_settings.socket_path = settings.data + "/api.sock";
  api_settings.tcp_endpoint = settings.api;
  api_settings.node_name = settings.name;
  result.make_api = api::make(std::move(api_settings));
  return result;
}

void greet(const configuration& settings, const node_context& context) {
  std::printf("legion-node %s: node %s, id %s, zone %s, start %llu\n", LEGION_VERSION,
              settings.name.c_str(), context.self.id.short_text().c_str(), settings.zone.c_str(),
              static_cast<unsigned long long>(value(context.self.start)));
  std::printf("nodes reach it at %s, legionctl at %s; its data is in %s\n", settings.listen.c_str(),
              settings.api.c_str(), settings.data.c_str());
  std::printf("offers %.1f cores, %lld MiB, %d replicas, ports %d-%d\n",
              static_cast<double>(context.offers.total.cpu_millis()) / 1000,
              static_cast<long long>(context.offers.total.memory_bytes() >> 20),
              context.offers.total.pods(), settings.first_port, settings.last_port);
  // Should it not be let in itself, nobody joins through it.
  std::printf("%sanother node joins with: legion-node --join %s\n",
              context.cluster.empty() ? "it asks to be let in; once it is, " : "",
              text_of({settings.listen, context.self.public_key}).c_str());
  for (const auto& x : context.offers.notes)
    std::printf("note: %s\n", x.c_str());
  std::fflush(stdout);
}

/// What starting, joining and settling needed, and a node at rest does not, goes back meanwhile; so
/// does what a burst of work needed.
int wait_for_signal(signals& asked) {
  spare_memory spare;
  for (auto pause : {std::chrono::seconds{10}, std::chrono::seconds{60}}) {
    if (auto number = asked.wait(pause); number != 0)
      return number;
    spare.give_back();
  }
  for (;;) {
    if (auto number = asked.wait(spare_memory::pause); number != 0)
      return number;
    spare.look();
  }
}

/// For the `--drain` that waits for this process to end; without it, for the log alone.
void leave_note(const configuration& settings, const std::string& note) {
  spdlog::warn("node drained note=\"{}\"", note);
  std::ofstream{settings.data + "/" + drain_note} << note << '\n';
}

/// Until a signal says stop; a drain first if it says so: true, once it is done.
bool serve(const configuration& settings, caf::actor_system& system, const cluster_node& node,
           signals& asked) {
  if (wait_for_signal(asked) != SIGUSR1)
    return false;
  auto done = false;
  spdlog::info("node draining");
  caf::scoped_actor self{system};
  self->request(node.node, caf::infinite, drain{})
      .receive(
          [&](const drained& x) {
            spdlog::info("node drained");
            done = true;
            if (!x.note.empty())
              leave_note(settings, x.note);
            std::error_code ignored;
            std::filesystem::remove(settings.data + "/" + drain_mark, ignored);
          },
          [](const caf::error& why) {
            spdlog::error("node drain failed: {}", fault_of(why).detail);
          });
  return done;
}

/// Who is told that the journal is an old one, by any actor's thread.
class outdated_journal {
public:
  void found(const std::string& why) {
    {
      std::lock_guard guard{mutex_};
      if (!why_.empty())
        return;
      why_ = why;
    }
    spdlog::error("node journal_outdated why=\"{}\": it is set aside, and legion-node begins again "
                  "with another; its workloads go on",
                  why);
    ::kill(::getpid(), SIGTERM); // as any stop, from here on
  }
  std::string why() {
    std::lock_guard guard{mutex_};
    return why_;
  }

private:
  std::mutex mutex_;
  std::string why_;
};

/// The next start sets the journal aside.
int begin_again(const configuration& settings, const std::string& why) {
  if (auto marked = store::sqlite::mark_outdated(settings.data, why); !marked)
    return refuse(marked.why(), settings);
  return run_again;
}

} // namespace

int run_node(const configuration& settings) {
  ::prctl(PR_SET_NAME, "legion-node"); // begun again, it would be called "exe"
  signals asked;
  // Two arenas and early trimming: a node is small, and glibc's arenas per thread are not.
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 64 * 1024);
  start_logging(settings);
  google::protobuf::SetLogHandler(nullptr); // a stranger's bytes are not to fill the log
  if (sodium_init() < 0)
    return refuse("no random numbers to be had from this machine");
  auto folder = data_folder::open(settings.data);
  if (!folder)
    return refuse(folder.why(), settings);
  auto keys = open_key(settings.data);
  if (!keys)
    return refuse(keys.why(), settings);
  auto journal = open_journal(settings.data, now_ms());
  if (!journal)
    return refuse(journal.why(), settings);
  auto context = context_of(settings, *keys, *journal);
  if (!context)
    return refuse(context.why(), settings);
  journal->records.clear();

  caf::actor_system_config config;
  config.load<scheduler>();
  config.set("scheduler.max-threads", std::size_t{2});
  config.set("scheduler.max-throughput", std::size_t{64});
  config.add_message_types<caf::id_block::legion>();
  caf::actor_system system{config};
  outdated_journal outdated;
  context->begin_new_journal = [&outdated](const std::string& why) { outdated.found(why); };
  auto printed = *context;
  auto node = start_node(system, std::move(*context));
  if (!node)
    return refuse(node.why(), settings);
  greet(settings, printed);
  std::atomic<bool> failed = false;
  watch_node(system, *node, [&failed](const std::string& what) {
    spdlog::critical("node failed actor=\"{}\": legion-node ends; its workloads go on, start it "
                     "again and it adopts them",
                     what);
    failed = true;
    ::kill(::getpid(), SIGTERM); // as any stop, from here on
  });
  auto drained = serve(settings, system, *node, asked);
  spdlog::info("node stopping");
  stop_node(system, *node);
  system.await_all_actors_done();
  if (auto why = outdated.why(); !why.empty() && !failed) {
    auto code = begin_again(settings, why);
    return drained && code == run_again ? 0 : code; // only the next start sets the journal aside
  }
  return failed ? 1 : 0;
}

} // namespace legion::node_process
