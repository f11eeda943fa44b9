#include <cstdio>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "runtime/store/sqlite/wal_scan.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

// Any bytes are a log, torn or damaged; a folder of garbage must not stop a node with a crash.
LEGION_FUZZ_TARGET(write_ahead_log) {
  std::FILE* file = std::tmpfile();
  LEGION_CHECK(file != nullptr);
  LEGION_CHECK(std::fwrite(data.data(), 1, data.size(), file) == data.size());
  std::fflush(file);
  auto x = store::sqlite::scan_wal("/proc/self/fd/" + std::to_string(fileno(file)), "/dev/null");
  LEGION_CHECK(x || x.why().code != errc::none);
  std::fclose(file);
}
