#pragma once

#include <cstdint>
#include <string>

#include "messages/fault.hpp"
#include "runtime/drivers/driver.hpp"

namespace legion::drivers {

/// Most bytes of output in one answer.
inline constexpr std::size_t max_output_piece_bytes = 64 * 1024;

/// A piece of output and whose it is; `end` says that the file ends here, for now.
struct found_output {
  output piece;
  std::string container;
  std::int64_t life = 0;
};

/// Reads from the files that the supervisor writes. An offset before what is kept reads from where
/// that begins; a negative one counts lines from the end.
/// Errors: `not_found` names the container and what lives there are.
result<found_output> read_output_file(const std::string& data_folder, const std::string& workload,
                                      const std::string& container, std::int64_t life,
                                      std::int64_t offset);

} // namespace legion::drivers
