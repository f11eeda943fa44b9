#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "messages/envelope.pb.h"
#include "messages/negotiation.pb.h"
#include "runtime/simulator/cluster.hpp"
#include "tests/simulation/trial.hpp"

namespace legion::simulator {

/// Breaks one invariant on purpose, on the wire or in a machine, so that a checker must see it.
class saboteur {
public:
  saboteur(cluster& of, sabotage what) : cluster_(of), what_(what) {}

  /// From now on, where it is not so from the start.
  void begin();
  /// What is sent, as it goes on; false: it does not.
  bool pass(std::uint32_t from, std::uint32_t to, frame& what, std::string& bytes);
  /// Changes that were asked for before it began come again, as if the network had kept them.
  void repeat_requests();

private:
  struct seen_offer {
    std::uint32_t node;
    std::uint32_t keeper;
    legion::offer offer;
  };

  void double_accepts(std::uint32_t from, std::uint32_t to, const frame& what);
  bool is_deaf(const frame& what);
  void repeat_orders();
  void forge(std::uint32_t from, std::uint32_t to, const frame& like, envelope what);

  cluster& cluster_;
  sabotage what_;
  bool begun_ = false;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> sent_; // the newest sequence
  std::vector<seen_offer> offers_;
  std::vector<std::tuple<std::uint32_t, std::uint32_t, frame>> orders_;   // from, to
  std::vector<std::tuple<std::uint32_t, std::uint32_t, frame>> requests_; // from, to
  std::optional<std::chrono::microseconds> deaf_since_;
};

} // namespace legion::simulator
