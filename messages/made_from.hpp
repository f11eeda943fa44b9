#pragma once

#include <algorithm>
#include <string>

#include "messages/keeping.pb.h"

namespace legion {

/// What replicas of this revision are made from, of a `resource_view` or a group's resource; null: from
/// the newest template, or from one that is not kept.
template <class Earlier>
const earlier_template* earlier_in(const Earlier& all, const std::string& revision) {
  auto i = std::find_if(all.begin(), all.end(),
                        [&](const earlier_template& x) { return x.revision() == revision; });
  return i == all.end() ? nullptr : &*i;
}

inline const earlier_template* earlier_of(const resource_view& of, const std::string& revision) {
  return earlier_in(of.earlier(), revision);
}

/// The resource as it was when its template was this one; null: as it is.
inline resource made_from(resource newest, const earlier_template* x) {
  if (!x || !newest.has_deployment())
    return newest;
  *newest.mutable_deployment()->mutable_template_() = x->template_();
  newest.set_document(x->document());
  newest.mutable_metadata()->set_generation(x->generation());
  newest.mutable_metadata()->set_resource_version(x->resource_version());
  return newest;
}

/// The resource as it was when replicas of this revision were made.
inline resource made_from(const resource_view& of, const std::string& revision) {
  return made_from(of.what(), earlier_of(of, revision));
}

} // namespace legion
