/// From a checked document to a resource: names, defaults and the rules between fields.
///
/// Errors: at the place of the value; each function goes on after one, so that all are told at
///         once.
/// Source: the defaults and validation of Kubernetes 1.34. Differs: `spec.selector` may be left
///         out.
#pragma once

#include <string>

#include <google/protobuf/repeated_field.h>

#include "messages/manifest/complaints.hpp"
#include "messages/manifest/yaml_tree.hpp"
#include "messages/resource.pb.h"

namespace legion::manifest {

/// What one file's reading carries along.
struct context {
  complaints& to;
  std::string default_namespace;
  bool only_that = false;
  bool image_told = false; // once a file
};

/// A node with the path that a person would write for it.
struct spot {
  const node* what; // nullptr: left out
  std::string path;

  explicit operator bool() const { return what != nullptr; }
  spot operator[](const char* field) const;
  spot item(std::size_t i) const;
  const std::string& text() const; // empty when left out
  std::int64_t number(std::int64_t otherwise) const;
  std::size_t size() const { return what ? what->items.size() : 0; }
};

using label_list = google::protobuf::RepeatedPtrField<label>;
using requirement_list = google::protobuf::RepeatedPtrField<selector_requirement>;

resource read_pod(const spot& document, context& in);
resource read_deployment(const spot& document, context& in);

// The parts.
void read_metadata(const spot& from, metadata& into, bool named, context& in);
void read_pod_spec(const spot& from, pod_spec& into, context& in);
void read_affinity(const spot& from, pod_spec& into, context& in);
void read_tolerations(const spot& from, pod_spec& into, context& in);
void read_probe(const spot& from, const container& of, probe& into, context& in);
void read_env(const spot& from, container& into, context& in);

/// Sorted by key. Values are checked as those of labels where `checked`.
void read_labels(const spot& from, bool checked, label_list& into, context& in);
void read_requirement(const spot& from, selector_requirement& into, context& in);

} // namespace legion::manifest
