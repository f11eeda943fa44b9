#pragma once

#include <algorithm>
#include <string>

#include "messages/keeping.pb.h"

namespace legion {

/// What replicas of this revision are made from; null: from the newest template.
inline const earlier_template* earlier_of(const resource_view& of, const std::string& revision) {
  const auto& all = of.earlier();
  auto i = std::find_if(all.begin(), all.end(),
                        [&](const earlier_template& x) { return x.revision() == revision; });
  return i == all.end() ? nullptr : &*i;
}

/// The resource as it was when replicas of this revision were made.
inline resource made_from(const resource_view& of, const std::string& revision) {
  auto result = of.what();
  if (const auto* x = earlier_of(of, revision); x && result.has_deployment()) {
    *result.mutable_deployment()->mutable_template_() = x->template_();
    result.set_document(x->document());
  }
  return result;
}

} // namespace legion
