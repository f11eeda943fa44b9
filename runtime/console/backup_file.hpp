#pragma once

#include <array>
#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>

#include <sodium.h>

#include "messages/fault.hpp"
#include "messages/journal.pb.h"
#include "messages/keeping.pb.h"
#include "messages/time.hpp"

/// A zone's backup as a file.
///
/// Layout: "LGNBAK\r\n", the format's number (4 bytes), then records: a letter ('H' the head, 'G'
///         one group's state, 'E' the end), the length of what follows (4 bytes), a message of
///         messages/journal.proto or messages/keeping.proto, and the first 16 bytes of the BLAKE2b
///         hash of letter, length and message. After the end: 32 bytes, the BLAKE2b hash of all
///         that goes before. Numbers are little-endian. The line break in the first bytes shows
///         what a transfer as text has done to it.
namespace legion::console {

inline constexpr std::uint32_t backup_format = 1;
inline constexpr std::size_t max_backup_record_bytes = 16 * 1024 * 1024;

/// One record as it is in the file.
std::string backup_record(char letter, std::string_view message);

/// Turns states into the bytes of a file.
///
/// Shape: `begin` once, `add` for each group, `end` once: what each returns is written in this
///        order.
class backup_writer {
public:
  backup_writer();

  std::string begin(const backup_file_head& x);
  std::string add(const group_state& x);
  std::string end(wall_ms ended_ms);

  std::uint64_t resources() const { return resources_; }

private:
  std::string record(char letter, const google::protobuf::Message& x);

  crypto_generichash_state all_;
  std::uint32_t groups_ = 0;
  std::uint64_t resources_ = 0;
};

/// Reads a backup, record by record, and believes nothing that does not check.
///
/// Shape:  `begin` once, `next` until it returns nothing; the whole is sound only then. At most one
///         record in memory.
/// Errors: `invalid` (not a backup), `unsupported` (of a newer version), `damaged` (it ends too
///         early, does not check, or says other than it holds); each with where, and what to do.
///         `disk` when the stream fails.
class backup_reader {
public:
  explicit backup_reader(std::istream& from);

  result<backup_file_head> begin();
  result<std::optional<group_state>> next();

  /// Of those read so far, without those that were deleted.
  std::uint64_t resources() const { return resources_; }
  std::uint32_t groups() const { return groups_; }
  /// The hash of the whole, once all was read: which backup this is.
  const std::string& name() const { return name_; }

private:
  struct piece {
    char letter = 0;
    std::string message;
  };

  result<void> read(char* to, std::size_t size);
  result<void> read(std::string& to, std::size_t size);
  result<piece> record();
  result<std::optional<group_state>> finish(const std::string& message);
  fault damaged(const std::string& what) const;

  std::istream& from_;
  crypto_generichash_state all_;
  std::uint64_t at_ = 0; // bytes read
  std::uint32_t expected_ = 0;
  std::uint32_t groups_ = 0;
  std::uint64_t seen_ = 0; // bit g
  std::uint64_t resources_ = 0;
  std::string name_;
};

} // namespace legion::console
