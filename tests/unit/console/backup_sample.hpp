#pragma once

#include <string>

#include "runtime/console/backup_file.hpp"
#include "tests/unit/console/canned.hpp"

/// A small backup: two keeper groups, three resources, of which one is deleted.
namespace legion::console {

inline group_state sample_state(std::uint32_t group) {
  group_state x;
  x.set_group(group);
  x.set_index(40 + group);
  x.set_incarnation(1);
  return x;
}

inline kept_resource sample_resource(const std::string& name, bool deleting = false) {
  kept_resource x;
  x.mutable_what()->set_api_version("apps/v1");
  x.mutable_what()->set_kind("Deployment");
  x.mutable_what()->mutable_metadata()->set_name(name);
  x.mutable_what()->mutable_metadata()->set_namespace_("default");
  x.mutable_what()->mutable_deployment()->set_replicas(2);
  x.set_deleting(deleting);
  return x;
}

inline backup_file_head sample_head(std::uint32_t groups = 2) {
  backup_file_head x;
  x.set_program("legionctl 0.1.0");
  x.set_cluster(std::string(16, 'c'));
  x.set_zone("eu/fra");
  x.set_begun_ms(canned_start);
  x.set_groups(groups);
  return x;
}

inline std::string sample_backup() {
  backup_writer writer;
  auto result = writer.begin(sample_head());
  auto first = sample_state(3);
  *first.add_resources() = sample_resource("web");
  *first.add_resources() = sample_resource("old", true);
  auto second = sample_state(9);
  *second.add_resources() = sample_resource("db");
  result += writer.add(first);
  result += writer.add(second);
  return result + writer.end(canned_start + 1000);
}

} // namespace legion::console
