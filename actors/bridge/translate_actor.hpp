#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <caf/mailbox_element.hpp>
#include <caf/type_erased_tuple.hpp>

#include "actors/bridge/wire.hpp"
#include "messages/fault.hpp"
#include "messages/ids.hpp"

/// Between what actors send and what travels: the vocabulary's messages, both ways.
namespace legion::bridge {

/// Writes the one message of the vocabulary that `content` is; false if it is anything else.
bool encode(const caf::type_erased_tuple& content, std::uint32_t& kind, std::string& body);

/// What a failed request says on the wire.
struct spoken_failure {
  failure why = failure_none;
  std::uint32_t code = 0;
  std::string detail;
};
spoken_failure speak(const caf::error& error);
spoken_failure speak(const fault& why);

/// Its inverse.
fault understand(failure why, std::uint32_t code, std::string_view detail);

/// A message ready for a mailbox, or the reason why its bytes are refused.
///
/// Shape:  fields that say who sent the message are set from the connection or checked against it.
caf::mailbox_element_ptr decode(std::uint32_t kind, std::string_view body, const node_id& from,
                                caf::strong_actor_ptr sender, caf::message_id id,
                                spoken_failure& refusal);

} // namespace legion::bridge
