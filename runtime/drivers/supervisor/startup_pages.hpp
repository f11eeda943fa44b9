#pragma once

namespace legion::drivers {

/// Gives back what only starting needed: pages of programs and libraries that were mapped and never
/// changed. What is used again comes back from the page cache. A few milliseconds.
void shed_startup_pages();

} // namespace legion::drivers
