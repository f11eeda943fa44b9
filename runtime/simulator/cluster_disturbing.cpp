#include <utility>
#include <vector>

#include "runtime/simulator/cluster.hpp"

namespace legion::simulator {

void cluster::apply(const disturbance& x) {
  log_.add(now(), "", text_of(x));
  using kind = disturbance::kind;
  auto weather = worlds_[0]->network.present_conditions();
  switch (x.what) {
    case kind::partition:
      return partition(x.sides);
    case kind::cut:
      if (nodes_[x.nodes.at(0)].zone == nodes_[x.nodes.at(1)].zone)
        world_of(x.nodes[0]).network.cut(nodes_[x.nodes[0]].self.id, nodes_[x.nodes[1]].self.id);
      return;
    case kind::heal:
      for (auto& y : worlds_)
        y->network.heal();
      return;
    case kind::loss:
      weather.loss = x.fraction;
      break;
    case kind::duplication:
      weather.duplication = x.fraction;
      break;
    case kind::reordering:
      weather.reordering = x.fraction;
      break;
    case kind::delay:
      weather.least_delay = x.least;
      weather.most_delay = x.most;
      break;
    default:
      for (auto i : x.nodes)
        apply_to_node(x.what, i);
      return;
  }
  for (auto& y : worlds_)
    y->network.set_conditions(weather);
}

void cluster::partition(const std::vector<std::vector<std::uint32_t>>& sides) {
  for (std::uint32_t zone = 0; zone < zones(); ++zone) {
    std::vector<std::vector<node_id>> here(sides.size());
    for (std::size_t i = 0; i < sides.size(); ++i)
      for (auto node : sides[i])
        if (nodes_[node].zone == zone)
          here[i].push_back(nodes_[node].self.id);
    worlds_[zone]->network.partition(here);
  }
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

void cluster::schedule(const std::vector<disturbance>& all) {
  auto& when = zones() == 1 ? worlds_[0]->system.time() : agenda_;
  for (auto& x : all)
    when.later(x.at, [this, x] { apply(x); });
}

} // namespace legion::simulator
