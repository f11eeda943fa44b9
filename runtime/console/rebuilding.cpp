#include <algorithm>
#include <functional>
#include <map>
#include <sstream>
#include <tuple>

#include <nlohmann/json.hpp>

#include "runtime/console/verbs.hpp"
#include "runtime/console/words.hpp"

/// keepers rebuild: shows what is lost and what is left, asks, and has the groups raised.
namespace legion::console {

namespace {

/// 0-5, 9, 12-63
std::string ranges_of(const std::vector<std::uint32_t>& sorted) {
  std::string result;
  for (std::size_t i = 0; i < sorted.size();) {
    auto j = i;
    while (j + 1 < sorted.size() && sorted[j + 1] == sorted[j] + 1)
      ++j;
    result += (result.empty() ? "" : ", ") + std::to_string(sorted[i])
              + (j > i ? "-" + std::to_string(sorted[j]) : "");
    i = j + 1;
  }
  return result;
}

std::string names_of(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string result;
  for (const auto& x : names)
    result += (result.empty() ? "" : ", ") + plain(x);
  return result;
}

std::string json_of(const rebuild_reply& x) {
  nlohmann::ordered_json result;
  result["keeperGroups"] = nlohmann::ordered_json::array();
  for (const auto& y : x.groups()) {
    auto& to = result["keeperGroups"].emplace_back();
    to["group"] = y.group();
    to["state"] = y.state();
    to["node"] = y.node_name();
    to["fromLog"] = y.from_log();
    to["resources"] = y.resources();
    to["promises"] = y.promises();
    to["incarnation"] = y.incarnation();
    if (!y.detail().empty())
      to["detail"] = y.detail();
  }
  result["silentNodes"] = std::vector<std::string>{x.silent().begin(), x.silent().end()};
  return result.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// Groups that fare alike are told of together.
struct alike {
  std::string state, node, voters, detail;
  bool from_log = false;
  auto operator<=>(const alike&) const = default;
};
struct sums {
  std::vector<std::uint32_t> groups;
  std::uint64_t resources = 0, promises = 0;
};

void print(std::ostream& out, const rebuild_reply& x) {
  std::map<alike, sums> all;
  for (const auto& y : x.groups()) {
    auto& to = all[{y.state(), y.node_name(), names_of(y.voters()),
                    y.state() == "failed" ? y.detail() : "", y.from_log()}];
    to.groups.push_back(y.group());
    to.resources += y.resources();
    to.promises += y.promises();
  }
  for (auto& [how, sum] : all) {
    std::sort(sum.groups.begin(), sum.groups.end());
    out << (sum.groups.size() == 1 ? "keeper group " : "keeper groups ") << ranges_of(sum.groups)
        << ": ";
    if (how.state == "failed") {
      out << "not raised: " << plain(how.detail) << '\n';
      continue;
    }
    out << (how.state == "raised" ? "raised on " : "lost; to be raised on ") << plain(how.node)
        << (how.from_log ? " from its log and from promises" : " from promises only") << ": "
        << sum.resources << (sum.resources == 1 ? " resource, " : " resources, ") << sum.promises
        << (sum.promises == 1 ? " promise\n" : " promises\n");
    if (how.state == "lost" && !how.voters.empty())
      out << "  its members were " << how.voters << '\n';
  }
}

void print_missing(std::ostream& out, const rebuild_reply& x) {
  auto no_log = std::any_of(x.groups().begin(), x.groups().end(),
                            [](const auto& y) { return y.state() != "failed" && !y.from_log(); });
  if (x.silent_size() > 0)
    out << "these nodes say nothing, and what only they know is missing: " << names_of(x.silent())
        << '\n';
  out << "what may be missing: changes that only lost nodes had";
  if (no_log)
    out << "; without a log, also resources that no node holds a promise for (scaled to zero, for "
           "one), and the last change of how many replicas there are";
  out << '\n';
  for (const auto& y : x.groups())
    for (const auto& name : y.only_ending())
      out << kind_name(name.kind()) << '/' << plain(name.name()) << " in namespace "
          << plain(name.namespace_())
          << ": all that is left of it ends, so it counts as deleted; apply it again if it should "
             "run\n";
}

int ask(conversation& with, const std::vector<std::uint32_t>& groups, bool dry_run,
        rebuild_reply& into) {
  api_request request;
  auto& what = *request.mutable_rebuild();
  what.set_dry_run(dry_run);
  for (auto g : groups)
    what.add_groups(g);
  return with.ask(request, [&](const api_reply& x) {
    with.print_notes(x);
    if (x.has_rebuild())
      into = x.rebuild();
    return true;
  });
}

bool confirmed(terminal& with) {
  with.err
      << "Members of these groups that are not lost, wherever they are, stop for good when they "
         "hear of it.\nRaise them? Type yes: "
      << std::flush;
  std::string answer;
  return std::getline(with.in, answer) && answer == "yes";
}

/// Folded for a terminal, as it is for a file.
void tell(terminal& with, const std::function<void(std::ostream&)>& what) {
  std::ostringstream text;
  what(text);
  with.out << (with.out_is_tty ? folded(text.str()) : text.str());
}

} // namespace

int rebuild_keepers(conversation& with, const rebuild_options& how) {
  rebuild_reply found;
  if (auto code = ask(with, how.groups, true, found); code != exit_done)
    return code;
  auto& out = with.with().out;
  auto json = how.output == "json";
  std::vector<std::uint32_t> lost;
  for (const auto& x : found.groups())
    if (x.state() == "lost")
      lost.push_back(x.group());
  if (found.groups().empty()) {
    out << (json ? json_of(found) : "every keeper group answers: there is nothing to rebuild\n")
        << std::flush;
    return exit_done;
  }
  if (json && (how.dry_run || lost.empty()))
    out << json_of(found);
  else if (!json)
    tell(with.with(), [&](std::ostream& to) {
      print(to, found);
      if (!lost.empty())
        print_missing(to, found);
    });
  out << std::flush;
  if (lost.empty())
    return exit_refused;
  if (how.dry_run)
    return exit_done;
  if (!how.yes && !confirmed(with.with())) {
    with.print_error("nothing was changed: say yes, or --yes");
    return exit_refused;
  }
  rebuild_reply done;
  auto code = ask(with, lost, false, done);
  if (json)
    out << json_of(done);
  else
    tell(with.with(), [&](std::ostream& to) {
      print(to, done);
      if (done.groups_size() > 0)
        print_missing(to, done);
      if (code == exit_done)
        to << "look at what runs: legionctl get deployments -A; restore what is missing: "
              "legionctl restore FILE --missing-only\n";
    });
  out << std::flush;
  return code;
}

} // namespace legion::console
