#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "messages/evidence.pb.h"
#include "messages/journal.pb.h"
#include "messages/supervision.pb.h"

namespace legion::workload {

/// What a workload may learn of where it runs.
struct surroundings {
  std::string node_name;
  std::string host_ip;
};

using variables = std::map<std::string, std::string, std::less<>>;

/// Replaces $(NAME) by its value; $$ is a dollar sign that begins nothing; what has no value stays.
/// Source: Kubernetes third_party/forked/golang/expansion.
std::string expanded(std::string_view text, const variables& known);

/// NAME as in PORT_<NAME>: upper case, `_` for what is neither letter nor digit.
std::string variable_name(std::string_view text);

/// Every port of the pod with the host port that it got, in the order of the manifest.
std::vector<bound_port> ports_of(const promise_record& x);
/// The host ports that one container has for itself.
std::vector<int> host_ports_of(const promise_record& x, int container);

/// The value of a fieldRef; empty for a field that has none here.
std::string field_value(const promise_record& x, std::string_view path, const surroundings& here);

/// All that a process of this container finds in its environment: PATH, the ports (PORT,
/// PORT_<NAME>, PORT_<containerPort>, PORT_<containerPort>_<PROTOCOL> of the container, and those of
/// its siblings under names still free), then what the manifest declares, which wins.
variables environment_of(const promise_record& x, int container, const surroundings& here);

/// One life of one container, ready for the driver; command and args expanded.
launch launch_of(const promise_record& x, int container, std::uint32_t life,
                 const surroundings& here);

/// The host port that a probe means by a port's name or number; 0: no such port.
int probed_port(const promise_record& x, int container, const int_or_string& port);

} // namespace legion::workload
