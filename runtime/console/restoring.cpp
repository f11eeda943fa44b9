#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include <nlohmann/json.hpp>

#include "runtime/console/backup_file.hpp"
#include "runtime/console/verbs.hpp"
#include "runtime/console/words.hpp"

/// restore: what a backup holds goes back into a zone. The whole file is checked, and every resource
/// asked after, before anything is changed.
namespace legion::console {

namespace {

constexpr std::size_t request_bytes = 4 * 1024 * 1024; // and the resource that takes it over

struct tally {
  std::map<std::string, std::map<std::string, std::uint64_t>> by_action; // then by kind
  std::map<std::string, std::string> refused; // kind/namespace/name, and why
  std::uint64_t all = 0;
};

std::string full_name(const resource_name& x) {
  return kind_name(x.kind()) + "/" + plain(x.name()) + " in namespace " + plain(x.namespace_());
}

void count(tally& to, const api_reply& x) {
  for (const auto& y : x.results()) {
    ++to.all;
    if (y.has_refused())
      to.refused[full_name(y.name())] = plain(y.refused().detail());
    else
      ++to.by_action[y.action()][y.name().kind()];
  }
}

std::string text_of(const std::map<std::string, std::uint64_t>& kinds) {
  std::string result;
  for (const auto& [kind, n] : kinds)
    result += (result.empty() ? "" : ", ") + std::to_string(n) + " " + kind_name(kind);
  return result;
}

std::string json_of(const tally& x, const backup_file_head& head, bool dry_run) {
  nlohmann::ordered_json result;
  result["zone"] = head.zone();
  result["takenAt"] = rfc3339(head.begun_ms());
  result["dryRun"] = dry_run;
  result["resources"] = x.all;
  for (const auto& [action, kinds] : x.by_action)
    for (const auto& [kind, n] : kinds)
      result[action][kind] = n;
  for (const auto& [name, why] : x.refused)
    result["refused"][name] = why;
  return result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

class restoring {
public:
  restoring(conversation& with, const restore_options& how) : with_(with), how_(how) {}

  int run() {
    if (auto done = open(); !done)
      return refuse(done.why());
    if (auto done = check(); !done)
      return refuse(done.why());
    tally expected;
    if (auto code = send_all(true, expected); code != exit_done)
      return code;
    if (!expected.refused.empty()) {
      print_refused(expected);
      with_.print_error(std::to_string(expected.refused.size()) + " of "
                        + std::to_string(expected.all)
                        + " resources can't be restored, and nothing was changed. --missing-only "
                          "restores only what is not there; --force sets back what differs");
      return exit_refused;
    }
    if (how_.dry_run)
      return finish(expected);
    tally done;
    auto code = send_all(false, done);
    if (code == exit_done && done.refused.empty())
      return finish(done);
    print_refused(done);
    print_counts(done);
    with_.print_error("the backup is restored in part only: repeat the command; what is there "
                      "already counts as unchanged");
    return code == exit_done ? static_cast<int>(exit_refused) : code;
  }

private:
  result<void> open() {
    if (how_.file == "-") {
      text_.str({std::istreambuf_iterator<char>(with_.with().in), {}});
      return {};
    }
    file_.open(how_.file, std::ios::binary);
    if (!file_)
      return fault{errc::not_found, std::generic_category().message(errno)};
    return {};
  }

  std::istream& from_the_beginning() {
    std::istream& in = how_.file == "-" ? static_cast<std::istream&>(text_) : file_;
    in.clear();
    in.seekg(0);
    return in;
  }

  /// All of it, before any of it is used.
  result<void> check() {
    backup_reader reader{from_the_beginning()};
    auto head = reader.begin();
    if (!head)
      return head.why();
    head_ = *head;
    for (;;) {
      auto x = reader.next();
      if (!x)
        return x.why();
      if (!*x)
        break;
      incarnation_ = std::max<std::uint64_t>(incarnation_, (*x)->incarnation());
    }
    name_ = reader.name();
    return {};
  }

  int send_all(bool dry_run, tally& into) {
    backup_reader reader{from_the_beginning()};
    auto head = reader.begin();
    if (!head)
      return refuse(head.why());
    api_request request;
    std::size_t bytes = 0;
    auto code = static_cast<int>(exit_done);
    for (;;) {
      auto x = reader.next();
      if (!x)
        return refuse(x.why());
      if (!*x)
        break;
      for (auto& y : *(*x)->mutable_resources()) {
        if (y.deleting())
          continue;
        bytes += y.ByteSizeLong();
        *request.mutable_restore()->add_resources() = std::move(y);
        if (bytes < request_bytes)
          continue;
        if (code = send(std::exchange(request, {}), dry_run, into); code != exit_done)
          return code;
        bytes = 0;
      }
    }
    if (reader.name() != name_)
      return refuse({errc::conflict, "it has changed while it was read"});
    if (request.has_restore())
      code = send(std::move(request), dry_run, into);
    return code;
  }

  int send(api_request request, bool dry_run, tally& into) {
    auto& what = *request.mutable_restore();
    what.set_incarnation(incarnation_);
    what.set_replace(how_.force);
    what.set_missing_only(how_.missing_only);
    what.set_dry_run(dry_run);
    auto each = false; // refused one by one: told at the end
    auto code = with_.ask(request, [&](const api_reply& x) {
      with_.print_notes(x);
      count(into, x);
      each = each || x.results_size() > 0;
      return true;
    });
    return each && code == exit_refused ? static_cast<int>(exit_done) : code;
  }

  void print_refused(const tally& x) {
    constexpr std::size_t most = 20;
    std::size_t shown = 0;
    for (const auto& [name, why] : x.refused) {
      if (++shown > most) {
        with_.with().err << "and " << x.refused.size() - most << " more\n";
        break;
      }
      with_.with().err << name << ": " << why << '\n';
    }
    with_.with().err << std::flush;
  }

  void print_counts(const tally& x) {
    for (const auto& [action, kinds] : x.by_action)
      with_.with().out << (how_.dry_run ? "would be " : "") << plain(action) << ": "
                       << text_of(kinds) << '\n';
    with_.with().out << std::flush;
  }

  int finish(const tally& x) {
    auto& out = with_.with().out;
    if (how_.output == "json") {
      out << json_of(x, head_, how_.dry_run) << std::flush;
      return exit_done;
    }
    out << "backup of zone " << plain(head_.zone()) << " as of " << rfc3339(head_.begun_ms())
        << ": " << x.all << (x.all == 1 ? " resource\n" : " resources\n");
    print_counts(x);
    auto changed = std::any_of(x.by_action.begin(), x.by_action.end(),
                               [](const auto& y) { return y.first != "unchanged"; });
    if (!how_.dry_run && changed)
      out << "its replicas are called for now: legionctl get pods -A -w\n";
    out << std::flush;
    return exit_done;
  }

  int refuse(const fault& why) {
    with_.print_error((how_.file == "-" ? "standard input" : how_.file) + ": " + why.detail);
    return why.code == errc::not_found ? exit_usage : exit_refused;
  }

  conversation& with_;
  const restore_options& how_;
  std::ifstream file_;
  std::istringstream text_;
  backup_file_head head_;
  std::uint64_t incarnation_ = 0;
  std::string name_;
};

} // namespace

int restore(conversation& with, const restore_options& how) {
  if (how.force && how.missing_only) {
    with.print_error("--force sets back what differs, --missing-only leaves it alone: give one");
    return exit_usage;
  }
  return restoring{with, how}.run();
}

} // namespace legion::console
