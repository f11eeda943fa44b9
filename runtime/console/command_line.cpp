#include "runtime/console/command_line.hpp"

#include <cstdlib>
#include <optional>

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "messages/duration.hpp"

namespace legion::console {

namespace {

void add_duration(CLI::App& to, const char* name, std::chrono::milliseconds& into, bool may_be_none,
                  const char* words) {
  to.add_option_function<std::string>(
        name,
        [&into, name, may_be_none](const std::string& text) {
          auto found = read_duration_or_seconds(text);
          if (!found)
            throw CLI::ValidationError(name,
                                       "'" + text + "': expected a time such as 30s, 5m, 1h30m");
          auto whole = std::chrono::duration_cast<std::chrono::milliseconds>(*found);
          if (whole.count() == 0 && !may_be_none)
            throw CLI::ValidationError(name, "'" + text + "': expected more than no time at all");
          into = whole;
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

void add_json_output(CLI::App& to, std::string& into) {
  to.add_option("-o,--output", into, "json")->check(CLI::IsMember({"json"}))->type_name("FORMAT");
}

void add_apply(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("apply", "make resources as files describe them");
  x->add_option("-f,--filename", into.apply.files, "a file, a folder, or - for standard input")
      ->required()
      ->type_name("FILE");
  x->add_flag("--wait", into.apply.wait, "wait until all is ready, and show how far it is");
  add_duration(*x, "--timeout", into.apply.wait_timeout, true, "how long --wait waits [5m]");
  x->add_flag("--strict", into.apply.strict, "fields that are not honoured yet are errors");
  x->add_flag("--dry-run", into.apply.dry_run, "ask the keepers what would become of it, only");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl apply -f web.yaml --wait\n  legionctl apply -f manifests/ "
            "--dry-run --strict\n  cat web.yaml | legionctl apply -f -");
}

void add_get(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("get", "show nodes, deployments, pods or promises");
  add_things(*x, into, "KIND[,KIND...] [NAME...] or KIND/NAME...");
  add_namespace(*x, into, true);
  x->add_option("-l,--selector", into.get.selector, "labels: a=b,c!=d,e in (f,g),!h")
      ->type_name("SELECTOR");
  x->add_option("-o,--output", into.get.output, "wide, json, yaml or name")
      ->check(CLI::IsMember({"wide", "json", "yaml", "name"}))
      ->type_name("FORMAT");
  x->add_flag("-w,--watch", into.get.watch, "go on, and show what changes");
  x->add_flag_callback(
      "--no-headers", [&into] { into.get.headings = false; }, "rows only");
  x->footer("Examples:\n  legionctl get nodes\n  legionctl get pods -A -o wide\n  legionctl get "
            "deploy web -o yaml\n  legionctl get po -l app=web -w");
}

void add_describe(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("describe", "show all that is known of a thing, events included");
  add_things(*x, into, "KIND [NAME...] or KIND/NAME...");
  add_namespace(*x, into, true);
  x->footer("Examples:\n  legionctl describe deployment web\n  legionctl describe node/legion-1");
}

void add_delete(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("delete", "end resources and their replicas");
  add_things(*x, into, "KIND NAME... or KIND/NAME...", false);
  x->add_option("-f,--filename", into.files, "what these files describe")->type_name("FILE");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl delete -f web.yaml\n  legionctl delete deployment web");
}

void add_scale(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("scale", "change how many replicas a deployment has");
  add_things(*x, into, "deployment NAME or deployment/NAME");
  x->add_option("--replicas", into.replicas, "how many")->required()->type_name("N");
  x->add_option("--resource-version", into.resource_version, "only if it is at this version")
      ->type_name("N");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl scale deployment web --replicas 5");
}

void add_backup(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("backup", "write what the zone keeps into a file");
  x->add_option("FILE", into.backup.file, "the file, or - for standard output")
      ->required()
      ->type_name(" ");
  x->add_flag("--force", into.backup.force, "replace the file if it exists");
  x->add_flag("--verify", into.backup.verify, "only check the file, and show what is in it");
  add_json_output(*x, into.backup.output);
  x->footer("Every keeper group's state is read as its quorum has it. A backup holds what\n"
            "was applied: keep it as safe as your manifests' secrets.\n"
            "Examples:\n  legionctl backup zone.backup\n  legionctl backup --verify zone.backup\n"
            "  legionctl backup - | gzip > zone.backup.gz");
}

void add_restore(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("restore", "put what a backup holds back into a zone");
  x->add_option("FILE", into.restore.file, "a backup, or - for standard input")
      ->required()
      ->type_name(" ");
  x->add_flag("--force", into.restore.force, "set back what is there and differs");
  x->add_flag("--missing-only", into.restore.missing_only, "leave alone what is there");
  x->add_flag("--dry-run", into.restore.dry_run, "show what would become of it, change nothing");
  add_json_output(*x, into.restore.output);
  x->footer(
      "The whole file is checked before anything is changed. What the backup does not\n"
      "hold stays as it is.\n"
      "Examples:\n  legionctl restore zone.backup --dry-run\n  legionctl restore zone.backup");
}

void add_keepers(CLI::App& app, arguments& into) {
  auto* keepers =
      app.add_subcommand("keepers", "raise keeper groups whose quorum is lost for good");
  keepers->require_subcommand(1);
  keepers->footer("Examples:\n  legionctl keepers rebuild --dry-run\n  legionctl keepers rebuild");
  auto* x = keepers->add_subcommand("rebuild", "raise groups anew from what living nodes hold");
  x->add_option("GROUP", into.rebuild.groups, "groups, 0 to 63; all that do not answer if none")
      ->type_name(" ");
  x->add_flag("-y,--yes", into.rebuild.yes, "do not ask before it is done");
  x->add_flag("--dry-run", into.rebuild.dry_run, "show what is lost and what is left only");
  add_json_output(*x, into.rebuild.output);
  x->footer("Start every node that can be started first: what only they hold would\nbe missing.\n"
            "The nodes that were lost must be lost for good.\n"
            "Examples:\n  legionctl keepers rebuild --dry-run\n  legionctl keepers rebuild");
}

void add_logs(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("logs", "show what a pod's container wrote");
  x->add_option_function<std::string>(
       "POD", [&into](const std::string& text) { into.logs.set_pod(text); },
       "the pod, or deployment/NAME for one of its pods")
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
}

void add_why(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("why", "show which offers and declines decided where a pod is");
  x->add_option_function<std::string>(
       "POD", [&into](const std::string& text) { into.why.set_pod(text); }, "the pod")
      ->required()
      ->type_name(" ");
  add_namespace(*x, into, false);
  x->footer("Examples:\n  legionctl why web-6d5f9c7b8d-x2k4z");
}

void add_cordon(CLI::App& app, arguments& into, const char* name, const char* words) {
  auto* x = app.add_subcommand(name, words);
  x->add_option("NODE", into.node, "the node")->required()->type_name(" ");
  x->footer(std::string{"Examples:\n  legionctl "} + name + " legion-2");
}

void add_charter(CLI::App& app, arguments& into) {
  auto* x = app.add_subcommand("charter", "show who decides about members, or raise that again");
  x->add_option("ACTION", into.action, "rebuild: raise it again from the asked node")
      ->check(CLI::IsMember({"rebuild"}))
      ->type_name(" ");
  x->add_flag("--force", into.force, "rebuild though other voters may be up");
  x->footer("Examples:\n  legionctl charter\n  legionctl charter rebuild --target 10.0.0.3:7711");
}

} // namespace

void add_commands(CLI::App& app, arguments& into) {
  app.get_formatter()->column_width(26); // 80 columns are enough for all
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "legionctl " LEGION_VERSION, "show the version and end");
  app.add_option("--target", into.target, "nodes to ask, in order: HOST:PORT or a socket, ...")
      ->type_name("A,B,...");
  add_duration(app, "--request-timeout", into.request_timeout, false,
               "how long to wait for an answer [30s]");
  add_apply(app, into);
  add_get(app, into);
  add_describe(app, into);
  add_delete(app, into);
  add_scale(app, into);
  add_logs(app, into);
  add_why(app, into);
  add_cordon(app, into, "cordon", "let a node take on no more replicas");
  add_cordon(app, into, "uncordon", "let a node take on replicas again");
  add_backup(app, into);
  add_restore(app, into);
  add_keepers(app, into);
  add_charter(app, into);
  // Never run from here: it takes its own arguments, before these are read.
  app.add_subcommand("simulate", "run a manifest on nodes in this process only");
  app.add_subcommand("version", "show legionctl's version and the answering node's")
      ->footer("Examples:\n  legionctl version --target 127.0.0.1:7711");
  auto* completions = app.add_subcommand("completion", "print a script for your shell");
  completions->add_option("SHELL", into.shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name(" ");
  completions->footer("Examples:\n  source <(legionctl completion bash)");
  app.footer("Targets: --target, else $LEGION_TARGET, else ~/.config/legion/context.yaml, else\n"
             "this machine's node.\n"
             "Exit codes: 0 done, 1 refused, 2 usage, 3 unreachable, 4 timed out with the\n"
             "state unknown.\n"
             "Examples:\n  legionctl apply -f web.yaml --wait\n  legionctl get pods -o wide\n"
             "  legionctl COMMAND --help");
}

} // namespace legion::console
