#pragma once

#include <algorithm>
#include <cstdint>

#include "messages/random.hpp"
#include "messages/time.hpp"

namespace legion::keeper {

/// Random exponential back-off: `first`, doubled with each attempt up to `most`, less up to half of
/// it.
struct backoff {
  milliseconds first;
  milliseconds most;

  milliseconds delay(std::uint32_t attempt, seeded_random& random) const {
    auto full = std::min(most.count(), first.count() << std::min(attempt, 20u));
    auto half = std::max<milliseconds::rep>(1, full / 2);
    return milliseconds{full - static_cast<milliseconds::rep>(random() % half)};
  }
};

/// For calls that found too few volunteers.
inline constexpr backoff call_backoff{milliseconds{200}, seconds{10}};
/// For accepts and releases that were not answered.
inline constexpr backoff resend_backoff{milliseconds{250}, seconds{10}};
/// For asking whether what was released has stopped.
inline constexpr backoff stopping_backoff{milliseconds{200}, seconds{2}};

} // namespace legion::keeper
