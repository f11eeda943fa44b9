#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "messages/api.pb.h"

/// Replies as Kubernetes-shaped objects: what -o json and -o yaml print.
namespace legion::console {

using json = nlohmann::ordered_json;

json node_object(const node_view& x);
json deployment_object(const resource_view& x);
json pod_object(const pod_view& x, const resource_view& of);
json promise_object(const assessment& x, const std::string& promiser, const std::string& promisee);

/// Every object of a kind in a reply, in its order.
std::vector<json> objects_of(const std::string& kind, const api_reply& x);

/// One object as it is, several as a v1 List.
json listed(std::vector<json> items, bool always_list);

} // namespace legion::console
