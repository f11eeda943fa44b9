#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>

#include <sys/mount.h>

#include "runtime/store/sqlite/ballast.hpp"
#include "tests/unit/store/real_files.hpp"

namespace legion::full_disk_test {

using namespace legion::real_files;

namespace {

constexpr std::size_t disk_bytes = 4 * 1024 * 1024;

/// A disk of 4 MiB, of its own.
struct small_disk {
  small_disk() {
    mounted = mount("legion", here.path.c_str(), "tmpfs", 0, "size=4m") == 0;
    if (mounted)
      return;
    auto why = errno;
    INFO(std::strerror(why));
    REQUIRE((why == EPERM || why == EACCES || why == ENOSYS)); // else it is no matter of who may
    MESSAGE("skipped: no file system can be mounted here");
  }
  ~small_disk() {
    if (mounted)
      umount(here.path.c_str());
  }
  /// Leaves no byte free.
  void fill() const {
    std::ofstream file{here.path + "/stranger", std::ios::binary};
    std::string piece(4096, 'x');
    for (std::size_t n = 0; n < disk_bytes && file.flush(); n += piece.size())
      file.write(piece.data(), static_cast<std::streamsize>(piece.size()));
  }
  void make_space() const { fs::remove(here.path + "/stranger"); }
  bool has_ballast() const {
    auto file = here.path + "/journal.ballast";
    return fs::exists(file) && fs::file_size(file) == store::sqlite::ballast::bytes;
  }

  folder here;
  bool mounted = false;
};

record_batch last_word(const std::string& key, const std::string& value) {
  auto result = batch({{key, value}});
  result.set_from_ballast(true);
  return result;
}

} // namespace

TEST_SUITE("store/full_disk") {

  TEST_CASE("a full disk fails the batch, says so once, and all is well when space is back") {
    small_disk disk;
    if (!disk.mounted)
      return;
    {
      outcomes told;
      auto journal = reopen(disk.here.path).start(told);
      journal->append(1, batch({{"a", "1"}}));
      CHECK(told.of(1) == errc::none);
      CHECK(disk.has_ballast());
      disk.fill();
      journal->append(2, batch({{"b", std::string(100 * 1024, 'x')}}));
      CHECK(told.of(2) == errc::disk_full);
      CHECK(told.becomes_full(true));
      CHECK(disk.has_ballast()); // nothing was worth it
      disk.make_space();
      journal->append(3, batch({{"c", "1"}}));
      CHECK(told.of(3) == errc::none); // at once
      CHECK(told.becomes_full(false)); // a moment later
    }
    CHECK(text_of(reopen(disk.here.path).records) == "a=1 c=1 ");
  }

  TEST_CASE("on a full disk the ballast serves what must be written, and nothing else") {
    small_disk disk;
    if (!disk.mounted)
      return;
    {
      outcomes told;
      auto journal = reopen(disk.here.path).start(told);
      journal->append(1, batch({{"a", "1"}, {"gone", "1"}}));
      CHECK(told.of(1) == errc::none);
      disk.fill();
      journal->append(2, last_word("b", std::string(100 * 1024, 'x')));
      CHECK(told.of(2) == errc::none);
      CHECK(told.becomes_full(true));
      CHECK_FALSE(disk.has_ballast());
      journal->append(3, batch({{"c", "1"}}));
      CHECK(told.of(3) == errc::disk_full); // though there is space for it now
      journal->append(4, batch({{"gone", ""}}));
      CHECK(told.of(4) == errc::none); // it ends keys only
      disk.make_space();
      CHECK(told.becomes_full(false));
      CHECK(disk.has_ballast());
      journal->append(5, batch({{"d", "1"}}));
      CHECK(told.of(5) == errc::none);
    }
    auto kept = reopen(disk.here.path).records;
    REQUIRE(kept.size() == 3);
    CHECK(kept[0].key() == "a");
    CHECK(kept[1].key() == "b");
    CHECK(kept[2].key() == "d");
  }

  TEST_CASE(
      "a journal on a disk without space for the ballast says from the start that it is full") {
    small_disk disk;
    if (!disk.mounted)
      return;
    std::ofstream{disk.here.path + "/stranger"} << std::string(disk_bytes - 600 * 1024, 'x');
    outcomes told;
    auto journal = reopen(disk.here.path).start(told);
    CHECK(told.becomes_full(true));
    journal->append(1, batch({{"a", "1"}}));
    CHECK(told.of(1) == errc::disk_full);
    journal->append(2, last_word("start", "1"));
    CHECK(told.of(2) == errc::none);
    disk.make_space();
    CHECK(told.becomes_full(false));
  }

  TEST_CASE("rows that died while the disk was full are cleared once it is not") {
    small_disk disk;
    if (!disk.mounted)
      return;
    outcomes told;
    auto opened = reopen(disk.here.path);
    auto journal = opened.start(told);
    std::uint64_t id = 0;
    journal->append(++id, batch({{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}}));
    CHECK(told.of(id) == errc::none);
    disk.fill();
    for (auto* key : {"a", "b", "c", "a", "d"}) {
      ++id;
      journal->append(id, last_word(key, std::to_string(id) + std::string(5000, 'x')));
      CHECK(told.of(id) == errc::none);
    }
    disk.make_space();
    CHECK(told.becomes_full(false));
    for (int i = 0; i < 4; ++i) {
      journal->append(++id, batch({{"e", std::to_string(i)}}));
      CHECK(told.of(id) == errc::none);
    }
    journal.reset();
    opened = {};
    std::string keys;
    for (auto& x : reopen(disk.here.path).records)
      keys += x.key() + "=" + x.value().substr(0, 1) + " ";
    CHECK(keys == "a=5 b=3 c=4 d=6 e=3 ");
  }

} // TEST_SUITE

} // namespace legion::full_disk_test
