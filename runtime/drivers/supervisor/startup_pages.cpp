#include "runtime/drivers/supervisor/startup_pages.hpp"

#include <cstdio>
#include <string>
#include <string_view>

#include <sys/mman.h>

#include "runtime/drivers/supervisor/small_files.hpp"

namespace legion::drivers {
namespace {

long number_behind(std::string_view line, std::string_view word) {
  long value = -1;
  if (line.starts_with(word))
    std::sscanf(line.data() + word.size(), "%ld", &value);
  return value;
}

} // namespace

void shed_startup_pages() {
  auto text = read_file("/proc/self/smaps");
  unsigned long from = 0, to = 0;
  bool ours = false; // a mapping of a file that we may only read
  std::string_view rest{text};
  while (!rest.empty()) {
    auto end = rest.find('\n');
    auto line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    char rights[5] = {};
    unsigned long first = 0, last = 0;
    if (std::sscanf(line.data(), "%lx-%lx %4s", &first, &last, rights) == 3) {
      from = first;
      to = last;
      ours =
          rights[0] == 'r' && rights[1] == '-' && rights[3] == 'p' && line.find(" /") != line.npos;
    } else if (ours && number_behind(line, "Anonymous:") == 0) {
      // Not one page of it was ever written, by relocation for example: the file has it all.
      madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED);
      ours = false;
    }
  }
}

} // namespace legion::drivers
