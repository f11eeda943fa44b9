#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "messages/fault.hpp"
#include "messages/resource.pb.h"

/// What a person may type for a setting. Errors say in their detail what is allowed.
namespace legion::node_process {

bool is_dns_label(const std::string& text);
/// DNS labels with slashes between them, 255 characters at most.
bool is_zone_path(const std::string& text);
bool is_host_and_port(const std::string& text);

/// "20000-20999": two ports of 1024 to 65535, in order.
result<std::pair<int, int>> port_range(const std::string& text);
/// So much, or so many percent of what there is.
struct portion {
  std::int64_t amount = 100;
  bool percent = true;

  std::int64_t of(std::int64_t whole) const {
    return percent ? whole / 100 * amount + whole % 100 * amount / 100 : amount;
  }
};

/// "2", "1.5" or "500m", in thousandths of a core; or "33%".
result<portion> cpu_millis(const std::string& text);
/// "512Mi", "4Gi" or bytes; or "33%".
result<portion> memory_bytes(const std::string& text);
/// "KEY=VALUE"
result<label> label_of(const std::string& text);
/// "KEY=VALUE:EFFECT" or "KEY:EFFECT"
result<taint> taint_of(const std::string& text);

/// "HOST:PORT#PUBLICKEY", the key in 64 hexadecimal digits.
struct join_string {
  std::string endpoint;
  std::string public_key; // 32 bytes
};
result<join_string> join_string_of(const std::string& text);
std::string text_of(const join_string& x);

} // namespace legion::node_process
