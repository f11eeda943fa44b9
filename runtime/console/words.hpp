#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "messages/api.pb.h"
#include "messages/time.hpp"

/// How values read in a terminal.
namespace legion::console {

/// Safe for one line of a terminal: control characters, and what is not UTF-8, become '?'.
std::string plain(std::string_view text);

/// The same for a program's output: newlines, tabs and colours stay.
std::string plain_output(std::string_view text);

/// Broken between words into lines of at most so many bytes; a longer word stays whole.
std::vector<std::string> lines_of(std::string_view text, std::size_t first, std::size_t others);

/// For a terminal: lines of at most 80 columns, what follows a break indented. Breaks that are there
/// stay.
std::string folded(std::string_view text);

/// ", did you mean 'nodes'?" where one is near; else nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

/// How long ago, as kubectl says it: 45s, 3m20s, 5h, 2d. Unknown times are "<none>".
std::string age(wall_ms since, wall_ms now);

/// 2026-11-22T18:05:00Z; empty for an unknown time.
std::string rfc3339(wall_ms x);

std::string cpu(std::int64_t millis);         // 250m, 2
std::string memory(std::int64_t bytes);       // exact, as Kubernetes writes it: 512Mi, 1Gi, 1000
std::string memory_short(std::int64_t bytes); // rounded for a table: 1.4Gi
std::string amounts(const capacity& x);

/// `text` if there is any, else `<none>`.
std::string or_none(std::string text);

std::string verdict_word(verdict x);          // kept, repaired, not kept, unknown
std::string node_status(const node_view& x);  // Ready, NotReady, Suspect, ...
std::string kind_name(std::string_view kind); // deployment.apps, pod

/// What a pod is doing, in one word, as kubectl chooses it.
std::string pod_status(const pod_view& x);
std::uint32_t pod_restarts(const pod_view& x);

/// "web:8080->127.0.0.1:20012", separated by commas; a protocol other than TCP is named.
std::string ports(const assessment& x);

} // namespace legion::console
