#include "runtime/drivers/process/process_driver.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/drivers/process/output_files.hpp"
#include "runtime/drivers/process/port_probe.hpp"
#include "runtime/drivers/process/probe_try.hpp"
#include "runtime/drivers/process/supervisor_link.hpp"

namespace legion::drivers {
namespace {

using clock = std::chrono::steady_clock;

constexpr int max_under_way = 4096;
constexpr std::chrono::seconds answer_time{30};
constexpr std::chrono::milliseconds first_pause{200};
constexpr std::chrono::milliseconds longest_pause{5000};

enum class call { launch, stop, renew, remove, list, shut_down, probe, read };

features features_of(const process_list& x) {
  features result;
  result.name = "process";
  result.user = geteuid();
  result.group = getegid();
  for (auto& word : x.capabilities()) {
    if (word == "root")
      result.root = true;
    else if (word == "namespaces")
      result.namespaces = true;
    else
      result.limits.push_back(word);
  }
  if (!result.root)
    result.note = "not root: no users, no namespaces of their own for workloads; ";
  else if (!result.namespaces)
    result.note = "this machine allows no pid and mount namespaces; ";
  if (result.limits.size() < 3)
    result.note += x.limits();
  else if (!result.note.empty())
    result.note.resize(result.note.size() - 2);
  return result;
}

class process_driver_on_thread final : public driver {
public:
  process_driver_on_thread(process_settings settings, sink& to, int socket, greeting first)
      : settings_(std::move(settings)), to_(to), features_(features_of(first.known)),
        link_(context_), answers_due_(context_), retry_(context_) {
    use(socket, std::move(first));
    thread_ = std::thread{[this] { context_.run(); }};
  }

  ~process_driver_on_thread() override {
    context_.stop();
    thread_.join();
  }

  features what_it_can() const override { return features_; }

  void launch(std::uint64_t correlation, const legion::launch& what) override {
    supervisor_request request;
    *request.mutable_launch() = what;
    submit(call::launch, correlation, std::move(request));
  }

  void stop(std::uint64_t correlation, const legion::stop& what) override {
    supervisor_request request;
    *request.mutable_stop() = what;
    submit(call::stop, correlation, std::move(request));
  }

  void renew(std::uint64_t correlation, const renew_lease& what) override {
    supervisor_request request;
    *request.mutable_renew() = what;
    submit(call::renew, correlation, std::move(request));
  }

  void remove(std::uint64_t correlation, const std::string& workload) override {
    supervisor_request request;
    request.mutable_remove()->set_workload(workload);
    submit(call::remove, correlation, std::move(request));
  }

  void list(std::uint64_t correlation) override {
    supervisor_request request;
    request.mutable_list();
    submit(call::list, correlation, std::move(request));
  }

  void shut_down(std::uint64_t correlation, std::int64_t grace_ms) override {
    supervisor_request request;
    request.mutable_shut_down()->set_grace_ms(grace_ms);
    submit(call::shut_down, correlation, std::move(request));
  }

  void probe(std::uint64_t correlation, const probe_target& where) override {
    if (!admit(call::probe, correlation))
      return;
    asio::post(context_, [this, correlation, where] {
      try_probe(context_, where, [this, correlation](probe_outcome what) {
        --under_way_;
        to_.probed(correlation, std::move(what));
      });
    });
  }

  void read(std::uint64_t correlation, const std::string& workload, const std::string& container,
            std::int64_t life, std::int64_t offset) override {
    if (!admit(call::read, correlation))
      return;
    asio::post(context_, [this, correlation, workload, container, life, offset] {
      // Asked before the file is read: what a life wrote is all there once it is known to have
      // ended.
      auto alive = living_;
      auto found = read_output_file(settings_.data_folder, workload, container, life, offset);
      --under_way_;
      if (!found)
        return to_.read(correlation, found.why());
      auto i = alive.find({workload, found->container});
      found->piece.end &= i == alive.end() || i->second.life() != found->life;
      to_.read(correlation, std::move(found->piece));
    });
  }

  bool port_is_free(int port) const override { return drivers::port_is_free(port); }

private:
  using stream = asio::local::stream_protocol;

  struct waiting {
    call what = call::list;
    std::uint64_t correlation = 0;
    clock::time_point until;
  };

  bool admit(call what, std::uint64_t correlation) {
    if (under_way_.fetch_add(1) < max_under_way)
      return true;
    --under_way_;
    complete(what, correlation,
             fault{errc::overloaded, std::to_string(max_under_way) + " calls are under way"});
    return false;
  }

  void submit(call what, std::uint64_t correlation, supervisor_request request) {
    if (!admit(what, correlation))
      return;
    asio::post(context_, [this, what, correlation, request = std::move(request)]() mutable {
      if (!connected_) {
        --under_way_;
        return complete(what, correlation,
                        fault{errc::unreachable, ended_ ? "the supervisor has been shut down"
                                                        : "the supervisor is being replaced"});
      }
      auto id = next_request_++;
      request.set_request(id);
      auto until = clock::now() + answer_time;
      if (what == call::shut_down) {
        ending_ = true;
        until += std::chrono::milliseconds{request.shut_down().grace_ms()};
      }
      waiting_[id] = {what, correlation, until};
      watch_deadlines();
      write(framed(request));
    });
  }

  /// Tells the sink that a call failed.
  void complete(call what, std::uint64_t correlation, fault why) {
    switch (what) {
      case call::launch:
        return to_.launched(correlation, std::move(why));
      case call::stop:
      case call::shut_down:
        return to_.stopped(correlation, std::move(why));
      case call::renew:
        return to_.renewed(correlation, std::move(why));
      case call::remove:
        return to_.removed(correlation, std::move(why));
      case call::list:
        return to_.listed(correlation, std::move(why));
      case call::probe:
        return to_.probed(correlation, {false, std::move(why.detail)});
      case call::read:
        return to_.read(correlation, std::move(why));
    }
  }

  // From here on: the driver's own thread.

  void use(int socket, greeting first) {
    link_ = stream::socket{context_, stream{}, socket};
    in_ = std::move(first.rest);
    supervisor_pid_ = first.known.supervisor_pid();
    connected_ = true;
    out_.clear();
    writing_ = false;
    auto before = std::exchange(living_, {});
    for (auto& x : first.known.processes()) {
      note(x);
      // It ended while there was no connection.
      if (x.state() == "exited" && before.contains({x.workload(), x.container()}))
        to_.exited(x);
    }
    hear();
  }

  void note(const process_status& x) {
    auto key = std::pair{x.workload(), x.container()};
    if (x.state() == "exited")
      living_.erase(key);
    else
      living_[key] = x;
  }

  void hear() {
    while (auto frame = in_.next())
      take(*frame);
    if (in_.broken())
      return lose("it sent what is not a frame");
    auto generation = generation_;
    link_.async_read_some(asio::buffer(piece_),
                          [this, generation](const std::error_code& error, std::size_t size) {
                            if (generation != generation_)
                              return;
                            if (error)
                              return lose(error.message());
                            in_.feed({piece_.data(), size});
                            hear();
                          });
  }

  void write(std::string frame) {
    out_ += frame;
    if (writing_)
      return;
    writing_ = true;
    sending_ = std::exchange(out_, {});
    auto generation = generation_;
    asio::async_write(link_, asio::buffer(sending_),
                      [this, generation](const std::error_code& error, std::size_t) {
                        if (generation != generation_)
                          return;
                        writing_ = false;
                        if (error)
                          lose(error.message());
                        else if (!out_.empty())
                          write({});
                      });
  }

  void take(const std::string& frame) {
    supervisor_reply reply;
    if (!reply.ParseFromString(frame))
      return;
    if (reply.request() == 0) {
      note(reply.process());
      return to_.exited(reply.process());
    }
    auto node = waiting_.extract(reply.request());
    if (!node)
      return; // its deadline has passed
    auto [what, correlation, until] = node.mapped();
    --under_way_;
    if (what == call::shut_down)
      ended_ = true;
    if (!reply.error().empty()) {
      auto code = reply.code() ? static_cast<errc>(reply.code()) : errc::refused;
      return complete(what, correlation, {code, reply.error()});
    }
    switch (what) {
      case call::launch:
        note(reply.process());
        return to_.launched(correlation, std::move(*reply.mutable_process()));
      case call::list:
        return to_.listed(correlation, std::move(*reply.mutable_processes()));
      case call::renew:
        return to_.renewed(correlation, {});
      case call::remove:
        return to_.removed(correlation, {});
      default:
        return to_.stopped(correlation, {});
    }
  }

  void watch_deadlines() {
    if (watching_ && answers_due_.expiry() <= clock::now() + answer_time)
      return; // a later call is due no earlier
    auto first = std::min_element(waiting_.begin(), waiting_.end(),
                                  [](auto& a, auto& b) { return a.second.until < b.second.until; });
    if (first == waiting_.end())
      return;
    watching_ = true;
    answers_due_.expires_at(first->second.until);
    answers_due_.async_wait([this](const std::error_code& error) {
      if (error)
        return;
      watching_ = false;
      std::vector<waiting> late;
      std::erase_if(waiting_, [&](auto& x) {
        if (x.second.until > clock::now())
          return false;
        late.push_back(x.second);
        return true;
      });
      under_way_ -= static_cast<int>(late.size());
      for (auto& x : late)
        complete(x.what, x.correlation, {errc::deadline, "the supervisor does not answer"});
      watch_deadlines();
    });
  }

  void lose(const std::string& why) {
    ++generation_;
    connected_ = false;
    std::error_code ignored;
    link_.close(ignored);
    auto open = std::exchange(waiting_, {});
    under_way_ -= static_cast<int>(open.size());
    for (auto& [id, x] : open)
      complete(x.what, x.correlation, {errc::unreachable, "the supervisor was lost: " + why});
    if (ended_ || ending_) {
      ended_ = true;
      return;
    }
    pause_ = first_pause;
    told_ = false;
    replace(why);
  }

  /// The same supervisor may only have cut us off; another or none means that the old one is dead,
  /// and all that ran under it.
  void replace(const std::string& why) {
    auto old = supervisor_pid_;
    if (auto socket = connect_supervisor(settings_.data_folder)) {
      auto first = greet_supervisor(*socket);
      if (first && first->known.supervisor_pid() == old && !told_)
        return use(*socket, std::move(*first));
      close(*socket);
    }
    auto started = start_supervisor(settings_);
    std::optional<int> socket;
    if (started)
      socket = connect_supervisor(settings_.data_folder);
    if (socket) {
      if (auto first = greet_supervisor(*socket)) {
        living_.clear();
        use(*socket, std::move(*first));
      } else {
        close(*socket);
      }
    }
    auto failed = connected_
                      ? std::string{}
                      : "; " + (started ? "its successor does not answer" : started.why().detail);
    if (!std::exchange(told_, true))
      to_.supervisor_lost("the supervisor (pid " + std::to_string(old) + ") was lost: " + why
                          + failed);
    if (connected_)
      return;
    retry_.expires_after(pause_);
    pause_ = std::min(pause_ * 2, longest_pause);
    retry_.async_wait([this, why](const std::error_code& error) {
      if (!error)
        replace(why);
    });
  }

  process_settings settings_;
  sink& to_;
  features features_;
  std::atomic<int> under_way_{0};

  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> stays_{context_.get_executor()};
  stream::socket link_;
  asio::steady_timer answers_due_;
  asio::steady_timer retry_;
  frame_reader in_;
  std::array<char, 16 * 1024> piece_{};
  std::string out_;
  std::string sending_;
  bool writing_ = false;
  bool watching_ = false;
  bool connected_ = false;
  bool ending_ = false; // a shut-down was asked for
  bool ended_ = false;
  bool told_ = false;
  std::chrono::milliseconds pause_ = first_pause;
  std::uint64_t generation_ = 0; // of the connection
  std::uint64_t next_request_ = 1;
  std::int64_t supervisor_pid_ = 0;
  std::map<std::uint64_t, waiting> waiting_;
  std::map<std::pair<std::string, std::string>, process_status> living_;
  std::thread thread_;
};

} // namespace

factory process_driver(process_settings settings) {
  return [settings](sink& to) -> result<std::unique_ptr<driver>> {
    auto socket = connect_supervisor(settings.data_folder);
    if (!socket) {
      if (auto started = start_supervisor(settings); !started)
        return started.why();
      socket = connect_supervisor(settings.data_folder);
    }
    if (!socket)
      return fault{errc::unreachable, settings.data_folder + "/supervisor.sock cannot be reached"};
    auto first = greet_supervisor(*socket);
    if (!first) {
      close(*socket);
      return first.why();
    }
    return std::unique_ptr<driver>{
        new process_driver_on_thread{settings, to, *socket, std::move(*first)}};
  };
}

} // namespace legion::drivers
