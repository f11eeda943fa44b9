#pragma once

namespace legion::drivers {

/// TCP and UDP both, whichever the manifest names: a port that is free is free for either. False for
/// what is no port.
bool port_is_free(int port);

} // namespace legion::drivers
