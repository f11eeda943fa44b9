/// The project's field table (fields.tsv): which fields a type has, and what each may hold.
///
/// Shape:  inlined types are already flattened into those that inline them.
#pragma once

#include <map>
#include <string_view>
#include <vector>

namespace legion::manifest {

struct field_rule {
  std::string_view name;
  std::string_view value; // "int32", "[]Container", "map[string]string", "PodSpec", ...
  std::string_view merge_key;
  std::string_view known_values; // separated by |; empty: any
  std::string_view range;        // "0..", "1..65535"; empty: what the type holds
  bool required = false;
  bool honoured = false;
};

struct type_rule {
  std::string_view name;
  std::vector<field_rule> fields; // in the table's order

  const field_rule* find(std::string_view field) const; // nullptr: unknown

  /// The field whose name takes the fewest edits to reach; ties go to the first in the table.
  const field_rule& nearest(std::string_view field) const;
};

/// nullptr: a value type that has no fields.
const type_rule* find_type(std::string_view name);

/// Letters to insert, drop, replace or swap, without regard to case.
unsigned edit_distance(std::string_view a, std::string_view b);

} // namespace legion::manifest
