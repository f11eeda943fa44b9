#include <sstream>

#include "messages/ids.hpp"
#include "runtime/console/backup_file.hpp"
#include "tests/fuzz/fuzz_target.hpp"

using namespace legion;

namespace {

void read_all(std::string text) {
  std::istringstream in{std::move(text)};
  console::backup_reader reader{in};
  auto head = reader.begin();
  if (!head) {
    LEGION_CHECK(!head.why().detail.empty());
    return;
  }
  for (;;) {
    auto x = reader.next();
    if (!x) {
      LEGION_CHECK(!x.why().detail.empty() && reader.name().empty());
      return;
    }
    if (!*x)
      break;
    LEGION_CHECK((*x)->group() < groups_per_zone);
  }
  LEGION_CHECK(reader.name().size() == 32 && reader.groups() <= groups_per_zone);
}

} // namespace

LEGION_FUZZ_TARGET(backup) {
  read_all(std::string{data});
  // With checksums that hold, so that what is in the records is looked at, too.
  console::backup_writer writer;
  backup_file_head head;
  head.set_groups(1);
  auto begun = writer.begin(head);
  for (auto letter : {'H', 'G', 'E'})
    read_all(begun + console::backup_record(letter, data) + writer.end(0));
  console::backup_writer bare;
  read_all(bare.begin(head).substr(0, 12) + console::backup_record('H', data));
}
