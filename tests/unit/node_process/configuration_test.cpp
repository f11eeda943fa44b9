#include <doctest/doctest.h>

#include <cstdlib>

#include "runtime/node/configuration.hpp"
#include "runtime/node/texts.hpp"
#include "tests/unit/node_process/scratch_folder.hpp"

namespace legion::configuration_test {

using namespace legion::node_process;
using legion::tests::scratch_folder;

namespace {

command_line read(std::vector<std::string> words) {
  words.insert(words.begin(), "legion-node");
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  return read_command_line(static_cast<int>(argv.size()), argv.data());
}

} // namespace

TEST_SUITE("node_process/configuration") {

  TEST_CASE("flags go over the environment, the environment over the file") {
    scratch_folder scratch;
    scratch.write("node.yaml", "name: from-file\nzone: eu/fra\nports: 21000-21010\n");
    ::setenv("LEGION_NAME", "from-environment", 1);
    auto file_and_environment = read({"--config", scratch / "node.yaml"});
    auto all = read({"--config", scratch / "node.yaml", "--name", "from-flag"});
    ::unsetenv("LEGION_NAME");
    auto file_only = read({"--config", scratch / "node.yaml"});
    REQUIRE(file_and_environment.run);
    CHECK(file_and_environment.run->name == "from-environment");
    REQUIRE(all.run);
    CHECK(all.run->name == "from-flag");
    REQUIRE(file_only.run);
    CHECK(file_only.run->name == "from-file");
    CHECK(file_only.run->zone == "eu/fra");
    CHECK(file_only.run->first_port == 21000);
    CHECK(file_only.run->last_port == 21010);
  }

  TEST_CASE("what is wrong is named with its place, what was found and what is allowed") {
    scratch_folder scratch;
    scratch.write("bad.yaml", "name: a\nnmae: b\n");
    scratch.write("list.yaml", "zone: [a, b]\n");
    scratch.write("twice.yaml", "name: a\nzone: b\nname: c\n");
    const std::vector<std::pair<std::vector<std::string>, std::string>> rows{
        {{"--listen", "nowhere"}, "--listen: found \"nowhere\", allowed: HOST:PORT"},
        {{"--name", "Upper"}, "--name: found \"Upper\""},
        {{"--zone", "eu//fra"}, "--zone: found \"eu//fra\""},
        {{"--zone", "eu/"}, "--zone: found \"eu/\""},
        {{"--zone", "/"}, "--zone: found \"/\""},
        {{"--zone", "a" + std::string(255, '/')}, "with / between them"},
        {{"--ports", "9-1"}, "--ports: found \"9-1\""},
        {{"--cpu", "much"}, "--cpu: found \"much\""},
        {{"--memory", "-1"}, "--memory: found \"-1\""},
        {{"--pods", "0"}, "--pods: found \"0\", allowed: 1 to 10000"},
        {{"--label", "nothing"}, "--label: found \"nothing\""},
        {{"--taint", "a=b:Sometimes"}, "--taint: found \"a=b:Sometimes\""},
        {{"--log-level", "loud"}, "--log-level: found \"loud\""},
        {{"--config", scratch / "bad.yaml"}, "bad.yaml:2:1: unknown setting \"nmae\""},
        {{"--config", scratch / "list.yaml"}, "list.yaml:1:1: zone: found a list"},
        {{"--config", scratch / "twice.yaml"}, "twice.yaml:3:1: name: found twice"},
        {{"--config", scratch / "."}, ": is a folder; a file is wanted"},
        {{"--config", scratch / "none.yaml"}, "none.yaml: cannot be read"},
    };
    for (const auto& [words, text] : rows) {
      CAPTURE(text);
      auto said = read(words);
      CHECK(!said.run);
      CHECK(said.exit_code == 2);
      CHECK(said.text.find(text) != std::string::npos);
    }
  }

  TEST_CASE("help has examples and is no error") {
    auto said = read({"--help"});
    CHECK(said.exit_code == 0);
    CHECK(said.text.find("Examples:") != std::string::npos);
  }

  TEST_CASE("quantities of a machine are read as Kubernetes reads them") {
    CHECK(cpu_millis("2")->of(9) == 2000);
    CHECK(cpu_millis("33%")->of(4000) == 1320);
    CHECK_FALSE(cpu_millis("101%"));
    CHECK_FALSE(memory_bytes("%"));
    CHECK(cpu_millis("250m")->of(9) == 250);
    CHECK(cpu_millis("1.5")->of(9) == 1500);
    CHECK(memory_bytes("512Mi")->of(9) == 512 * 1024 * 1024);
    CHECK(memory_bytes("1.5Gi")->of(9) == 1536ll * 1024 * 1024);
    CHECK(!memory_bytes("1 GB"));
  }

  TEST_CASE("a join string holds address and key, and reads as it was written") {
    join_string x{"127.0.0.1:7710", std::string(32, '\x5a')};
    auto text = text_of(x);
    std::string digits;
    for (int i = 0; i < 32; ++i)
      digits += "5a";
    CHECK(text == "127.0.0.1:7710#" + digits);
    auto back = join_string_of(text);
    REQUIRE(back);
    CHECK(back->endpoint == x.endpoint);
    CHECK(back->public_key == x.public_key);
    CHECK(!join_string_of("127.0.0.1:7710"));
    CHECK(!join_string_of("127.0.0.1:7710#12"));
    CHECK(!join_string_of("127.0.0.1:7710#" + std::string(64, 'x')));
  }

} // TEST_SUITE

} // namespace legion::configuration_test
