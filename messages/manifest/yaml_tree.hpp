/// A YAML file as a tree whose every node knows its place.
///
/// Shape:  scalars are resolved as Kubernetes reads them, except that only `true` and `false` are
///         booleans. Aliases are shared nodes; merge keys (`<<`) are already merged.
/// Limits: 1 MiB of text, 63 levels, 1 MiB added by aliases; checked before the parser could
///         suffer.
/// Errors: places and words; yaml-cpp's own exceptions included, none gets out.
/// Source: YAML 1.2, through yaml-cpp's events: its YAML::Load accepts duplicate keys and bad
///         UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace legion::manifest {

inline constexpr std::size_t largest_file = 1 << 20;
inline constexpr unsigned deepest = 63;
inline constexpr std::size_t largest_expansion = 1 << 20;

/// From 1; a column counts characters.
struct place {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

enum class node_kind : std::uint8_t { null, boolean, integer, real, string, list, map };

struct node;

struct entry {
  const node* key;
  const node* value;
};

struct node {
  node_kind kind = node_kind::null;
  bool quoted = false;
  place at;
  unsigned height = 1;    // levels from here down
  std::size_t weight = 1; // what an alias to it adds
  std::string text;       // of a scalar
  std::vector<const node*> items;
  std::vector<entry> entries; // in the author's order, keys unique

  /// The value under a key; nullptr when left out, or null.
  const node* get(std::string_view key) const;
};

/// What is wrong with the text itself.
struct broken {
  place at;
  std::string field;
  std::string found;
  std::string allowed;
};

struct yaml_tree {
  std::deque<node> nodes; // owns all
  std::vector<const node*> documents;
  std::vector<broken> errors;
};

yaml_tree read_tree(const std::string& text);

} // namespace legion::manifest
