#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>

namespace legion::proof {

/// A folder on a machine's disk that can crash. SQLite writes its files there through this; at a
/// crash what was synced is there, and what was written since is there wholly, in part, or not at
/// all.
///
/// The files are real, and always hold what was written; each change since the last sync is kept
/// with what it replaced. At a crash all of these are taken back, and a seeded choice decides which
/// are done again: all; none; those up to a moment, the last one cut at any byte; or each by
/// itself, whole, cut, by sectors, or as space without bytes, as disks may that write in an order
/// of their own. Names are like bytes: a file that was made or removed may be so or not until its
/// folder is synced.
///
/// Threads: one, for all disks of the process.
/// Source: sqlite.org/testing.html, 3.3 (crash tests); sqlite.org/c3ref/vfs.html; Pillai et al.
///         2014, All File Systems Are Not Created Equal, 2.
class crashing_disk {
public:
  /// Where SQLite is when the machine stops.
  enum class place : std::uint8_t {
    anywhere,
    checkpoint,  // it writes the database
    log_restart, // it writes the header of the write-ahead log
  };

  /// From now on SQLite's default, in this process, is to write through disks like this one.
  crashing_disk(std::string folder, std::uint64_t seed);
  ~crashing_disk();
  crashing_disk(const crashing_disk&) = delete;
  crashing_disk& operator=(const crashing_disk&) = delete;

  const std::string& folder() const { return folder_; }

  /// The machine stops at the first operation (a write, a sync, a change of a name) at this place,
  /// or so many operations later.
  void stop_at(place where, std::uint64_t later);
  void go_on();                             // it does not stop
  void stop();                              // now
  bool stopped() const { return stopped_; } // every call fails
  place stopped_at() const { return stopped_at_; }

  /// After a stop, when all files are closed: leaves them as the crash did, and runs again.
  void crash();

  /// What is wrong on purpose: a sync that is answered and not done. What is lost at a crash are
  /// the last writes, in their order, so that the files read well.
  void lie() { lies_ = true; }
  bool lies() const { return lies_; }

  /// Operations so far.
  std::uint64_t operations() const { return operations_; }

  // From SQLite's files. False: the machine has stopped, and the operation is not answered.
  struct change {
    enum class kind : std::uint8_t { write, resize, create, remove };
    kind what = kind::write;
    std::string path;
    std::int64_t at = 0;          // of a write; the new size of a resize
    std::int64_t size_before = 0; // of the file
    std::string before;           // bytes that are not there any more
    std::string after;            // bytes of a write
  };
  bool operation(place where);
  void changed(change x);
  void synced(const std::string& path);

private:
  void take_back(const change& x);
  void do_again(const change& x, bool whole);
  void cut(const change& x);

  std::string folder_;
  std::mt19937_64 random_;
  std::deque<change> unsynced_; // in order
  bool armed_ = false;
  place where_ = place::anywhere;
  std::uint64_t later_ = 0;
  bool stopped_ = false;
  place stopped_at_ = place::anywhere;
  bool lies_ = false;
  std::uint64_t operations_ = 0;
};

/// SQLite's own random numbers (salts of its log) begin anew from here: the same seed, the same
/// files.
void seed_sqlite(std::uint64_t seed);

} // namespace legion::proof
