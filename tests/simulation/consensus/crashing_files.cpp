// SQLite's seam for files, `sqlite3_vfs`, over the one of the operating system.

#include "tests/simulation/consensus/crashing_files.hpp"

#include <map>
#include <new>
#include <random>
#include <string>

#include <sqlite3.h>

#include "tests/simulation/consensus/crashing_disk.hpp"

namespace legion::proof {

namespace {

using change = crashing_disk::change;
using place = crashing_disk::place;

std::map<std::string, crashing_disk*> disks;
std::mt19937_64 salts;

crashing_disk* disk_of(const char* path) {
  if (!path)
    return nullptr; // a temporary file: nobody sees it again
  std::string name{path};
  auto i = disks.find(name.substr(0, name.rfind('/')));
  return i == disks.end() ? nullptr : i->second;
}

/// What SQLite holds; the operating system's own file lies right behind it.
struct file : sqlite3_file {
  crashing_disk* disk = nullptr;
  std::string path;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  bool is_log() const { return path.ends_with("-wal"); }
  bool is_database() const { return path.ends_with(".db"); }
};

file& of(sqlite3_file* x) {
  return *static_cast<file*>(x);
}

std::int64_t size_of(file& x) {
  sqlite3_int64 size = 0;
  x.real()->pMethods->xFileSize(x.real(), &size);
  return size;
}

std::string bytes_of(file& x, std::int64_t at, std::int64_t upto) {
  std::string result(static_cast<std::size_t>(std::max<std::int64_t>(0, upto - at)), '\0');
  if (!result.empty())
    x.real()->pMethods->xRead(x.real(), result.data(), static_cast<int>(result.size()), at);
  return result;
}

int close(sqlite3_file* x) {
  auto& f = of(x);
  auto code = f.real()->pMethods ? f.real()->pMethods->xClose(f.real()) : SQLITE_OK;
  f.~file();
  return code;
}

int read(sqlite3_file* x, void* to, int count, sqlite3_int64 at) {
  auto& f = of(x);
  if (f.disk->stopped())
    return SQLITE_IOERR_READ;
  return f.real()->pMethods->xRead(f.real(), to, count, at);
}

/// The machine stops within a write: it may be there, as one that was not synced.
int write(sqlite3_file* x, const void* what, int count, sqlite3_int64 at) {
  auto& f = of(x);
  if (f.disk->stopped())
    return SQLITE_IOERR_WRITE;
  auto where = f.is_database()         ? place::checkpoint
               : f.is_log() && at == 0 ? place::log_restart
                                       : place::anywhere;
  auto goes_on = f.disk->operation(where);
  change y;
  y.path = f.path;
  y.at = at;
  y.size_before = size_of(f);
  y.before = bytes_of(f, at, std::min<std::int64_t>(at + count, y.size_before));
  y.after.assign(static_cast<const char*>(what), static_cast<std::size_t>(count));
  auto code = f.real()->pMethods->xWrite(f.real(), what, count, at);
  f.disk->changed(std::move(y));
  return goes_on ? code : SQLITE_IOERR_WRITE;
}

int truncate(sqlite3_file* x, sqlite3_int64 size) {
  auto& f = of(x);
  if (f.disk->stopped())
    return SQLITE_IOERR_TRUNCATE;
  auto goes_on = f.disk->operation(place::anywhere);
  change y;
  y.what = change::kind::resize;
  y.path = f.path;
  y.at = size;
  y.size_before = size_of(f);
  y.before = bytes_of(f, size, y.size_before);
  auto code = f.real()->pMethods->xTruncate(f.real(), size);
  f.disk->changed(std::move(y));
  return goes_on ? code : SQLITE_IOERR_TRUNCATE;
}

/// The process goes on, so nothing needs to reach the real disk. A sync that fails ends a node; one
/// in which the machine stops is not answered, which here is another error.
int sync(sqlite3_file* x, int) {
  auto& f = of(x);
  if (!f.disk->operation(place::anywhere))
    return SQLITE_IOERR;
  f.disk->synced(f.path);
  return SQLITE_OK;
}

int file_size(sqlite3_file* x, sqlite3_int64* size) {
  auto& f = of(x);
  return f.disk->stopped() ? SQLITE_IOERR_FSTAT : f.real()->pMethods->xFileSize(f.real(), size);
}

int lock(sqlite3_file* x, int how) {
  return of(x).real()->pMethods->xLock(of(x).real(), how);
}

int unlock(sqlite3_file* x, int how) {
  return of(x).real()->pMethods->xUnlock(of(x).real(), how);
}

int check_lock(sqlite3_file* x, int* result) {
  return of(x).real()->pMethods->xCheckReservedLock(of(x).real(), result);
}

int control(sqlite3_file* x, int what, void* with) {
  return of(x).real()->pMethods->xFileControl(of(x).real(), what, with);
}

int sector_size(sqlite3_file* x) {
  return of(x).real()->pMethods->xSectorSize(of(x).real());
}

int characteristics(sqlite3_file* x) {
  return of(x).real()->pMethods->xDeviceCharacteristics(of(x).real());
}

const sqlite3_io_methods methods = {
    1,       close,      read,    write,       truncate,        sync,    file_size, lock,
    unlock,  check_lock, control, sector_size, characteristics, nullptr, nullptr,   nullptr,
    nullptr, nullptr,    nullptr};

sqlite3_vfs& system_files() {
  static auto* x = sqlite3_vfs_find(nullptr);
  return *x;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* to, int flags, int* out) {
  auto* disk = disk_of(name);
  if (!disk) // the room behind it is not used
    return system_files().xOpen(&system_files(), name, to, flags, out);
  to->pMethods = nullptr;
  if (disk->stopped())
    return SQLITE_CANTOPEN;
  auto there = 0;
  system_files().xAccess(&system_files(), name, SQLITE_ACCESS_EXISTS, &there);
  if (!there && (flags & SQLITE_OPEN_CREATE)) {
    if (!disk->operation(place::anywhere))
      return SQLITE_CANTOPEN;
    change x;
    x.what = change::kind::create;
    x.path = name;
    disk->changed(std::move(x));
  }
  auto* f = new (to) file;
  f->pMethods = &methods;
  f->disk = disk;
  f->path = name;
  auto code = system_files().xOpen(&system_files(), name, f->real(), flags, out);
  if (code != SQLITE_OK) {
    if (f->real()->pMethods)
      f->real()->pMethods->xClose(f->real());
    f->~file();
    to->pMethods = nullptr;
  }
  return code;
}

int remove(sqlite3_vfs*, const char* name, int sync_folder) {
  auto* disk = disk_of(name);
  if (!disk)
    return system_files().xDelete(&system_files(), name, sync_folder);
  if (!disk->operation(place::anywhere))
    return SQLITE_IOERR_DELETE;
  change x;
  x.what = change::kind::remove;
  x.path = name;
  std::string whole;
  if (auto* from = std::fopen(name, "rb")) {
    char some[4096];
    while (auto n = std::fread(some, 1, sizeof some, from))
      x.before.append(some, n);
    std::fclose(from);
  } else {
    return SQLITE_IOERR_DELETE_NOENT;
  }
  auto code = system_files().xDelete(&system_files(), name, 0);
  disk->changed(std::move(x));
  return code;
}

int random_bytes(sqlite3_vfs*, int count, char* to) {
  for (int i = 0; i < count; ++i)
    to[i] = static_cast<char>(salts());
  return count;
}

void install() {
  static sqlite3_vfs ours = [] {
    auto x = system_files();
    x.szOsFile += static_cast<int>(sizeof(file));
    x.pNext = nullptr;
    x.zName = "crashing";
    x.xOpen = open;
    x.xDelete = remove;
    x.xRandomness = random_bytes;
    return x;
  }();
  if (sqlite3_vfs_find(nullptr) != &ours)
    sqlite3_vfs_register(&ours, 1);
}

} // namespace

void enrol(crashing_disk& x) {
  install();
  disks[x.folder()] = &x;
}

void leave(crashing_disk& x) {
  disks.erase(x.folder());
}

void seed_sqlite(std::uint64_t seed) {
  install();
  salts.seed(seed);
  sqlite3_randomness(0, nullptr);
}

} // namespace legion::proof
