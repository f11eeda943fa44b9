#pragma once

#include <string>

namespace legion::drivers {

struct supervisor_settings {
  std::string data_folder;
  bool detach = false; // go on in a child; "ready" or the reason why not goes to stdout
};

/// The parent of every workload of one data folder: one small process that outlives the node.
///
/// Listens on DATA/supervisor.sock (0600, only our own user). Ends when it is asked to, on SIGTERM
/// (workloads first, within 10 s), or once its data folder is gone and nothing runs. If it is
/// killed, its workloads die with it. The process's exit code.
int run_supervisor(const supervisor_settings& settings);

/// `legion-node supervise --data DIR [--detach]`; the arguments behind `supervise`.
int supervise(int argc, char** argv);

} // namespace legion::drivers
