/// One decoder under arbitrary bytes: must not crash, hang, or break what it says of itself.
///
/// Shape:  a file per target, with LEGION_FUZZ_TARGET(name) { ... }; `data` is the input. The
///         replay program links them all; with -DLEGION_LIBFUZZER a file is a libFuzzer program of
///         its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/check.hpp"

namespace legion::fuzz {

struct target {
  const char* name;
  void (*run)(std::string_view data);
};

/// In the order of their names.
std::vector<target>& targets();

struct enrol {
  enrol(const char* name, void (*run)(std::string_view)) { targets().push_back({name, run}); }
};

/// What was read can be written, and reads the same again.
template <class T>
bool decode(std::string_view data, T& x) {
  if (!x.ParseFromArray(data.data(), static_cast<int>(data.size())))
    return false;
  T again;
  LEGION_CHECK(again.ParseFromString(x.SerializeAsString()));
  LEGION_CHECK(again.SerializeAsString() == x.SerializeAsString());
  return true;
}

} // namespace legion::fuzz

#ifdef LEGION_LIBFUZZER
#define LEGION_FUZZ_TARGET(name)                                                                   \
  static void fuzz_##name(std::string_view data);                                                  \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {             \
    fuzz_##name({reinterpret_cast<const char*>(bytes), size});                                     \
    return 0;                                                                                      \
  }                                                                                                \
  static void fuzz_##name(std::string_view data)
#else
#define LEGION_FUZZ_TARGET(name)                                                                   \
  static void fuzz_##name(std::string_view data);                                                  \
  static const legion::fuzz::enrol enrolled_##name(#name, fuzz_##name);                            \
  static void fuzz_##name(std::string_view data)
#endif
