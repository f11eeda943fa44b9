#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "runtime/console/backup_file.hpp"
#include "runtime/console/output_file.hpp"
#include "runtime/console/verbs.hpp"
#include "runtime/console/words.hpp"

/// backup: the zone's state into a file; and what is in such a file.
namespace legion::console {

namespace {

constexpr std::uint64_t most_bytes_at_once = 8 * 1024 * 1024; // of states, per request

/// Where the bytes go: a file, or standard output.
class backup_sink {
public:
  backup_sink(const backup_options& how, terminal& with)
      : with_(with), file_(how.file, how.force), stdout_(how.file == "-") {}

  result<void> open() { return stdout_ ? result<void>{} : file_.open(); }
  result<void> write(const std::string& bytes) {
    if (!stdout_)
      return file_.write(bytes);
    if (!with_.out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush())
      return fault{errc::disk, "standard output: writing failed"};
    return {};
  }
  /// Read back first: a backup that does not read is none.
  result<void> keep() {
    if (stdout_)
      return {};
    std::ifstream in{file_.unfinished(), std::ios::binary};
    backup_reader reader{in};
    auto head = reader.begin();
    if (!head)
      return head.why();
    for (;;) {
      auto x = reader.next();
      if (!x)
        return x.why();
      if (!*x)
        break;
    }
    return file_.keep();
  }

private:
  terminal& with_;
  output_file file_;
  bool stdout_;
};

/// One line that is written over, while somebody looks.
class progress_line {
public:
  explicit progress_line(terminal& with) : with_(with) {}
  ~progress_line() { clear(); }
  void show(std::size_t done, std::size_t of) {
    if (!with_.err_is_tty)
      return;
    with_.err << "\rbackup: " << done << " of " << of << " keeper groups" << std::flush;
    shown_ = true;
  }
  void clear() {
    if (std::exchange(shown_, false))
      with_.err << "\r\x1b[K" << std::flush;
  }

private:
  terminal& with_;
  bool shown_ = false;
};

struct contents {
  backup_file_head head;
  std::map<std::string, std::uint64_t> kinds;
  std::uint64_t resources = 0;
  std::uint32_t groups = 0;
};

void count(contents& to, const group_state& x) {
  ++to.groups;
  for (const auto& y : x.resources())
    if (!y.deleting()) {
      ++to.kinds[y.what().kind()];
      ++to.resources;
    }
}

std::string text_of(const contents& x) {
  std::string result =
      std::to_string(x.resources) + (x.resources == 1 ? " resource" : " resources");
  const char* mark = " (";
  for (const auto& [kind, n] : x.kinds) {
    result += mark + std::to_string(n) + " " + kind_name(kind);
    mark = ", ";
  }
  return result + (x.kinds.empty() ? "" : ")") + " of " + std::to_string(x.groups)
         + " keeper groups";
}

std::string json_of(const contents& x, const std::string& file) {
  nlohmann::ordered_json result;
  result["file"] = file;
  result["zone"] = x.head.zone();
  result["takenAt"] = rfc3339(x.head.begun_ms());
  result["writtenBy"] = x.head.program();
  result["keeperGroups"] = x.groups;
  result["resources"] = x.resources;
  for (const auto& [kind, n] : x.kinds)
    result["kinds"][kind] = n;
  return result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// Sizes first: they say whether every group has a quorum, before anything is written.
int ask_sizes(conversation& with, backup_reply& into) {
  api_request request;
  request.mutable_backup();
  return with.ask(request, [&](const api_reply& x) {
    with.print_notes(x);
    if (x.has_backup())
      into = x.backup();
    return true;
  });
}

class backing {
public:
  backing(conversation& with, const backup_options& how)
      : with_(with), sink_(how, with.with()), progress_(with.with()) {}

  int run(const backup_reply& sizes, contents& told) {
    told.head.set_program("legionctl " LEGION_VERSION);
    told.head.set_cluster(sizes.cluster());
    told.head.set_zone(sizes.zone());
    told.head.set_begun_ms(with_.with().now());
    told.head.set_groups(static_cast<std::uint32_t>(sizes.heads_size()));
    if (!write(sink_.open()) || !write(sink_.write(writer_.begin(told.head))))
      return exit_refused;
    backup_request next;
    std::uint64_t bytes = 0;
    for (const auto& x : sizes.heads()) {
      if (x.resources() == 0) { // as it was when it was asked
        group_state empty;
        empty.set_group(x.group());
        empty.set_index(x.index());
        empty.set_incarnation(x.incarnation());
        add(empty, told);
        continue;
      }
      next.add_groups(x.group());
      bytes += x.bytes();
      if (bytes >= most_bytes_at_once)
        if (auto code = fetch(std::exchange(next, {}), told); code != exit_done)
          return code;
      bytes = bytes >= most_bytes_at_once ? 0 : bytes;
    }
    if (next.groups_size() > 0)
      if (auto code = fetch(next, told); code != exit_done)
        return code;
    if (!write(sink_.write(writer_.end(with_.with().now()))) || !write(sink_.keep()))
      return exit_refused;
    return exit_done;
  }

private:
  /// False: it was said why, and nothing goes on.
  bool write(const result<void>& done) {
    if (failed_ || done)
      return !failed_;
    failed_ = true;
    progress_.clear();
    with_.print_error(done.why().detail);
    return false;
  }

  void add(const group_state& x, contents& told) {
    count(told, x);
    write(sink_.write(writer_.add(x)));
    progress_.show(told.groups, told.head.groups());
  }

  int fetch(const backup_request& what, contents& told) {
    api_request request;
    *request.mutable_backup() = what;
    auto before = told.groups;
    auto code = with_.ask(request, [&](const api_reply& x) {
      with_.print_notes(x);
      for (const auto& y : x.backup().states())
        if (!failed_)
          add(y, told);
      if (x.has_refused())
        progress_.clear();
      return !failed_;
    });
    if (failed_)
      return exit_refused;
    if (code == exit_done
        && told.groups - before != static_cast<std::uint32_t>(what.groups_size())) {
      progress_.clear();
      with_.print_error("the node answered for " + std::to_string(told.groups - before) + " of "
                        + std::to_string(what.groups_size())
                        + " keeper groups: its version may be older than legionctl's");
      return exit_refused;
    }
    return code;
  }

  conversation& with_;
  backup_sink sink_;
  backup_writer writer_;
  progress_line progress_;
  bool failed_ = false;
};

} // namespace

int back_up(conversation& with, const backup_options& how) {
  if (how.file != "-" && !how.force)
    if (std::ifstream{how.file}) {
      with.print_error(how.file + " exists: --force replaces it");
      return exit_refused;
    }
  backup_reply sizes;
  if (auto code = ask_sizes(with, sizes); code != exit_done)
    return code;
  contents told;
  int code;
  {
    backing work{with, how};
    code = work.run(sizes, told);
  }
  if (code != exit_done)
    return code;
  auto& out = how.file == "-" ? with.with().err : with.with().out;
  if (how.output == "json")
    out << json_of(told, how.file);
  else
    out << "backed up zone " << plain(told.head.zone()) << ": " << text_of(told)
        << (how.file == "-" ? "" : ", into " + how.file) << '\n';
  out << std::flush;
  return exit_done;
}

int verify_backup(terminal& with, const backup_options& how) {
  auto say = [&](const fault& why) {
    with.err << "error: " << plain(how.file == "-" ? "standard input" : how.file) << ": "
             << plain(why.detail) << '\n'
             << std::flush;
    return static_cast<int>(why.code == errc::not_found ? exit_usage : exit_refused);
  };
  std::ifstream file;
  if (how.file != "-") {
    file.open(how.file, std::ios::binary);
    if (!file)
      return say({errc::not_found, std::generic_category().message(errno)});
  }
  backup_reader reader{how.file == "-" ? with.in : file};
  auto head = reader.begin();
  if (!head)
    return say(head.why());
  contents told;
  told.head = *head;
  for (;;) {
    auto x = reader.next();
    if (!x)
      return say(x.why());
    if (!*x)
      break;
    count(told, **x);
  }
  if (how.output == "json")
    with.out << json_of(told, how.file);
  else
    with.out << plain(how.file) << " is whole: zone " << plain(head->zone()) << " as of "
             << rfc3339(head->begun_ms()) << ", " << text_of(told) << ", written by "
             << plain(head->program()) << '\n';
  with.out << std::flush;
  return exit_done;
}

} // namespace legion::console
