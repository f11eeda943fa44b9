#include "runtime/store/sqlite/end_mark.hpp"

#include <fstream>
#include <iterator>

#include <fcntl.h>
#include <unistd.h>

#include "runtime/store/sqlite/checksum.hpp"

namespace legion::store::sqlite {
namespace {

constexpr std::size_t number_bytes = 8, checksum_bytes = 4;

std::string path_of(const std::string& folder) {
  return folder + "/journal.mark";
}

void append(std::string& to, std::uint64_t x, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    to += static_cast<char>(x >> (8 * i));
}

std::string encoded(const std::string& id, live_rows::row_id next) {
  auto result = id;
  append(result, static_cast<std::uint64_t>(next), number_bytes);
  append(result, crc32c(result), checksum_bytes);
  return result;
}

} // namespace

end_mark::end_mark(const std::string& folder, const std::string& journal_id)
    : id_(journal_id),
      file_(::open(path_of(folder).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) {}

end_mark::~end_mark() {
  if (file_ >= 0)
    ::close(file_);
}

void end_mark::put(live_rows::row_id next) {
  auto bytes = encoded(id_, next);
  if (file_ >= 0)
    (void)!::pwrite(file_, bytes.data(), bytes.size(), 0);
}

std::optional<live_rows::row_id> end_mark::read(const std::string& folder,
                                                const std::string& journal_id) {
  std::ifstream file{path_of(folder), std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  if (bytes.size() < journal_id.size() + number_bytes)
    return std::nullopt;
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < number_bytes; ++i)
    next |= std::uint64_t{static_cast<unsigned char>(bytes[journal_id.size() + i])} << (8 * i);
  auto result = static_cast<live_rows::row_id>(next);
  return bytes == encoded(journal_id, result) ? std::optional{result} : std::nullopt;
}

} // namespace legion::store::sqlite
