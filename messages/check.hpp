#pragma once

#include <cstdio>
#include <cstdlib>

namespace legion {

[[noreturn]] inline void check_failed(const char* what, const char* file, int line) {
  std::fprintf(stderr, "legion: broken invariant: %s (%s:%d)\n", what, file, line);
  std::abort();
}

} // namespace legion

/// Our own bug: the process stops; workloads outlive it. Never for what a peer, a user or a disk
/// says.
#define LEGION_CHECK(condition)                                                                    \
  do {                                                                                             \
    if (!(condition))                                                                              \
      ::legion::check_failed(#condition, __FILE__, __LINE__);                                      \
  } while (false)
