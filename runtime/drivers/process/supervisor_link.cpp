#include "runtime/drivers/process/supervisor_link.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace legion::drivers {
namespace {

using clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{10};

int left_ms(clock::time_point until) {
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

/// What a file says until it ends, ends its line, or time is up.
std::string first_line(int file, clock::time_point until) {
  std::string result;
  char piece[512];
  while (result.find('\n') == result.npos) {
    pollfd ready{file, POLLIN, 0};
    auto n = poll(&ready, 1, left_ms(until));
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    auto size = read(file, piece, sizeof(piece));
    if (size <= 0)
      break;
    result.append(piece, static_cast<std::size_t>(size));
  }
  return result.substr(0, result.find('\n'));
}

} // namespace

std::optional<int> connect_supervisor(const std::string& data_folder) {
  // Through the folder's descriptor: a socket's path may have 107 bytes, a data folder's any.
  auto folder = open(data_folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0)
    return std::nullopt;
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  auto path = "/proc/self/fd/" + std::to_string(folder) + "/supervisor.sock";
  std::strcpy(address.sun_path, path.c_str());
  auto link = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  auto done = connect(link, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  close(folder);
  if (done)
    return link;
  close(link);
  return std::nullopt;
}

result<void> start_supervisor(const process_settings& settings) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fault{errc::unreachable, std::string{"pipe: "} + std::strerror(errno)};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, ends[1], 1);
  posix_spawnattr_t how;
  posix_spawnattr_init(&how);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSID);
  std::vector<std::string> words{"legion-node", "supervise", "--data", settings.data_folder,
                                 "--detach"};
  std::vector<char*> arguments;
  for (auto& x : words)
    arguments.push_back(x.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  auto error =
      posix_spawn(&child, settings.executable.c_str(), &files, &how, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&how);
  close(ends[1]);
  std::string said;
  if (!error) {
    said = first_line(ends[0], clock::now() + patience);
    waitpid(child, nullptr, 0); // it has gone on in a child of its own
  }
  close(ends[0]);
  if (said == "ready")
    return {};
  if (auto other = connect_supervisor(settings.data_folder)) {
    close(*other);
    return {};
  }
  return fault{errc::unreachable, "the supervisor could not be started: "
                                      + (error ? settings.executable + ": " + std::strerror(error)
                                         : said.empty() ? std::string{"it said nothing"}
                                                        : said)};
}

result<greeting> greet_supervisor(int socket) {
  supervisor_request request;
  request.mutable_list();
  auto frame = framed(request);
  auto until = clock::now() + patience;
  if (send(socket, frame.data(), frame.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(frame.size()))
    return fault{errc::unreachable, std::string{"the supervisor: "} + std::strerror(errno)};
  frame_reader in;
  std::string piece(64 * 1024, '\0');
  for (;;) {
    pollfd ready{socket, POLLIN, 0};
    if (poll(&ready, 1, left_ms(until)) <= 0)
      return fault{errc::deadline, "the supervisor does not answer"};
    auto n = recv(socket, piece.data(), piece.size(), 0);
    if (n <= 0)
      return fault{errc::unreachable, "the supervisor closed the connection"};
    in.feed({piece.data(), static_cast<std::size_t>(n)});
    // Exits that come first are in the list too.
    while (auto got = in.next())
      if (supervisor_reply reply; reply.ParseFromString(*got) && reply.has_processes())
        return greeting{std::move(*reply.mutable_processes()), std::move(in)};
    if (in.broken())
      return fault{errc::damaged, "the supervisor sent what is not a frame"};
  }
}

} // namespace legion::drivers
