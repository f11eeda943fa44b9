#include <doctest/doctest.h>

#include <stdlib.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <sstream>

#include "runtime/console/completion.hpp"
#include "runtime/console/legionctl.hpp"

namespace legion::completion_test {

namespace {

/// As `legionctl completion SHELL` prints it.
std::string script_for(const std::string& shell) {
  std::istringstream in;
  std::ostringstream out, err;
  console::terminal with{in, out, err, false, false, [] { return wall_ms{0}; }};
  REQUIRE(console::run({"completion", shell}, with) == 0);
  return out.str();
}

/// A folder with the three completions, and a `legionctl` that knows two names of each kind.
struct shell_folder {
  shell_folder() {
    char name[] = "/tmp/legion-completion-XXXXXX";
    path = ::mkdtemp(name);
    for (const auto* shell : {"bash", "zsh", "fish"})
      std::ofstream{path + "/completion." + shell} << script_for(shell);
    std::ofstream{path + "/legionctl"}
        << "#!/bin/sh\n"
           "[ \"$1 $2 $3\" = 'get pods -A' ] && { echo NAMESPACE NAME; "
           "echo shop a; echo lab b; echo shop c; exit; }\n"
           "[ \"$1 $3 $4\" = 'get -o name' ] || exit 1\n"
           "echo \"$2/a-$2\"; echo \"$2/b-$2\"\n";
    std::filesystem::permissions(path + "/legionctl", std::filesystem::perms::owner_all);
  }
  ~shell_folder() { std::filesystem::remove_all(path); }

  /// What the shell printed, errors included, in its folder and with the stub first on the path.
  std::string run(const std::string& shell, const std::string& words) const {
    std::ofstream{path + "/script"} << words;
    auto command = "cd " + path + " && PATH=" + path + ":$PATH HOME=" + path + ' ' + shell
                   + " script 2>&1 </dev/null";
    auto* from = ::popen(command.c_str(), "r");
    REQUIRE(from);
    std::string said;
    std::array<char, 4096> part;
    while (auto n = std::fread(part.data(), 1, part.size(), from))
      said.append(part.data(), n);
    ::pclose(from);
    return said;
  }

  std::string path;
};

/// True, or a word in the test's output: not every machine has every shell.
bool installed(const std::string& shell) {
  auto there = std::system(("command -v " + shell + " >/dev/null 2>&1").c_str()) == 0;
  if (!there)
    MESSAGE(shell << " is not installed: skipped");
  return there;
}

/// Presses the tab key after `words` as bash does, and prints what it was offered.
std::string offered(const shell_folder& at, const std::string& words) {
  return at.run("bash", "source ./completion.bash\nCOMP_WORDS=(legionctl " + words
                            + ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_legionctl\n"
                              "echo \"${COMPREPLY[*]}\"\n");
}

} // namespace

TEST_SUITE("console/completion") {

  TEST_CASE("bash is offered verbs, kinds and the names that there are") {
    shell_folder at;
    CHECK(offered(at, "ap") == "apply\n");
    CHECK(offered(at, "get po") == "pods\n");
    CHECK(offered(at, "describe deployments ''") == "a-deployments b-deployments\n");
    CHECK(offered(at, "logs b") == "b-pods\n");
    CHECK(offered(at, "get pods -o y") == "yaml\n");
    CHECK(offered(at, "completion z") == "zsh\n");
    CHECK(offered(at, "version ''") == "\n");
    CHECK(offered(at, "scale de") == "deployment\n");
    CHECK(offered(at, "delete ''") == "deployments pods\n");
    CHECK(offered(at, "keepers re") == "rebuild\n");
    CHECK(offered(at, "keepers rebuild ''") == "\n");
    CHECK(offered(at, "restore completion.z") == "completion.zsh\n");
    CHECK(offered(at, "get pods -n ''") == "lab shop\n");
    CHECK(offered(at, "describe deployments/b") == "deployments/b-deployments\n");
  }

  TEST_CASE("bash is offered each command's flags, and values where they are known") {
    shell_folder at;
    CHECK(offered(at, "get pods --o") == "--output\n");
    CHECK(offered(at, "get pods --n") == "--namespace --no-headers\n");
    CHECK(offered(at, "apply --str") == "--strict\n");
    CHECK(offered(at, "logs --pre") == "--previous\n");
    CHECK(offered(at, "keepers rebuild --d") == "--dry-run\n");
    CHECK(offered(at, "backup -o ''") == "json\n");
    CHECK(offered(at, "version --target") == "--target\n");
    CHECK(offered(at, "simulate --no") == "--nodes\n");
    CHECK(offered(at, "get nodes --output w") == "wide\n");
    CHECK(offered(at, "logs -f a") == "a-pods\n"); // a flag of its own there
    CHECK(offered(at, "apply -f completion.z") == "completion.zsh\n");
    CHECK(offered(at, "get -n shop pods a") == "a-pods\n"); // a value is no kind
    CHECK(offered(at, "scale deployment web --replicas ''") == "\n");
  }

  TEST_CASE("zsh reads its completion, and bash's function is in it") {
    if (!installed("zsh"))
      return;
    shell_folder at;
    CHECK(at.run("zsh -f", "autoload -Uz compinit && compinit -D -u\nsource ./completion.zsh\n"
                           "whence -w _legionctl\n")
          == "_legionctl: function\n");
  }

  TEST_CASE("fish is offered the same") {
    if (!installed("fish"))
      return;
    shell_folder at;
    CHECK(at.run("fish", "source ./completion.fish; complete -C 'legionctl logs b'\n")
          == "b-pods\n");
    CHECK(at.run("fish", "source ./completion.fish; complete -C 'legionctl cord'\n") == "cordon\n");
    CHECK(at.run("fish", "source ./completion.fish; complete -C 'legionctl get pods -o y'\n")
              .find("yaml")
          == 0);
    CHECK(at.run("fish", "source ./completion.fish; complete -C 'legionctl get pods a'\n")
          == "a-pods\n");
    CHECK(at.run("fish", "source ./completion.fish; complete -C 'legionctl apply --str'\n")
              .find("--strict\t")
          == 0);
  }

  TEST_CASE("there is none for another shell") {
    CHECK(console::completion("csh", {}).empty());
  }
}

} // namespace legion::completion_test
