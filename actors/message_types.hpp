#pragma once

#include <string>
#include <type_traits>

#include <caf/config.hpp>
#include <caf/error.hpp>
#include <caf/make_message.hpp>
#include <caf/message.hpp>
#include <caf/type_id.hpp>
#include <google/protobuf/message.h>

#include "messages/fault.hpp"
#include "messages/ids.hpp"
#include "messages/vocabulary.hpp"

/// Tells CAF about the vocabulary: actors exchange the generated types themselves, never CAF bytes
/// in protobuf.

#define LEGION_TYPE_ID(number, type) CAF_ADD_TYPE_ID(legion, (legion::type))
CAF_BEGIN_TYPE_ID_BLOCK(legion, first_custom_type_id)
LEGION_REMOTE_MESSAGES(LEGION_TYPE_ID)
CAF_END_TYPE_ID_BLOCK(legion)
#undef LEGION_TYPE_ID

namespace legion {

/// Lets CAF copy, print and (were it ever asked to) serialise any generated message.
template <class Inspector, class T>
requires std::is_base_of_v<google::protobuf::Message, std::remove_const_t<T>>
typename Inspector::result_type inspect(Inspector& f, T& x) {
  auto& message = const_cast<std::remove_const_t<T>&>(x);
  std::string bytes;
  if constexpr (Inspector::reads_state) {
    bytes = message.SerializeAsString();
    return f(bytes);
  } else {
    auto result = f(bytes);
    message.ParseFromString(bytes);
    return result;
  }
}

} // namespace legion

CAF_ERROR_CODE_ENUM(legion::errc, "legion")
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(legion::fault)

namespace legion {

/// A fault as CAF carries it in a failed request; `fault_of` is its inverse.
inline caf::error make_error(const fault& why) {
  return {static_cast<std::uint8_t>(why.code), caf::atom("legion"), caf::make_message(why.detail)};
}

/// What a failed request means in our words: CAF's own time-out is a deadline, a dead receiver is
/// unreachable.
fault fault_of(const caf::error& error);

} // namespace legion
