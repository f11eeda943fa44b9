#include "runtime/transport/zeromq/identify.hpp"

#include <sodium/crypto_generichash.h>

namespace legion {

node_id identify(std::string_view public_key) {
  if (public_key.size() != 32)
    return {};
  unsigned char hash[32];
  crypto_generichash(hash, sizeof(hash), reinterpret_cast<const unsigned char*>(public_key.data()),
                     public_key.size(), nullptr, 0);
  return node_id::from_bytes({reinterpret_cast<const char*>(hash), node_id::size});
}

} // namespace legion
