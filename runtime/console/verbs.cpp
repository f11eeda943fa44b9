#include "runtime/console/verbs.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/console/describe.hpp"
#include "runtime/console/explain.hpp"
#include "runtime/console/waiting.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

// What a request frame can carry with room for its other fields.
constexpr std::size_t most_file_bytes = 15 * 1024 * 1024;

void print_diagnostics(conversation& with, const api_reply& x) {
  for (const auto& y : x.diagnostics()) {
    auto place = y.file();
    if (y.line())
      place += ":" + std::to_string(y.line()) + ":" + std::to_string(y.column());
    place += ": ";
    auto text = y.text().starts_with(place) ? y.text().substr(place.size()) : y.text();
    auto line = plain(place) + (y.warning() ? "warning: " : "error: ") + plain(text);
    with.with().err << (with.with().err_is_tty ? folded(line) : line) << '\n';
  }
}

void print_results(conversation& with, const api_reply& x) {
  for (const auto& y : x.results()) {
    auto name = kind_name(y.name().kind()) + "/" + plain(y.name().name());
    if (y.has_refused() && x.results_size() > 1) // else the reply's own refusal says it
      with.with().err << name << " not changed: " << plain(y.refused().detail()) << '\n';
    else if (y.has_refused())
      continue;
    else if (y.action() == "deleted")
      with.with().out << kind_name(y.name().kind()) << " \"" << plain(y.name().name())
                      << "\" deleted\n";
    else
      with.with().out << name << ' ' << plain(y.action()) << '\n';
  }
  with.with().out << std::flush;
}

std::string singular(const std::string& kind) {
  return kind == "nodes"         ? "node"
         : kind == "deployments" ? "deployment"
         : kind == "pods"        ? "pod"
                                 : "promise";
}

resource_name resource_of(const std::string& kind, const std::string& name, const scope& where) {
  resource_name x;
  x.set_kind(kind == "deployments" ? "Deployment" : kind == "pods" ? "Pod" : singular(kind));
  x.set_namespace_(where.ns);
  x.set_name(name);
  return x;
}

} // namespace

std::string kind_word(std::string_view word) {
  struct row {
    const char* kind;
    std::array<std::string_view, 6> words;
  };
  static constexpr std::array<row, 4> kinds{{
      {"nodes", {"nodes", "node", "no", "Node", "nodes.legion.dev"}},
      {"deployments",
       {"deployments", "deployment", "deploy", "Deployment", "deployment.apps",
        "deployments.apps"}},
      {"pods", {"pods", "pod", "po", "Pod", "pods."}},
      {"promises", {"promises", "promise", "pr", "Promise", "promise.legion.dev"}},
  }};
  for (const auto& x : kinds)
    if (std::find(x.words.begin(), x.words.end(), word) != x.words.end())
      return x.kind;
  return {};
}

result<std::vector<named_things>> read_names(const std::vector<std::string>& words, naming why) {
  std::string kinds =
      why == naming::to_delete ? "deployments or pods" : "nodes, deployments, pods or promises";
  auto no_kind = [&](const std::string& word) {
    std::vector<std::string> known{"deployments", "deployment", "pods", "pod"};
    if (why != naming::to_delete)
      known.insert(known.end(), {"nodes", "node", "promises", "promise"});
    return fault{errc::invalid,
                 "there is no kind '" + word + "'" + did_you_mean(word, known) + ": " + kinds};
  };
  std::vector<named_things> result;
  if (words.empty())
    return fault{errc::invalid, "name a kind: " + kinds};
  if (words.front().find('/') == std::string::npos) {
    std::string_view rest = words.front();
    while (!rest.empty()) {
      auto comma = std::min(rest.find(','), rest.size());
      auto word = std::string{rest.substr(0, comma)};
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      auto kind = kind_word(word);
      if (kind.empty())
        return no_kind(word);
      result.push_back({kind, {words.begin() + 1, words.end()}});
    }
    for (const auto& x : result.front().names)
      if (x.find('/') != std::string::npos)
        return fault{errc::invalid, "'" + x + "': give KIND NAME... or KIND/NAME..., not both"};
    return result;
  }
  for (const auto& word : words) {
    auto slash = word.find('/');
    if (slash == std::string::npos || slash + 1 == word.size())
      return fault{errc::invalid, "'" + word + "': give KIND NAME... or KIND/NAME..., not both"};
    auto kind = kind_word(word.substr(0, slash));
    if (kind.empty())
      return no_kind(word.substr(0, slash));
    auto i = std::find_if(result.begin(), result.end(),
                          [&](const named_things& x) { return x.kind == kind; });
    if (i == result.end())
      i = result.insert(result.end(), {kind, {}});
    i->names.push_back(word.substr(slash + 1));
  }
  return result;
}

result<std::vector<source_file>> read_files(const std::vector<std::string>& names,
                                            std::istream& standard_input) {
  namespace fs = std::filesystem;
  std::vector<source_file> result;
  std::size_t bytes = 0;
  auto take = [&](const std::string& name, std::istream& from) {
    auto& file = result.emplace_back();
    file.set_name(name);
    char piece[64 * 1024];
    // No further than the limit: it may be a device without an end.
    while (bytes <= most_file_bytes && (from.read(piece, sizeof piece) || from.gcount() > 0)) {
      file.mutable_text()->append(piece, static_cast<std::size_t>(from.gcount()));
      bytes += static_cast<std::size_t>(from.gcount());
    }
  };
  for (const auto& name : names) {
    if (name == "-") {
      take("standard input", standard_input);
      continue;
    }
    std::error_code failed;
    std::vector<std::string> paths;
    if (fs::is_directory(name, failed)) {
      for (fs::directory_iterator i{name, failed}, end; !failed && i != end; i.increment(failed)) {
        auto ending = i->path().extension();
        if (ending == ".yaml" || ending == ".yml" || ending == ".json")
          paths.push_back(i->path().string());
      }
      std::sort(paths.begin(), paths.end());
      if (failed || paths.empty())
        return fault{errc::not_found,
                     name + ": "
                         + (failed ? failed.message() : "no .yaml, .yml or .json file in it")};
    } else {
      paths.push_back(name);
    }
    for (const auto& path : paths) {
      std::ifstream file{path, std::ios::binary};
      if (!file)
        return fault{errc::not_found, path + ": " + std::generic_category().message(errno)};
      take(path, file);
    }
    if (bytes > most_file_bytes)
      return fault{errc::too_large,
                   "the files have more than 15 MiB together: apply them in parts"};
  }
  return result;
}

int apply(conversation& with, const apply_options& how, const scope& where) {
  auto files = read_files(how.files, with.with().in);
  if (!files) {
    with.print_error(files.why().detail);
    return exit_usage;
  }
  api_request request;
  auto& what = *request.mutable_apply();
  for (auto& x : *files)
    *what.add_files() = std::move(x);
  what.set_strict(how.strict);
  what.set_dry_run(how.dry_run);
  what.set_namespace_(where.ns);
  std::vector<put_result> applied;
  auto code = with.ask(request, [&](const api_reply& x) {
    print_diagnostics(with, x);
    print_results(with, x);
    with.print_notes(x);
    applied.assign(x.results().begin(), x.results().end());
    return true;
  });
  if (code != exit_done || !how.wait || how.dry_run)
    return code;
  return wait_for(with, applied, how.wait_timeout);
}

int describe_things(conversation& with, const std::vector<std::string>& words, const scope& where) {
  auto things = read_names(words);
  if (!things) {
    with.print_error(things.why().detail);
    return exit_usage;
  }
  auto first = true;
  auto worst = static_cast<int>(exit_done);
  for (const auto& thing : *things) {
    api_request request;
    auto& what = *request.mutable_get();
    what.set_kind(thing.kind);
    for (const auto& name : thing.names)
      what.add_names(name);
    what.set_namespace_(where.ns);
    what.set_all_namespaces(where.all_namespaces);
    what.set_events(true);
    auto code = with.ask(request, [&](const api_reply& x) {
      auto text = describe(thing.kind, x, with.with().now());
      with.with().out << (first || text.empty() ? "" : "\n") << text << std::flush;
      first = first && text.empty();
      with.print_notes(x);
      return true;
    });
    worst = std::max(worst, code);
  }
  return worst;
}

int remove(conversation& with, const std::vector<std::string>& words,
           const std::vector<std::string>& file_names, const scope& where) {
  api_request request;
  auto& what = *request.mutable_delete_();
  what.set_namespace_(where.ns);
  auto files = read_files(file_names, with.with().in);
  if (!files) {
    with.print_error(files.why().detail);
    return exit_usage;
  }
  for (auto& x : *files)
    *what.add_files() = std::move(x);
  if (words.empty() && file_names.empty()) {
    with.print_error("name what to delete: legionctl delete deployment NAME, delete pod NAME, or "
                     "delete -f FILE");
    return exit_usage;
  }
  if (!words.empty()) {
    auto things = read_names(words, naming::to_delete);
    if (!things || things->front().names.empty()) {
      with.print_error(things ? "name what to delete: legionctl delete " + words.front() + " NAME"
                              : things.why().detail);
      return exit_usage;
    }
    for (const auto& thing : *things)
      for (const auto& name : thing.names)
        *what.add_names() = resource_of(thing.kind, name, where);
  }
  return with.ask(request, [&](const api_reply& x) {
    print_diagnostics(with, x);
    print_results(with, x);
    with.print_notes(x);
    return true;
  });
}

int scale(conversation& with, const std::vector<std::string>& words, int replicas,
          std::uint64_t expected_version, const scope& where) {
  auto things = read_names(words);
  auto one = things && things->size() == 1 && things->front().names.size() == 1;
  if (!one || things->front().kind != "deployments") {
    with.print_error(things ? "name one deployment: legionctl scale deployment NAME --replicas N"
                            : things.why().detail);
    return exit_usage;
  }
  api_request request;
  *request.mutable_scale()->mutable_name() =
      resource_of("deployments", things->front().names.front(), where);
  request.mutable_scale()->set_replicas(replicas);
  request.mutable_scale()->set_expected_version(expected_version);
  return with.ask(request, [&](const api_reply& x) {
    print_results(with, x);
    with.print_notes(x);
    return true;
  });
}

int logs(conversation& with, logs_request what) {
  api_request request;
  auto endless = what.follow();
  *request.mutable_logs() = std::move(what);
  log_lines read; // how far
  auto safe = with.with().out_is_tty;
  return with.ask(request,
                  [&](const api_reply& x) {
                    with.print_notes(x);
                    with.with().out << (safe ? plain_output(x.log().text()) : x.log().text())
                                    << std::flush;
                    if (x.has_log()) {
                      read = x.log();
                      read.clear_text();
                    }
                    return static_cast<bool>(with.with().out);
                  },
                  {endless, [&](api_request& next) {
                     if (read.workload().empty())
                       return; // nothing of it: from the start
                     auto& rest = *next.mutable_logs();
                     rest.set_life_given(true);
                     rest.set_workload(read.workload());
                     rest.set_life(read.life());
                     rest.set_offset(read.next_offset());
                     rest.set_previous(false);
                     rest.set_tail_lines(-1);
                   }});
}

int why(conversation& with, why_request what) {
  api_request request;
  *request.mutable_why() = std::move(what);
  return with.ask(request, [&](const api_reply& x) {
    if (x.has_explanation())
      with.with().out << explain(x.explanation(), with.with().now()) << std::flush;
    with.print_notes(x);
    return true;
  });
}

int cordon(conversation& with, const std::string& node, bool cordoned) {
  api_request request;
  request.mutable_cordon()->set_node(node);
  request.mutable_cordon()->set_cordoned(cordoned);
  return with.ask(request, [&](const api_reply& x) {
    if (!x.has_refused())
      with.with().out << "node/" << plain(node) << (cordoned ? " cordoned\n" : " uncordoned\n")
                      << std::flush;
    with.print_notes(x);
    return true;
  });
}

int charter(conversation& with) {
  api_request request;
  request.mutable_charter();
  return with.ask(request, [&](const api_reply& x) {
    if (x.has_charter())
      with.with().out << describe_charter(x.charter()) << std::flush;
    with.print_notes(x);
    return true;
  });
}

int rebuild_charter(conversation& with, bool force) {
  api_request request;
  request.mutable_rebuild_charter()->set_force(force);
  return with.ask(request, [&](const api_reply& x) {
    if (!x.has_refused())
      with.with().out << "charter rebuilt by node " << plain(x.answered_by()) << '\n' << std::flush;
    with.print_notes(x);
    return true;
  });
}

int version(conversation& with) {
  with.with().out << "legionctl " LEGION_VERSION "\n" << std::flush;
  api_request request;
  request.mutable_version_of();
  return with.ask(request, [&](const api_reply& x) {
    with.with().out << "node " << plain(x.answered_by()) << ": legion-node " << plain(x.version())
                    << '\n'
                    << std::flush;
    return true;
  });
}

} // namespace legion::console
