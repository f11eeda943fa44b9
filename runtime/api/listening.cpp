#include "runtime/api/listening.hpp"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/api/target.hpp"

namespace legion::api {

using std::error_code;

result<void> listen_at_path(asio::local::stream_protocol::acceptor& with, const std::string& path) {
  constexpr std::size_t longest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > longest)
    return fault{errc::invalid, "the API's socket " + path + " has a path of "
                                    + std::to_string(path.size()) + " bytes, the limit is "
                                    + std::to_string(longest) + ": use a shorter --data"};
  asio::local::stream_protocol::endpoint endpoint{path};
  error_code failed;
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode))
      return fault{errc::conflict, path + " is in the way of the API's socket: move it away"};
    asio::local::stream_protocol::socket other{with.get_executor()};
    other.connect(endpoint, failed);
    if (!failed)
      return fault{errc::locked, "another process serves " + path + ": use another --data"};
    ::unlink(path.c_str());
  }
  // Nobody can connect before `listen`, so the mode is right from the first connection on.
  with.open(endpoint.protocol(), failed);
  if (!failed)
    with.bind(endpoint, failed);
  auto bound = !failed;
  if (bound && ::chmod(path.c_str(), 0600) != 0)
    failed = error_code{errno, std::generic_category()};
  if (!failed)
    with.listen(64, failed);
  if (failed && bound)
    ::unlink(path.c_str());
  if (failed)
    return fault{errc::refused, "cannot listen on " + path + ": " + failed.message()};
  return {};
}

result<void> listen_at_endpoint(asio::ip::tcp::acceptor& with, const std::string& text) {
  auto where = parse_endpoint(text);
  if (!where)
    return where.why();
  error_code failed;
  auto host = where->host == "localhost" ? std::string{"127.0.0.1"} : where->host;
  auto address = asio::ip::make_address(host, failed);
  if (failed || !address.is_loopback())
    return fault{errc::unsupported,
                 text
                     + " is not a loopback address: the API does not check users yet, so --api "
                       "takes 127.0.0.1:PORT or [::1]:PORT only"};
  asio::ip::tcp::endpoint endpoint{address, where->port};
  with.open(endpoint.protocol(), failed);
  if (!failed)
    with.set_option(asio::ip::tcp::acceptor::reuse_address(true), failed);
  if (!failed)
    with.bind(endpoint, failed);
  if (!failed)
    with.listen(64, failed);
  if (failed == asio::error::address_in_use)
    return fault{errc::conflict,
                 "--api " + text
                     + ": that port is taken, perhaps by another legion-node of this machine "
                       "(ss -ltnp names the process): stop that one, or choose another port with "
                       "--api HOST:PORT"};
  if (failed)
    return fault{errc::refused, "cannot listen on " + text + " for the API: " + failed.message()
                                    + ": --api HOST:PORT"};
  return {};
}

} // namespace legion::api
