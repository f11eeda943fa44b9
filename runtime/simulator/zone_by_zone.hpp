#pragma once

#include <cstdint>
#include <functional>

namespace legion::simulator {

/// As many zones as may live at once: one for each core.
std::uint32_t zones_at_once();

/// Lives through the zones of a simulation, a few at a time, so that it takes the memory of those few
/// however many there are.
///
/// Shape:     `live` is called once for each zone, in the order of their numbers, and makes, runs and
///            frees what the zone needs. When it answered false no other zone begins; those that had
///            begun go on to their end.
/// Threading: each call is on one thread; at most `at_once` go on at the same time.
void zone_by_zone(std::uint32_t zones, std::uint32_t at_once,
                  const std::function<bool(std::uint32_t zone)>& live);

} // namespace legion::simulator
