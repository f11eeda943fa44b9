#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "messages/journal.pb.h"
#include "messages/shared_record.hpp"

namespace legion::consensus {

/// A group's records as the journal has them: what its next actor starts from, should this one fail
/// while the node goes on.
///
/// Shape:  follows the writes, one at a time; as large as the group's records on disk.
/// Errors: a write whose end is unknown stays `in_doubt`: it has to be written again, with the same
///         keys, before the records may be read.
class journal_copy {
public:
  /// `shelf`: where records are that other members of the process may have, too.
  explicit journal_copy(const std::vector<record>& replayed = {}, record_shelf_ptr shelf = nullptr);

  void writing(record_batch batch) { in_doubt_ = std::make_unique<record_batch>(std::move(batch)); }
  void written();
  /// Nothing of it was kept.
  void refused() { in_doubt_.reset(); }

  const record_batch& in_doubt() const {
    return in_doubt_ ? *in_doubt_ : record_batch::default_instance();
  }
  /// In the order of the keys.
  std::vector<record> records() const;
  /// Counts the actors that went on from here, from 1.
  std::uint32_t next_life() { return ++lives_; }

private:
  record_table kept_;
  std::unique_ptr<record_batch> in_doubt_; // while there is any
  std::uint32_t lives_ = 0;
};

using journal_copy_ptr = std::shared_ptr<journal_copy>;

} // namespace legion::consensus
