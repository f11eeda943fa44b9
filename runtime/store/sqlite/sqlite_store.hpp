#pragma once

#include <string>

#include "runtime/store/store.hpp"

namespace legion::store::sqlite {

/// Most batches, and most of their bytes, that may wait for the writer.
inline constexpr std::size_t max_waiting_batches = 4096;
inline constexpr std::size_t max_waiting_bytes = 64 * 1024 * 1024;

/// Opens FOLDER/journal.db, makes it if there is none, and replays it.
///
/// Batches that wait while one is being synced share the next sync. A failed sync ends the process,
/// and so does a folder that was removed, at the next commit.
/// FOLDER/journal.ballast is space for a full disk: see `health` and `may_take_ballast`.
/// Errors: `locked` (another process has it open), `damaged` (names the file and the row), `disk`,
///         `disk_full`, `unsupported` (a newer format). `overloaded` and `too_large` are told at
///         once, ahead of what waits.
result<opened> open(const std::string& folder);

} // namespace legion::store::sqlite
