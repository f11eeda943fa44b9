#include "messages/api.pb.h"
#include "messages/manifest/manifest.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

LEGION_FUZZ_TARGET(api_request) {
  api_request x;
  if (!fuzz::decode(data, x) || !x.has_apply())
    return;
  std::vector<manifest::source> files;
  for (const auto& f : x.apply().files())
    files.push_back({f.name(), f.text()});
  for (const auto& d :
       manifest::read(files, {x.apply().strict(), x.apply().namespace_()}).diagnostics)
    LEGION_CHECK(diagnostic().ParseFromString(d.SerializeAsString()));
}
