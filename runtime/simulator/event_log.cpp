#include "runtime/simulator/event_log.hpp"

#include <cstdio>
#include <cstring>

namespace legion::simulator {

std::string time_text(std::chrono::microseconds time) {
  char buffer[32];
  std::snprintf(buffer, sizeof(buffer), "%lld.%06lld",
                static_cast<long long>(time.count() / 1000000),
                static_cast<long long>(time.count() % 1000000));
  return buffer;
}

// FNV-1a by words of 8 bytes, folded: what a simulation sends is many megabytes.
void event_log::mix(std::string_view bytes) {
  auto take = [this](std::uint64_t word) {
    digest_ = (digest_ ^ word) * 1099511628211ull;
    digest_ ^= digest_ >> 32;
  };
  std::uint64_t word = 0;
  for (; bytes.size() >= sizeof(word); bytes.remove_prefix(sizeof(word))) {
    std::memcpy(&word, bytes.data(), sizeof(word));
    take(word);
  }
  word = bytes.size(); // so that a line's end counts
  for (unsigned char c : bytes)
    word = word << 8 | c;
  take(word);
}

void event_log::add(std::chrono::microseconds time, std::string_view node, std::string_view event) {
  auto line = time_text(time);
  line.insert(0, line.size() < 12 ? 12 - line.size() : 0, ' ');
  line += ' ';
  line += node.empty() ? "-" : node;
  line += ' ';
  line += event;
  mix(line);
  ++lines_;
  if (write_)
    write_(line);
}

void event_log::digest(std::chrono::microseconds time, std::string_view what) {
  auto count = time.count();
  char bytes[sizeof(count)];
  std::memcpy(bytes, &count, sizeof(count));
  mix({bytes, sizeof(bytes)});
  mix(what);
}

} // namespace legion::simulator
