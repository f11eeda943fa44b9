#pragma once

#include <optional>
#include <string_view>

#include "runtime/drivers/driver.hpp"

namespace legion::drivers {

/// So often a probe is sent on, as by Kubernetes' kubelet.
inline constexpr int most_redirects = 10;

/// The status of an HTTP answer's first line; nothing: it is none.
std::optional<int> status_of(std::string_view line);

/// Whether a status sends on to the answer's `Location`: 301, 302, 303, 307 or 308.
bool is_redirect(int status);

/// Where an answer's headers send the probe: on the same host, over HTTP. Nothing: nowhere, or to
/// another host, or over HTTPS, which the probe does not speak; then the answer itself decides.
///
/// Source: RFC 9110, 10.2.2; Kubernetes 1.34, pkg/probe/http: a redirect to another host passes.
std::optional<probe_target> redirected(const probe_target& from, std::string_view headers);

} // namespace legion::drivers
