#include "runtime/console/legionctl.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>

#include "runtime/console/command_line.hpp"
#include "runtime/console/completion.hpp"
#include "runtime/console/strange_flag.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

/// kubectl's habit: `node/legion-2` is a node's name too.
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

/// `-o=json` is `-ojson`, as for kubectl.
std::string without_equals(const std::string& word) {
  auto is_letter = word.size() > 3 && word[0] == '-' && word[1] != '-' && word[2] == '=';
  return is_letter ? word.substr(0, 2) + word.substr(3) : word;
}

/// Says what is wrong with the words, and where it says how it is right.
int usage_error(const CLI::App& app, const CLI::ParseError& why,
                const std::vector<std::string>& words, terminal& with) {
  auto command = first_command(words);
  auto all = app.get_subcommands([](const CLI::App*) { return true; });
  auto known =
      std::any_of(all.begin(), all.end(), [&](auto* x) { return x->get_name() == command; });
  if (!command.empty() && !known) {
    std::vector<std::string> names;
    for (const auto* x : all)
      names.push_back(x->get_name());
    auto text = "error: there is no command '" + plain(command) + "'" + did_you_mean(command, names)
                + "; there are ";
    for (const auto& x : names)
      text += (x == names.front() ? "" : ", ") + x;
    with.err << (with.err_is_tty ? folded(text) : text) << '\n';
  } else if (auto strange = strange_flag(app, words); !strange.empty()) {
    with.err << "error: " << strange << '\n';
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
    auto& pod = *from.logs.mutable_pod();
    auto code = choose_pod(talk, pod, pod_choice::to_read, from.where);
    return code == exit_done ? logs(talk, from.logs) : code;
  }
  if (verb == "why") {
    from.why.set_namespace_(from.where.ns);
    auto code = choose_pod(talk, *from.why.mutable_pod(), pod_choice::to_explain, from.where);
    return code == exit_done ? why(talk, from.why) : code;
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
  CLI::App app{"legionctl: asks a Legion node, any node, to show or change what runs.",
               "legionctl"};
  add_commands(app, from);
  try {
    std::vector<std::string> reversed; // as CLI11 wants them
    for (auto i = words.rbegin(); i != words.rend(); ++i)
      reversed.push_back(without_equals(*i));
    app.parse(reversed);
  } catch (const CLI::ParseError& why) {
    if (why.get_exit_code() != static_cast<int>(CLI::ExitCodes::Success))
      return usage_error(app, why, words, with);
    app.exit(why, with.out, with.err);
    return exit_done;
  }
  return dispatch(app, from, with);
}

} // namespace legion::console

namespace legion {

namespace {

/// The exit code, unless what was printed is lost; who reads it may have had enough of it.
int once_written(int code) {
  std::cout.flush();
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout)
    return code;
  pollfd reader{STDOUT_FILENO, POLLOUT, 0};
  if (::poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0)
    return code;
  std::cerr << "error: standard output could not be written: is its disk full?\n";
  return code == console::exit_done ? static_cast<int>(console::exit_refused) : code;
}

} // namespace

int legionctl(int argc, char** argv, console::simulate_function simulate) {
  std::signal(SIGPIPE, SIG_IGN); // `legionctl get pods -w | head` ends by the failed write
  if (simulate && argc > 1 && std::string_view{argv[1]} == "simulate")
    return once_written(simulate(argc - 1, argv + 1));
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
      },
      [] {
        pollfd out{STDOUT_FILENO, 0, 0};
        return ::poll(&out, 1, 0) > 0 && (out.revents & POLLERR) != 0;
      }};
  try {
    return once_written(console::run(words, with));
  } catch (const std::exception& why) {
    std::cerr << "error: " << console::plain(why.what()) << '\n';
    return console::exit_refused;
  }
}

} // namespace legion
