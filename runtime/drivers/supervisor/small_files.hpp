#pragma once

#include <string>
#include <string_view>

namespace legion::drivers {

/// What was done, and what the system said: "open /x: No such file or directory".
std::string errno_text(const std::string& doing, int error);

/// All of a small file; empty if it cannot be read.
std::string read_file(const std::string& path);

/// Writes to a file that exists, in one call; the errno, or 0.
int write_file(const std::string& path, std::string_view text);

/// Replaces a file at once: a reader sees the old or the new, whole. The errno, or 0.
int write_whole_file(const std::string& path, std::string_view text);

/// Removes a folder and all in it; what cannot be removed stays.
void remove_tree(const std::string& path);

} // namespace legion::drivers
