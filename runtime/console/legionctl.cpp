#include "runtime/console/legionctl.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "runtime/console/completion.hpp"
#include "runtime/console/verbs.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

/// All that may be said on a command line.
struct arguments {
  std::string target;
  std::chrono::milliseconds request_timeout{30'000};
  scope where;
  apply_options apply;
  get_options get;
  std::vector<std::string> things;
  std::vector<std::string> files;
  int replicas = -1;
  std::uint64_t resource_version = 0;
  backup_options backup;
  restore_options restore;
  rebuild_options rebuild;
  logs_request logs;
  why_request why;
  std::string node;
  std::string action; // of `charter`
  bool force = false;
  std::string shell;
  std::string duration;
};

/// "90", "90s", "5m", "1h", "500ms".
std::optional<std::chrono::milliseconds> duration_of(const std::string& text) {
  std::size_t used = 0;
  double x = 0;
  try {
    x = std::stod(text, &used);
  } catch (const std::exception&) {
    return {};
  }
  auto unit = text.substr(used);
  auto factor = unit.empty() || unit == "s" ? 1e3
                : unit == "ms"              ? 1.0
                : unit == "m"               ? 60e3
                : unit == "h"               ? 3600e3
                                            : 0.0;
  if (factor == 0 || !(x >= 0) || x * factor > 1e12)
    return {};
  return std::chrono::milliseconds{static_cast<std::int64_t>(x * factor)};
}

void add_duration(CLI::App& to, const char* name, std::chrono::milliseconds& into,
                  const char* words) {
  to.add_option_function<std::string>(
        name,
        [&into, name](const std::string& text) {
          auto found = duration_of(text);
          if (!found)
            throw CLI::ValidationError(name, "'" + text + "': expected a time such as 30s, 5m, 1h");
          into = *found;
        },
        words)
      ->type_name("TIME");
}

void add_namespace(CLI::App& to, arguments& into, bool all) {
  to.add_option("-n,--namespace", into.where.ns, "the namespace [default]")->type_name("NS");
  if (all)
    to.add_flag("-A,--all-namespaces", into.where.all_namespaces, "every namespace");
}

void add_things(CLI::App& to, arguments& into, const char* words, bool required = true) {
  auto* option = to.add_option("THINGS", into.things, words);
  option->type_name(" ");
  if (required)
    option->required();
}

CLI::App* add_apply(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("apply", "make resources as files describe them");
  x->add_option("-f,--filename", into.apply.files, "a file, a folder, or - for standard input")
      ->required()
      ->type_name("FILE");
  x->add_flag("--wait", into.apply.wait, "wait until all is ready, and show how far it is");
  add_duration(*x, "--timeout", into.apply.wait_timeout, "how long --wait waits [5m]");
  x->add_flag("--strict", into.apply.strict, "fields that are not honoured yet are errors");
  x->add_flag("--dry-run", into.apply.dry_run, "check the files and change nothing");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl apply -f web.yaml --wait\n  legionctl apply -f manifests/ "
            "--dry-run --strict\n  cat web.yaml | legionctl apply -f -");
  return x;
}

CLI::App* add_get(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("get", "show nodes, deployments, pods or promises");
  add_things(*x, into, "KIND[,KIND...] [NAME...] or KIND/NAME...");
  add_namespace(*x, into, true);
  x->add_option("-l,--selector", into.get.selector, "labels: a=b,c!=d,e in (f,g),!h")
      ->type_name("SELECTOR");
  x->add_option("-o,--output", into.get.output, "wide, json, yaml or name")
      ->check(CLI::IsMember({"wide", "json", "yaml", "name"}))
      ->type_name("FORMAT");
  x->add_flag("-w,--watch", into.get.watch, "go on, and show what changes");
  x->add_flag("!--no-headers", into.get.headings, "rows only");
  x->footer("Examples:\n  legionctl get nodes\n  legionctl get pods -A -o wide\n  legionctl get "
            "deploy web -o yaml\n  legionctl get po -l app=web -w");
  return x;
}

CLI::App* add_describe(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("describe", "show all that is known of a thing, events included");
  add_things(*x, into, "KIND [NAME...] or KIND/NAME...");
  add_namespace(*x, into, true);
  x->footer("Examples:\n  legionctl describe deployment web\n  legionctl describe node/legion-1");
  return x;
}

CLI::App* add_delete(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("delete", "end resources and their replicas");
  add_things(*x, into, "KIND NAME... or KIND/NAME...", false);
  x->add_option("-f,--filename", into.files, "what these files describe")->type_name("FILE");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl delete -f web.yaml\n  legionctl delete deployment web");
  return x;
}

CLI::App* add_scale(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("scale", "change how many replicas a deployment has");
  add_things(*x, into, "deployment NAME or deployment/NAME");
  x->add_option("--replicas", into.replicas, "how many")->required()->type_name("N");
  x->add_option("--resource-version", into.resource_version, "only if it is at this version")
      ->type_name("N");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl scale deployment web --replicas 5");
  return x;
}

CLI::App* add_backup(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("backup", "write what the zone keeps into a file");
  x->add_option("FILE", into.backup.file, "the file, or - for standard output")
      ->required()
      ->type_name(" ");
  x->add_flag("--force", into.backup.force, "replace the file if it exists");
  x->add_flag("--verify", into.backup.verify, "only check the file, and show what is in it");
  x->add_option("-o,--output", into.backup.output, "json")
      ->check(CLI::IsMember({"json"}))
      ->type_name("FORMAT");
  x->footer("Every keeper group's state is read as its quorum has it. A backup holds what was "
            "applied: keep it as safe\nas your manifests' secrets.\n"
            "Examples:\n  legionctl backup zone.backup\n  legionctl backup --verify zone.backup\n"
            "  legionctl backup - | gzip > zone.backup.gz");
  return x;
}

CLI::App* add_restore(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("restore", "put what a backup holds back into a zone");
  x->add_option("FILE", into.restore.file, "a backup, or - for standard input")
      ->required()
      ->type_name(" ");
  x->add_flag("--force", into.restore.force, "set back what is there and differs");
  x->add_flag("--missing-only", into.restore.missing_only, "leave alone what is there");
  x->add_flag("--dry-run", into.restore.dry_run, "show what would become of it, change nothing");
  x->add_option("-o,--output", into.restore.output, "json")
      ->check(CLI::IsMember({"json"}))
      ->type_name("FORMAT");
  x->footer(
      "The whole file is checked before anything is changed. What the backup does not hold "
      "stays as it is.\n"
      "Examples:\n  legionctl restore zone.backup --dry-run\n  legionctl restore zone.backup");
  return x;
}

CLI::App* add_keepers(CLI::App& app, arguments& into) {
  auto* keepers =
      app.add_subcommand("keepers", "raise keeper groups whose quorum is lost for good");
  keepers->require_subcommand(1);
  auto* x = keepers->add_subcommand(
      "rebuild",
      "raise groups anew from what living nodes hold, once the others are lost for good");
  x->add_option("GROUP", into.rebuild.groups, "groups, 0 to 63; all that do not answer if none")
      ->type_name(" ");
  x->add_flag("-y,--yes", into.rebuild.yes, "do not ask before it is done");
  x->add_flag("--dry-run", into.rebuild.dry_run,
              "show what is lost and what is left, change nothing");
  x->add_option("-o,--output", into.rebuild.output, "json")
      ->check(CLI::IsMember({"json"}))
      ->type_name("FORMAT");
  x->footer("Start every node that can be started first: what only they hold is missing else.\n"
            "Examples:\n  legionctl keepers rebuild --dry-run\n  legionctl keepers rebuild");
  return keepers;
}

CLI::App* add_logs(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("logs", "show what a pod's container wrote");
  x->add_option_function<std::string>(
       "POD", [&into](const std::string& text) { into.logs.set_pod(text); }, "the pod")
      ->required()
      ->type_name(" ");
  x->add_flag_function(
      "-f,--follow", [&into](std::int64_t) { into.logs.set_follow(true); },
      "go on until the container ends");
  x->add_flag_function(
      "-p,--previous", [&into](std::int64_t) { into.logs.set_previous(true); },
      "of the life before this one");
  x->add_option_function<std::string>(
       "-c,--container", [&into](const std::string& text) { into.logs.set_container(text); },
       "which container")
      ->type_name("NAME");
  x->add_option_function<std::int64_t>(
       "--tail", [&into](std::int64_t n) { into.logs.set_tail_lines(n); }, "the last N lines only")
      ->type_name("N");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl logs web-6d5f9c7b8d-x2k4z\n  legionctl logs -f "
            "web-6d5f9c7b8d-x2k4z --tail 20\n  legionctl logs web-6d5f9c7b8d-x2k4z --previous");
  return x;
}

CLI::App* add_why(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("why", "show which offers and declines decided where a pod is");
  x->add_option_function<std::string>(
       "POD", [&into](const std::string& text) { into.why.set_pod(text); }, "the pod")
      ->required()
      ->type_name(" ");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl why web-6d5f9c7b8d-x2k4z");
  return x;
}

CLI::App* add_cordon(CLI::App& app, arguments& into, const char* name, const char* words) {
  auto* x = app.add_subcommand(name, words);
  x->add_option("NODE", into.node, "the node")->required()->type_name(" ");
  x->footer(std::string{"Examples:\n  legionctl "} + name + " legion-2");
  return x;
}

CLI::App* add_charter(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("charter", "show who decides about the zone's members, or raise "
                                          "that again");
  x->add_option("ACTION", into.action,
                "rebuild: by the node that is asked, after most of the "
                "voters were lost for good")
      ->check(CLI::IsMember({"rebuild"}))
      ->type_name(" ");
  x->add_flag("--force", into.force, "rebuild though other voters may be up");
  x->footer("Examples:\n  legionctl charter\n  legionctl charter rebuild --target 10.0.0.3:7711");
  return x;
}

/// kubectl's habit: `pod/web` is a pod's name too.
std::string without_kind(const std::string& name, const char* kind) {
  auto slash = name.find('/');
  return slash != std::string::npos && kind_word(name.substr(0, slash)) == kind
             ? name.substr(slash + 1)
             : name;
}

/// The first word that is no option and no option's value; empty if there is none.
std::string first_command(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--target" || words[i] == "--request-timeout")
      ++i;
    else if (!words[i].starts_with('-'))
      return words[i];
  }
  return {};
}

/// Says what is wrong with the words, and where it says how it is right.
int usage_error(const CLI::App& app, const CLI::ParseError& why, const std::string& command,
                terminal& with) {
  auto all = app.get_subcommands([](const CLI::App*) { return true; });
  auto known =
      std::any_of(all.begin(), all.end(), [&](auto* x) { return x->get_name() == command; });
  if (!command.empty() && !known) {
    with.err << "error: there is no command '" << plain(command) << "'; there are";
    const char* comma = " ";
    for (const auto* x : all) {
      with.err << comma << x->get_name();
      comma = ", ";
    }
    with.err << '\n';
  } else {
    with.err << "error: " << plain(why.what()) << '\n';
  }
  with.err << "see: legionctl " << (known ? command + " " : "") << "--help\n" << std::flush;
  return exit_usage;
}

void add_flags(verb_words& to, const CLI::App& of) {
  for (const auto* x : of.get_options()) {
    flag_words flag;
    if (!x->get_lnames().empty())
      flag.name = x->get_lnames().front();
    if (!x->get_snames().empty())
      flag.letter = x->get_snames().front();
    flag.takes_value = x->get_items_expected_max() > 0;
    flag.about = x->get_description();
    if (!flag.name.empty() || !flag.letter.empty()) // else it has a place, and no name
      to.flags.push_back(std::move(flag));
  }
}

/// Every command with what may be said to it, for completion.
std::vector<verb_words> verbs_of(const CLI::App& app) {
  std::vector<verb_words> result;
  for (const auto* x : app.get_subcommands([](const CLI::App*) { return true; })) {
    auto& verb = result.emplace_back();
    verb.verb = x->get_name();
    if (verb.verb == "simulate") { // it reads its own
      verb.flags = {{"filename", "f", true, "a file, a folder, or -"},
                    {"nodes", "", true, "how many nodes"},
                    {"seed", "", true, "which course of events"},
                    {"faults", "", true, "a file of faults"},
                    {"patience", "", true, "how long to wait for ready replicas"},
                    {"cpu", "", true, "of each node"},
                    {"memory", "", true, "of each node"},
                    {"pods", "", true, "of each node"},
                    {"output", "o", true, "json"},
                    {"log", "", false, "print the event log"}};
      continue;
    }
    add_flags(verb, *x);
    for (const auto* inner : x->get_subcommands([](const CLI::App*) { return true; })) {
      verb.words.push_back(inner->get_name());
      add_flags(verb, *inner);
    }
    for (const auto* y : app.get_options())
      if (y->get_name() != "--help" && y->get_name() != "--version")
        verb.flags.push_back({y->get_lnames().empty() ? "" : y->get_lnames().front(), "",
                              y->get_items_expected_max() > 0, y->get_description()});
  }
  return result;
}

int dispatch(const CLI::App& app, arguments& from, terminal& with) {
  auto verb = app.get_subcommands().front()->get_name();
  if (verb == "completion") {
    with.out << completion(from.shell, verbs_of(app)) << std::flush;
    return exit_done;
  }
  if (verb == "simulate") { // it was given elsewhere: `legionctl` hands it over when it comes first
    with.err << "error: simulate asks no node, and comes first:\n  legionctl simulate -f FILE\n";
    return exit_usage;
  }
  if (verb == "backup" && from.backup.verify)
    return verify_backup(with, from.backup);
  auto targets = api::find_targets(api::sources_of_process(from.target));
  if (!targets) {
    with.err << "error: " << plain(targets.why().detail) << '\n';
    return exit_usage;
  }
  conversation talk{std::move(*targets), from.request_timeout, with};
  from.get.what = from.things;
  if (verb == "apply")
    return apply(talk, from.apply, from.where);
  if (verb == "get")
    return get(talk, from.get, from.where);
  if (verb == "describe")
    return describe_things(talk, from.things, from.where);
  if (verb == "delete")
    return remove(talk, from.things, from.files, from.where);
  if (verb == "scale")
    return scale(talk, from.things, from.replicas, from.resource_version, from.where);
  if (verb == "backup")
    return back_up(talk, from.backup);
  if (verb == "restore")
    return restore(talk, from.restore);
  if (verb == "keepers")
    return rebuild_keepers(talk, from.rebuild);
  if (verb == "logs") {
    from.logs.set_namespace_(from.where.ns);
    from.logs.set_pod(without_kind(from.logs.pod(), "pods"));
    return logs(talk, from.logs);
  }
  if (verb == "why") {
    from.why.set_namespace_(from.where.ns);
    from.why.set_pod(without_kind(from.why.pod(), "pods"));
    return why(talk, from.why);
  }
  if (verb == "cordon" || verb == "uncordon")
    return cordon(talk, without_kind(from.node, "nodes"), verb == "cordon");
  if (verb == "charter")
    return from.action.empty() ? charter(talk) : rebuild_charter(talk, from.force);
  return version(talk);
}

} // namespace

int run(const std::vector<std::string>& words, terminal& with) {
  arguments from;
  from.logs.set_tail_lines(-1);
  CLI::App app{"legionctl: asks a Legion node, any node, to show or change what its cluster runs.",
               "legionctl"};
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "legionctl " LEGION_VERSION, "show the version and end");
  app.add_option("--target", from.target, "nodes to ask, in order: HOST:PORT or a socket, ...")
      ->type_name("A,B,...");
  add_duration(app, "--request-timeout", from.request_timeout,
               "how long to wait for an answer [30s]");
  add_apply(app, from);
  add_get(app, from);
  add_describe(app, from);
  add_delete(app, from);
  add_scale(app, from);
  add_logs(app, from);
  add_why(app, from);
  add_cordon(app, from, "cordon", "let a node take on no more replicas");
  add_cordon(app, from, "uncordon", "let a node take on replicas again");
  add_backup(app, from);
  add_restore(app, from);
  add_keepers(app, from);
  add_charter(app, from);
  // Never run from here: it takes its own arguments, before these are read.
  app.add_subcommand("simulate", "run a manifest on nodes that exist in this process only");
  app.add_subcommand("version", "show the version of legionctl and of the node that answers")
      ->footer("Examples:\n  legionctl version --target 127.0.0.1:7711");
  auto* completions = app.add_subcommand("completion", "print a script for your shell");
  completions->add_option("SHELL", from.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name(" ");
  completions->footer("Examples:\n  source <(legionctl completion bash)");
  app.footer(
      "Targets: --target, else $LEGION_TARGET, else ~/.config/legion/context.yaml, else this\n"
      "machine's node.\n"
      "Exit codes: 0 done, 1 refused, 2 usage, 3 unreachable, 4 timed out with the state "
      "unknown.\n"
      "Examples:\n  legionctl apply -f web.yaml --wait\n  legionctl get pods -o wide\n"
      "  legionctl COMMAND --help");
  try {
    std::vector<std::string> reversed{words.rbegin(), words.rend()}; // as CLI11 wants them
    app.parse(reversed);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() != static_cast<int>(CLI::ExitCodes::Success))
      return usage_error(app, why, first_command(words), with);
    app.exit(why, with.out, with.err);
    return exit_done;
  }
  return dispatch(app, from, with);
}

} // namespace legion::console

namespace legion {

int legionctl(int argc, char** argv, console::simulate_function simulate) {
  std::signal(SIGPIPE, SIG_IGN); // `legionctl get pods -w | head` ends by the failed write
  if (simulate && argc > 1 && std::string_view{argv[1]} == "simulate")
    return simulate(argc - 1, argv + 1);
  std::vector<std::string> words(argv + 1, argv + argc);
  console::terminal with{
      std::cin,
      std::cout,
      std::cerr,
      ::isatty(STDOUT_FILENO) == 1,
      ::isatty(STDERR_FILENO) == 1,
      [] {
        using namespace std::chrono;
        return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
      }};
  try {
    return console::run(words, with);
  } catch (const std::exception& why) {
    std::cerr << "error: " << console::plain(why.what()) << '\n';
    return console::exit_refused;
  }
}

} // namespace legion
