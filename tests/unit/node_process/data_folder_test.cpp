#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include "runtime/node/data_folder.hpp"
#include "tests/unit/node_process/scratch_folder.hpp"

namespace legion::data_folder_test {

using namespace legion::node_process;
using legion::tests::scratch_folder;

TEST_SUITE("node_process/data_folder") {

  TEST_CASE("a second node on the same folder is refused, naming who holds it") {
    scratch_folder scratch;
    auto first = data_folder::open(scratch / "data");
    REQUIRE(first);
    auto second = data_folder::open(scratch / "data");
    REQUIRE(!second);
    CHECK(second.why().code == errc::locked);
    CHECK(second.why().detail.find("process " + std::to_string(::getpid())) != std::string::npos);
    CHECK(data_folder::holder_of(scratch / "data") == ::getpid());
  }

  TEST_CASE("the folder is free again when its node ends") {
    scratch_folder scratch;
    { REQUIRE(data_folder::open(scratch / "data")); }
    CHECK(data_folder::holder_of(scratch / "data") == 0);
    CHECK(data_folder::open(scratch / "data"));
  }

  TEST_CASE("a key is made once, is for its owner's eyes, and is the same ever after") {
    scratch_folder scratch;
    auto made = open_key(scratch.path());
    REQUIRE(made);
    CHECK(made->public_key.size() == 32);
    CHECK(made->secret_key != made->public_key);
    struct stat status = {};
    REQUIRE(::stat((scratch / "node.key").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    auto again = open_key(scratch.path());
    REQUIRE(again);
    CHECK(again->public_key == made->public_key);
    CHECK(again->secret_key == made->secret_key);
  }

  TEST_CASE("a cut key file is damage, not a new identity") {
    scratch_folder scratch;
    REQUIRE(open_key(scratch.path()));
    REQUIRE(::truncate((scratch / "node.key").c_str(), 7) == 0);
    auto cut = open_key(scratch.path());
    REQUIRE(!cut);
    CHECK(cut.why().code == errc::damaged);
  }

  TEST_CASE("a key that others may read is refused, with the cure") {
    scratch_folder scratch;
    REQUIRE(open_key(scratch.path()));
    REQUIRE(::chmod((scratch / "node.key").c_str(), 0644) == 0);
    auto open = open_key(scratch.path());
    REQUIRE(!open);
    CHECK(open.why().detail.find("chmod 600") != std::string::npos);
  }

  TEST_CASE("a key that is missing beside a journal is not made anew") {
    scratch_folder scratch;
    std::ofstream{scratch / "journal.db"}.flush(); // nothing was ever written to it
    REQUIRE(open_key(scratch.path()));
    REQUIRE(std::filesystem::remove(scratch / "node.key"));
    std::ofstream{scratch / "journal.db"} << "SQLite format 3";
    auto lost = open_key(scratch.path());
    REQUIRE(!lost);
    CHECK(lost.why().code == errc::damaged);
    CHECK(lost.why().detail.find("restore node.key") != std::string::npos);
    CHECK(!std::filesystem::exists(scratch / "node.key"));
  }

} // TEST_SUITE

} // namespace legion::data_folder_test
