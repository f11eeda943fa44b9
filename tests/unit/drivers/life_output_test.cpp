#include "runtime/drivers/supervisor/life_output.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include <unistd.h>

#include "runtime/drivers/process/output_files.hpp"
#include "tests/unit/node_process/scratch_folder.hpp"

namespace legion::life_output_test {

using namespace legion::drivers;
using legion::tests::scratch_folder;

TEST_SUITE("drivers/life_output") {

  TEST_CASE("what is kept of a flood begins with output, however it was written") {
    scratch_folder scratch;
    std::filesystem::create_directories(scratch / "logs/w");
    life_output x;
    REQUIRE(x.open(scratch / "logs/w/main.0.log") == 0);
    const std::string odd(60'001, 'x'); // no multiple of any block
    std::int64_t written = 0;
    while (written < 2 * max_output_bytes) {
      REQUIRE(::write(x.writing_end(), odd.data(), odd.size()) == static_cast<ssize_t>(odd.size()));
      written += static_cast<std::int64_t>(odd.size());
      x.pump();
    }
    auto oldest = read_output_file(scratch.path(), "w", "main", 0, 0);
    REQUIRE(oldest);
    CHECK(oldest->piece.text == std::string(max_output_piece_bytes, 'x'));
    auto begin = oldest->piece.next_offset - static_cast<std::int64_t>(max_output_piece_bytes);
    CHECK(written - begin <= max_output_bytes);
    CHECK(written - begin > max_output_bytes - 2 * 1024 * 1024);
    auto newest = read_output_file(scratch.path(), "w", "main", 0, written - 10);
    REQUIRE(newest);
    CHECK(newest->piece.text == "xxxxxxxxxx");
  }

} // TEST_SUITE

} // namespace legion::life_output_test
