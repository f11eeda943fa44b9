#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/repeated_ptr_field.h>

#include "messages/fault.hpp"
#include "messages/resource.pb.h"

namespace legion::gateway {

/// A label selector as kubectl's -l takes it: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
///
/// Shape:  at most 64 terms of at most 64 values; all of them must hold.
/// Errors: `invalid`, with the place and what is allowed there.
/// Source: Kubernetes, apimachinery/pkg/labels. A key that is absent satisfies `!=` and `notin`.
class selector {
public:
  using labels = google::protobuf::RepeatedPtrField<label>;

  selector() = default; // matches everything
  static result<selector> parse(std::string_view text);

  bool matches(const labels& of) const;
  bool empty() const { return terms_.empty(); }

private:
  struct term {
    std::string key;
    bool wants_key = true;           // false: `!key`, or values that are not wanted
    std::vector<std::string> values; // empty: the key alone decides
  };

  std::vector<term> terms_;
};

} // namespace legion::gateway
