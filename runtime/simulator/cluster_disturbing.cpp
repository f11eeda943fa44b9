#include <utility>
#include <vector>

#include "runtime/simulator/cluster.hpp"

namespace legion::simulator {

std::optional<disturbance> cluster::part_in(std::uint32_t zone, const disturbance& x) const {
  return part_of(x, number_of(first_of(zone)), size_of(zone));
}

void cluster::apply(const disturbance& x) {
  for (std::uint32_t zone = 0; zone < zones(); ++zone)
    if (auto part = part_in(zone, x))
      apply_in(zone, *part);
}

void cluster::apply_in(std::uint32_t zone, const disturbance& part) {
  log_of(*worlds_[zone]).add(now(), "", text_of(part));
  using kind = disturbance::kind;
  auto& network = worlds_[zone]->network;
  auto index_of = [this](std::uint32_t number) { return number - number_of(0); };
  auto weather = network.present_conditions();
  switch (part.what) {
    case kind::partition:
      return partition(zone, part.sides);
    case kind::cut:
      return network.cut(nodes_[index_of(part.nodes.at(0))].self.id,
                         nodes_[index_of(part.nodes.at(1))].self.id);
    case kind::heal:
      return network.heal();
    case kind::loss:
      weather.loss = part.fraction;
      break;
    case kind::duplication:
      weather.duplication = part.fraction;
      break;
    case kind::reordering:
      weather.reordering = part.fraction;
      break;
    case kind::delay:
      weather.least_delay = part.least;
      weather.most_delay = part.most;
      break;
    default:
      for (auto number : part.nodes)
        apply_to_node(part.what, index_of(number));
      return;
  }
  network.set_conditions(weather);
}

void cluster::partition(std::uint32_t zone, const std::vector<std::vector<std::uint32_t>>& sides) {
  std::vector<std::vector<node_id>> here(sides.size());
  for (std::size_t i = 0; i < sides.size(); ++i)
    for (auto number : sides[i])
      here[i].push_back(nodes_[number - number_of(0)].self.id);
  worlds_[zone]->network.partition(here);
}

void cluster::apply_to_node(disturbance::kind what, std::uint32_t index) {
  using kind = disturbance::kind;
  auto& x = nodes_[index];
  switch (what) {
    case kind::crash:
      return crash(index);
    case kind::restart:
      return start(index);
    case kind::stop:
      return stop(index);
    case kind::pause:
      return pause(index);
    case kind::resume:
      return resume(index);
    case kind::disk_full:
      return x.disk->set_full(true);
    case kind::disk_free:
      return x.disk->set_full(false);
    case kind::kill:
      for (auto& p : x.machine->processes())
        x.machine->kill(p.status.workload());
      return;
    case kind::wipe:
      crash(index);
      x.disk->wipe();
      return;
    case kind::supervisor:
      return x.machine->lose_supervisor();
    default:
      return;
  }
}

/// In each zone's own time: what comes at one moment comes in the same order, whoever lives beside it.
void cluster::schedule(const std::vector<disturbance>& all) {
  for (std::uint32_t zone = 0; zone < zones(); ++zone)
    for (auto& x : all)
      if (auto part = part_in(zone, x))
        worlds_[zone]->system.time().later(
            x.at, [this, zone, part = std::move(*part)] { apply_in(zone, part); });
}

} // namespace legion::simulator
