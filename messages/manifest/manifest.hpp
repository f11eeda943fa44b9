/// Kubernetes manifests in, resources out: v1/Pod, apps/v1/Deployment and v1/List, in YAML or JSON.
///
/// Shape:  all or nothing. One error in one file, and there are no resources.
/// Units:  lines and columns count from 1; a column is a character, not a byte.
/// Errors: diagnostics, sorted by file, line and column; each says what was found and what is
///         allowed.
/// Limits: 1 MiB and 1,000 diagnostics of each sort a file, 63 levels, 1 MiB added by aliases.
/// Source: Kubernetes API 1.34; fields.tsv says which fields are honoured and which come later.
#pragma once

#include <string>
#include <vector>

#include "messages/api.pb.h"
#include "messages/resource.pb.h"

namespace legion::manifest {

/// One file as the user named it.
struct source {
  std::string name;
  std::string text;
};

struct options {
  bool strict = false;                       // a field that is not honoured yet is an error
  std::string default_namespace = "default"; // of a document that names none
  bool only_that = false;                    // one that names another is an error
};

/// In the order of the documents. Without errors, `diagnostics` holds warnings only.
struct parsed {
  std::vector<resource> resources;
  std::vector<diagnostic> diagnostics;
};

parsed read(const std::vector<source>& files, const options& how = {});

/// True when one of them is an error.
bool refused(const parsed& x);

} // namespace legion::manifest
