#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <string_view>

#include "runtime/drivers/supervisor/supervisor.hpp"

/// As legion-node does: what the process driver's tests start as their supervisor is this program.
int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "supervise")
    return legion::drivers::supervise(argc - 2, argv + 2);
  return doctest::Context(argc, argv).run();
}
