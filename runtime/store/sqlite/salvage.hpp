#pragma once

#include <functional>
#include <string>
#include <vector>

#include "messages/fault.hpp"
#include "runtime/store/store.hpp"

namespace legion::store::sqlite {

/// What a damaged journal still says, and where it lies now.
struct salvaged {
  std::vector<record> records; // newest of each key, of the rows that check
  std::string aside;           // the folder, inside the data folder, that holds the damaged files
};

/// Given what was salvaged, what the new journal begins with.
using carry_over = std::function<std::vector<record>(salvaged)>;

/// Most damaged journals that are kept; beyond it the disk is failing and a human must look.
inline constexpr int max_set_aside = 8;

/// Sets a journal aside that `open` called damaged, unchanged, and begins another with an id of its
/// own. The node is another consensus member from then on: what the old one acknowledged may be
/// among what was lost.
///
/// A crash in between leaves a mark, FOLDER/journal.damaged: `open` refuses as before, and this
/// begins again, with the same damaged files.
/// Errors: those of `open`; `refused` past `max_set_aside`.
result<opened> set_aside(const std::string& folder, const carry_over& what);

/// The mark's file.
std::string damage_mark(const std::string& folder);

/// Makes the mark, so that the next `open` calls the journal damaged, and says why: its bytes are
/// sound, but they are not all that there was.
result<void> mark_outdated(const std::string& folder, const std::string& why);
/// What the mark says, or nothing.
std::string marked_reason(const std::string& folder);

} // namespace legion::store::sqlite
