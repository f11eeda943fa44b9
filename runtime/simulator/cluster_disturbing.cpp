#include <utility>
#include <vector>

#include "runtime/simulator/cluster.hpp"

namespace legion::simulator {

std::optional<disturbance> cluster::part_of_zone(const disturbance& x) const {
  return part_of(x, first_, size());
}

void cluster::apply(const disturbance& x) {
  if (auto part = part_of_zone(x))
    apply_part(*part);
}

void cluster::apply_part(const disturbance& part) {
  log_.add(now(), "", text_of(part));
  using kind = disturbance::kind;
  auto index_of = [this](std::uint32_t number) { return number - first_; };
  auto weather = network_.present_conditions();
  switch (part.what) {
    case kind::partition:
      return partition(part.sides);
    case kind::cut:
      return network_.cut(nodes_[index_of(part.nodes.at(0))].self.id,
                          nodes_[index_of(part.nodes.at(1))].self.id);
    case kind::heal:
      return network_.heal();
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
  network_.set_conditions(weather);
}

void cluster::partition(const std::vector<std::vector<std::uint32_t>>& sides) {
  std::vector<std::vector<node_id>> here(sides.size());
  for (std::size_t i = 0; i < sides.size(); ++i)
    for (auto number : sides[i])
      here[i].push_back(nodes_[number - first_].self.id);
  network_.partition(here);
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
    case kind::copy:
      return copy_disk(index);
    case kind::put_back:
      return put_back_disk(index);
    case kind::supervisor:
      return x.machine->lose_supervisor();
    default:
      return;
  }
}

void cluster::copy_disk(std::uint32_t index) {
  auto& x = nodes_[index];
  x.copied = std::make_unique<virtual_node::old_disk>(x.disk->copied(), x.self.start);
}

void cluster::put_back_disk(std::uint32_t index) {
  auto& x = nodes_[index];
  crash(index);
  if (!x.copied)
    return;
  x.disk->put_back(x.copied->content);
  x.self.start = x.copied->start;
  if (watcher_.put_back)
    watcher_.put_back(index);
}

/// In the zone's own time: what comes at one moment comes in the same order, whoever lives meanwhile.
void cluster::schedule(const std::vector<disturbance>& all) {
  for (const auto& x : all)
    if (auto part = part_of_zone(x))
      system_.time().later(x.at, [this, part = std::move(*part)] { apply_part(part); });
}

} // namespace legion::simulator
