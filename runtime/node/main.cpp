#include <cstdio>
#include <filesystem>
#include <string_view>

#include <unistd.h>

#include "runtime/console/legionctl.hpp"
#include "runtime/drivers/supervisor/supervisor.hpp"
#include "runtime/node/configuration.hpp"
#include "runtime/node/node_process.hpp"
#include "runtime/simulator/simulate.hpp"

/// One binary: under the name legionctl it is the client, with the word supervise the parent of a
/// node's workloads, else a node.
int main(int argc, char** argv) {
  using namespace legion;
  auto called = std::filesystem::path{argc > 0 ? argv[0] : ""}.filename();
  if (called == "legionctl")
    return legionctl(argc, argv, &simulator::simulate);
  if (argc > 1 && argv[1] == std::string_view{"supervise"})
    return drivers::supervise(argc - 2, argv + 2);
  auto said = node_process::read_command_line(argc, argv);
  if (!said.run) {
    std::fputs(said.text.c_str(), said.exit_code == 0 ? stdout : stderr);
    return said.exit_code;
  }
  if (said.run->drain)
    return node_process::drain_node(*said.run);
  auto code = node_process::run_node(*said.run);
  if (code != node_process::run_again)
    return code;
  ::execv("/proc/self/exe", argv);
  std::perror("legion-node: cannot begin again");
  return 1;
}
