#include "runtime/transport/zeromq/zeromq.hpp"

#include <charconv>

#include "runtime/transport/zeromq/router.hpp"

namespace legion::transport::zeromq {
namespace {

result<void> check_address(const std::string& endpoint) {
  auto colon = endpoint.rfind(':');
  auto port = 0;
  auto digits = colon == std::string::npos ? std::string{} : endpoint.substr(colon + 1);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (colon == 0 || digits.empty() || error != std::errc{} || end != digits.data() + digits.size()
      || port < 1 || port > 65535)
    return fault{errc::invalid, "'" + endpoint
                                    + "' is no address to listen on: HOST:PORT is wanted, such as "
                                      "127.0.0.1:7710, with a port from 1 to 65535"};
  auto host = endpoint.substr(0, colon);
  if (host.starts_with("127.") || host == "localhost" || host == "[::1]")
    return {};
  return fault{errc::refused,
               "'" + host
                   + "' is not a loopback address: who may join is not checked yet, so "
                     "a node listens on 127.0.0.1 only"};
}

} // namespace

factory make(settings x) {
  return [x = std::move(x)](sink& to) -> result<std::unique_ptr<transport>> {
    if (auto sound = check_address(x.endpoint); !sound)
      return sound.why();
    if (x.public_key.size() != 32 || x.secret_key.size() != 32)
      return fault{errc::invalid, "the node's keys must have 32 bytes each"};
    auto made = std::make_unique<router>(to, x);
    if (auto started = made->start(); !started)
      return started.why();
    return std::unique_ptr<transport>{std::move(made)};
  };
}

} // namespace legion::transport::zeromq
