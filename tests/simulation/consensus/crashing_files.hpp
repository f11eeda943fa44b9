#pragma once

namespace legion::proof {

class crashing_disk;

/// SQLite's files in the folders of these disks go through them; all others pass.
void enrol(crashing_disk& x);
void leave(crashing_disk& x);

} // namespace legion::proof
