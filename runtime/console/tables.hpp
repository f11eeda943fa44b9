#pragma once

#include "messages/api.pb.h"
#include "messages/time.hpp"
#include "runtime/console/table.hpp"

namespace legion::console {

/// How a table is to look.
struct look {
  bool wide = false;
  bool namespaces = false; // a column for them
  wall_ms now = 0;
};

table node_table(const api_reply& x, const look& how);
table deployment_table(const api_reply& x, const look& how);
table pod_table(const api_reply& x, const look& how);
table promise_table(const api_reply& x, const look& how);

/// By kind, as in get_request: "nodes", "deployments", "pods" or "promises".
table table_of(const std::string& kind, const api_reply& x, const look& how);

} // namespace legion::console
