/// Kubernetes quantities and int-or-percent, as whole numbers.
///
/// Source: apimachinery's resource.Quantity: a decimal number, then n u m k M G T P E, Ki Mi Gi Ti
///         Pi Ei, or an exponent. What doesn't come out whole in the unit is rounded up, away from
///         zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace legion::manifest {

enum class unit { thousandths, ones };

/// In the unit asked for; what is too large for 64 bits is the largest. Nothing: it is no quantity.
std::optional<std::int64_t> parse_quantity(std::string_view text, unit in);

/// "25%" is 25. Nothing: it is no percentage.
std::optional<std::int32_t> parse_percent(std::string_view text);

} // namespace legion::manifest
