#include "actors/message_types.hpp"

#include <caf/exit_reason.hpp>
#include <caf/sec.hpp>

namespace legion {

fault fault_of(const caf::error& error) {
  if (error.category() == caf::atom("legion")) {
    auto why = fault{static_cast<errc>(error.code()), {}};
    if (error.context().match_elements<std::string>())
      why.detail = error.context().get_as<std::string>(0);
    return why;
  }
  if (error == caf::sec::request_timeout)
    return {errc::deadline, "no answer in time"};
  return {errc::unreachable, "the actor that was asked has ended"};
}

} // namespace legion
