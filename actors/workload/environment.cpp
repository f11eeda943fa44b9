#include "actors/workload/environment.hpp"

#include <algorithm>

#include "actors/node/commitments.hpp"

namespace legion::workload {

namespace {

constexpr const char* default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Of one container; there is no field for it in a pod. Enough for any server, too few for a fork
/// bomb.
constexpr std::int64_t most_processes = 4096;
/// A larger one is not copied to the supervisor, whose memory this is.
constexpr std::size_t most_promise_bytes = 32 * 1024;

const std::string* find(const google::protobuf::RepeatedPtrField<label>& in, std::string_view key) {
  for (const auto& x : in)
    if (x.key() == key)
      return &x.value();
  return nullptr;
}

/// The key in metadata.labels['key'], if the path is of that form.
std::string_view subscript(std::string_view path, std::string_view of) {
  if (!path.starts_with(of) || !path.ends_with("']"))
    return {};
  path.remove_prefix(of.size());
  if (!path.starts_with("['") || path.size() < 4)
    return {};
  return path.substr(2, path.size() - 4);
}

/// Where this container's ports begin in `promise_record.host_ports`.
int first_port(const pod_spec& spec, int container) {
  auto result = 0;
  for (auto i = 0; i < container; ++i)
    result += spec.containers(i).ports_size();
  return result;
}

std::string protocol_of(const port_spec& x) {
  return x.protocol().empty() ? "TCP" : x.protocol();
}

int host_port(const promise_record& x, int index) {
  return index < x.host_ports_size() ? x.host_ports(index) : 0;
}

void add_ports(variables& into, const promise_record& x, const pod_spec& spec, int container) {
  auto first = first_port(spec, container);
  auto index = first;
  for (const auto& port : spec.containers(container).ports()) {
    auto text = std::to_string(host_port(x, index++));
    into.emplace("PORT_" + std::to_string(port.container_port()), text);
    if (!port.name().empty())
      into.emplace("PORT_" + variable_name(port.name()), text);
  }
  // One number may be there for TCP and for UDP. Last, for a port may have the name 53-udp.
  for (const auto& port : spec.containers(container).ports())
    into.emplace("PORT_" + std::to_string(port.container_port()) + "_" + protocol_of(port),
                 std::to_string(host_port(x, first++)));
}

} // namespace

std::string expanded(std::string_view text, const variables& known) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$' || i + 1 == text.size()) {
      result += text[i];
      continue;
    }
    auto next = text[++i];
    auto closed = next == '(' ? text.find(')', i) : std::string_view::npos;
    if (next == '$') {
      result += '$';
    } else if (closed == std::string_view::npos) {
      result += '$';
      result += next;
    } else {
      auto value = known.find(text.substr(i + 1, closed - i - 1));
      if (value != known.end())
        result += value->second;
      else
        result += text.substr(i - 1, closed - i + 2);
      i = closed;
    }
  }
  return result;
}

std::string variable_name(std::string_view text) {
  std::string result;
  for (auto c : text) {
    if (c >= 'a' && c <= 'z')
      result += static_cast<char>(c - 'a' + 'A');
    else
      result += (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
  }
  return result;
}

std::vector<int> host_ports_of(const promise_record& x, int container) {
  const auto& spec = node::pod_of(x.what());
  std::vector<int> result;
  auto first = first_port(spec, container);
  for (int i = 0; i < spec.containers(container).ports_size(); ++i)
    if (auto port = host_port(x, first + i);
        port != 0 && std::count(x.host_ports().begin(), x.host_ports().end(), port) == 1)
      result.push_back(port);
  return result;
}

std::vector<bound_port> ports_of(const promise_record& x) {
  std::vector<bound_port> result;
  for (const auto& container : node::pod_of(x.what()).containers())
    for (const auto& port : container.ports()) {
      bound_port bound;
      bound.set_name(port.name());
      bound.set_container_port(port.container_port());
      bound.set_protocol(protocol_of(port));
      bound.set_host_port(host_port(x, static_cast<int>(result.size())));
      result.push_back(std::move(bound));
    }
  return result;
}

std::string field_value(const promise_record& x, std::string_view path, const surroundings& here) {
  if (path == "metadata.name")
    return x.slot().pod();
  if (path == "metadata.namespace")
    return x.what().metadata().namespace_();
  if (path == "metadata.uid") // a bare Pod's is its own, wherever it runs
    return x.what().has_pod() && !x.what().metadata().uid().empty() ? x.what().metadata().uid()
                                                                    : x.slot().uid();
  if (path == "spec.nodeName")
    return here.node_name;
  if (path == "status.hostIP" || path == "status.podIP" || path == "status.hostIPs"
      || path == "status.podIPs")
    return here.host_ip; // processes live on their host's network
  const auto& about = node::pod_metadata_of(x.what());
  const std::string* value = nullptr;
  if (auto key = subscript(path, "metadata.labels"); !key.empty())
    value = find(about.labels(), key);
  else if (key = subscript(path, "metadata.annotations"); !key.empty())
    value = find(about.annotations(), key);
  return value ? *value : std::string{};
}

variables environment_of(const promise_record& x, int container, const surroundings& here) {
  const auto& spec = node::pod_of(x.what());
  variables result;
  add_ports(result, x, spec, container);
  if (spec.containers(container).ports_size() > 0)
    result.emplace("PORT", std::to_string(host_port(x, first_port(spec, container))));
  for (auto i = 0; i < spec.containers_size(); ++i)
    add_ports(result, x, spec, i);
  result.emplace("PATH", default_path);
  // In order: a variable may use those before it, and the ports.
  for (const auto& y : spec.containers(container).env())
    result.insert_or_assign(y.name(), y.field_path().empty()
                                          ? expanded(y.value(), result)
                                          : field_value(x, y.field_path(), here));
  return result;
}

launch launch_of(const promise_record& x, int container, std::uint32_t life,
                 const surroundings& here) {
  const auto& spec = node::pod_of(x.what()).containers(container);
  auto known = environment_of(x, container, here);
  launch result;
  result.set_workload(x.slot().uid());
  result.set_pod(x.slot().pod());
  result.set_container(spec.name());
  result.set_life(life);
  for (const auto& y : spec.command())
    result.add_argv(expanded(y, known));
  for (const auto& y : spec.args())
    result.add_argv(expanded(y, known));
  for (const auto& [name, value] : known)
    result.add_env(name + "=" + value);
  result.set_working_dir(spec.working_dir());
  if (spec.has_run_as_user())
    result.set_user(spec.run_as_user());
  if (spec.has_run_as_group())
    result.set_group(spec.run_as_group());
  result.set_cpu_millis(spec.limits().cpu_millis());
  result.set_memory_bytes(spec.limits().memory_bytes());
  result.set_pids(most_processes);
  result.set_cpu_weight_millis(spec.requests().cpu_millis());
  if (x.ByteSizeLong() <= most_promise_bytes)
    result.set_promise(x.SerializeAsString());
  return result;
}

int probed_port(const promise_record& x, int container, const int_or_string& port) {
  const auto& spec = node::pod_of(x.what());
  auto index = first_port(spec, container);
  for (const auto& y : spec.containers(container).ports()) {
    if (port.has_text() ? y.name() == port.text() : y.container_port() == port.number())
      return host_port(x, index);
    ++index;
  }
  return port.has_text() ? 0 : port.number();
}

} // namespace legion::workload
