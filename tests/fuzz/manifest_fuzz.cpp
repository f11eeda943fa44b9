#include "messages/manifest/manifest.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

LEGION_FUZZ_TARGET(manifest) {
  auto x = manifest::read({{"f", std::string(data)}});
  LEGION_CHECK(manifest::refused(x) == x.resources.empty());
  for (const auto& d : x.diagnostics) {
    LEGION_CHECK(d.text().starts_with("f:"));
    diagnostic again; // strings of a protobuf message are UTF-8, or it cannot be read
    LEGION_CHECK(again.ParseFromString(d.SerializeAsString()));
  }
  for (const auto& r : x.resources) {
    resource again;
    LEGION_CHECK(again.ParseFromString(r.SerializeAsString()));
    // The author's document says the same once more.
    auto twice =
        manifest::read({{"g", r.document()}}, {.default_namespace = r.metadata().namespace_()});
    LEGION_CHECK(twice.resources.size() == 1);
    LEGION_CHECK(twice.resources[0].SerializeAsString() == r.SerializeAsString());
  }
}
