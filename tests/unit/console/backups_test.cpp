#include <doctest/doctest.h>

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <map>
#include <mutex>

#include "tests/unit/console/backup_sample.hpp"
#include "tests/unit/console/fake_node.hpp"

namespace legion::backups_test {

using namespace legion::console;

namespace {

std::string text_in(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& text) {
  std::ofstream{path, std::ios::binary} << text;
}

/// What a zone with two resources in group 3 answers.
std::vector<api_reply> zone_answers(const api_request& x) {
  api_reply reply;
  reply.mutable_backup()->set_zone("eu/fra");
  if (x.backup().groups().empty()) {
    for (std::uint32_t g = 0; g < 64; ++g) {
      auto& head = *reply.mutable_backup()->add_heads();
      head.set_group(g);
      head.set_index(10 + g);
      head.set_incarnation(1);
      head.set_resources(g == 3 ? 2 : 0);
      head.set_bytes(100);
    }
    return {last(reply)};
  }
  std::vector<api_reply> result;
  for (auto g : x.backup().groups()) {
    auto one = reply;
    auto& state = *one.mutable_backup()->add_states() = sample_state(g);
    *state.add_resources() = sample_resource("web");
    *state.add_resources() = sample_resource("db");
    result.push_back(one);
  }
  result.push_back(last(reply));
  return result;
}

/// A node into which backups are restored; it remembers what it was asked.
struct restoring_node {
  std::vector<api_request> asked;
  std::map<std::string, std::string> refused; // by name
  std::mutex mutex;

  fake_node::answers answers() {
    return [this](const api_request& x) {
      std::lock_guard guard{mutex};
      asked.push_back(x);
      api_reply reply;
      for (const auto& y : x.restore().resources()) {
        auto& result = *reply.add_results();
        result.mutable_name()->set_kind(y.what().kind());
        result.mutable_name()->set_namespace_("default");
        result.mutable_name()->set_name(y.what().metadata().name());
        auto i = refused.find(y.what().metadata().name());
        if (i == refused.end()) {
          result.set_action("restored");
          continue;
        }
        result.mutable_refused()->set_code(refusal_conflict);
        result.mutable_refused()->set_detail(i->second);
      }
      return std::vector{last(reply)};
    };
  }
};

struct folder {
  folder() {
    char name[] = "/tmp/legion-backups-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return path + "/" + name; }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{path},
                                                  std::filesystem::directory_iterator{}));
  }
  std::string path;
};

} // namespace

TEST_SUITE("console/backups") {

  TEST_CASE("a backup is a file that only its owner reads, and that checks") {
    folder at;
    fake_node node{zone_answers};
    auto file = at.file("zone.backup");
    auto x = run_words({"--target", node.path(), "backup", file});
    CHECK(x.code == exit_done);
    CHECK(x.err == "");
    CHECK(x.out
          == "backed up zone eu/fra: 2 resources (2 deployment.apps) of 64 keeper groups, into "
                 + file + "\n");
    CHECK(at.files() == 1); // nothing beside it
    struct stat info {};
    REQUIRE(::stat(file.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    x = run_words({"backup", "--verify", file});
    CHECK(x.code == exit_done);
    CHECK(x.out
          == file
                 + " is whole: zone eu/fra as of 2027-01-15T09:00:00Z, 2 resources (2 "
                   "deployment.apps) of 64 keeper groups, written by legionctl " LEGION_VERSION
                   "\n");
    x = run_words({"backup", "--verify", file, "-o", "json"});
    CHECK(x.out.find("\"resources\": 2") != std::string::npos);
  }

  TEST_CASE("a file that exists is not replaced without --force, and nobody is asked") {
    folder at;
    auto file = at.file("zone.backup");
    write(file, "dear");
    auto asked = false;
    fake_node node{[&](const api_request& x) {
      asked = true;
      return zone_answers(x);
    }};
    auto x = run_words({"--target", node.path(), "backup", file});
    CHECK(x.code == exit_refused);
    CHECK(x.err == "error: " + file + " exists: --force replaces it\n");
    CHECK(!asked);
    CHECK(text_in(file) == "dear");
    CHECK(run_words({"--target", node.path(), "backup", file, "--force"}).code == exit_done);
    CHECK(run_words({"backup", "--verify", file}).code == exit_done);
  }

  TEST_CASE("when a group does not answer, nothing is written, half or whole") {
    folder at;
    auto file = at.file("zone.backup");
    fake_node at_once{[](const api_request&) {
      return std::vector{refused(refusal_unreachable, "keeper group 3 does not answer")};
    }};
    auto x = run_words({"--target", at_once.path(), "backup", file});
    CHECK(x.code == exit_unreachable);
    CHECK(at.files() == 0);
    fake_node later{[](const api_request& x) {
      return x.backup().groups().empty()
                 ? zone_answers(x)
                 : std::vector{refused(refusal_unreachable, "keeper group 3 does not answer")};
    }};
    x = run_words({"--target", later.path(), "backup", file});
    CHECK(x.code == exit_unreachable);
    CHECK(x.err == "error: keeper group 3 does not answer\n");
    CHECK(at.files() == 0);
    fake_node less{[](const api_request& x) {
      return x.backup().groups().empty() ? zone_answers(x) : std::vector{last({})};
    }};
    CHECK(run_words({"--target", less.path(), "backup", file}).code == exit_refused);
    CHECK(at.files() == 0);
  }

  TEST_CASE("a folder that is not there, and a disk that can't be written, are said") {
    folder at;
    fake_node node{zone_answers};
    auto x = run_words({"--target", node.path(), "backup", at.file("no/zone.backup")});
    CHECK(x.code == exit_refused);
    CHECK(x.err.find("it can't be written: No such file or directory") != std::string::npos);
  }

  TEST_CASE("- is standard output, and what is said about it goes to stderr") {
    fake_node node{zone_answers};
    auto x = run_words({"--target", node.path(), "backup", "-"});
    CHECK(x.code == exit_done);
    CHECK(x.err == "backed up zone eu/fra: 2 resources (2 deployment.apps) of 64 keeper groups\n");
    CHECK(run_words({"backup", "--verify", "-"}, x.out).code == exit_done);
  }

  TEST_CASE("a file that is not whole is said to be so, and nobody is asked") {
    folder at;
    auto file = at.file("zone.backup");
    auto asked = false;
    fake_node node{[&](const api_request&) {
      asked = true;
      return std::vector{last({})};
    }};
    for (auto [text, why] :
         {std::pair<std::string, std::string>{sample_backup().substr(0, 200), "it is not whole"},
          {"kind: List\n", "it is not a backup of Legion"}}) {
      write(file, text);
      for (const auto& words : {std::vector<std::string>{"backup", "--verify", file},
                                {"--target", node.path(), "restore", file}}) {
        auto x = run_words(words);
        CHECK(x.code == exit_refused);
        CHECK(x.err.find(file) != std::string::npos);
        CHECK(x.err.find(why) != std::string::npos);
      }
    }
    for (const auto& words : {std::vector<std::string>{"backup", "--verify", at.file("none")},
                              {"--target", node.path(), "restore", at.file("none")}}) {
      auto x = run_words(words);
      CHECK(x.code == exit_usage);
      CHECK(x.err == "error: " + at.file("none") + ": No such file or directory\n");
    }
    CHECK(!asked);
  }

  TEST_CASE("restore asks after every resource first, then puts them back and says what next") {
    folder at;
    auto file = at.file("zone.backup");
    write(file, sample_backup());
    restoring_node zone;
    fake_node node{zone.answers()};
    auto x = run_words({"--target", node.path(), "restore", file});
    CHECK(x.code == exit_done);
    CHECK(x.out
          == "backup of zone eu/fra as of 2027-01-15T08:00:00Z: 2 resources\n"
             "restored: 2 deployment.apps\n"
             "its replicas are called for now: legionctl get pods -A -w\n");
    REQUIRE(zone.asked.size() == 2);
    CHECK(zone.asked[0].restore().dry_run());
    CHECK(!zone.asked[1].restore().dry_run());
    for (const auto& y : zone.asked) {
      CHECK(y.restore().resources_size() == 2); // not what was deleted
      CHECK(y.restore().incarnation() == 1);
      CHECK(!y.restore().replace());
    }
    x = run_words({"--target", node.path(), "restore", "-", "-o", "json"}, sample_backup());
    CHECK(x.code == exit_done);
    CHECK(x.out.find("\"restored\": {\n    \"Deployment\": 2") != std::string::npos);
  }

  TEST_CASE("a dry run changes nothing") {
    restoring_node zone;
    fake_node node{zone.answers()};
    auto x = run_words({"--target", node.path(), "restore", "-", "--dry-run"}, sample_backup());
    CHECK(x.code == exit_done);
    CHECK(x.out
          == "backup of zone eu/fra as of 2027-01-15T08:00:00Z: 2 resources\n"
             "would be restored: 2 deployment.apps\n");
    REQUIRE(zone.asked.size() == 1);
    CHECK(zone.asked[0].restore().dry_run());
  }

  TEST_CASE("what is in the way is named, with the ways out, before anything is changed") {
    restoring_node zone;
    zone.refused["web"] = "Deployment default/web exists, and differs from the backup's";
    fake_node node{zone.answers()};
    auto x = run_words({"--target", node.path(), "restore", "-"}, sample_backup());
    CHECK(x.code == exit_refused);
    CHECK(x.err
          == "deployment.apps/web in namespace default: Deployment default/web exists, and differs "
             "from the backup's\n"
             "error: 1 of 2 resources can't be restored, and nothing was changed. --missing-only "
             "restores only what is not there; --force sets back what differs\n");
    CHECK(zone.asked.size() == 1);
    run_words({"--target", node.path(), "restore", "-", "--force"}, sample_backup());
    CHECK(zone.asked.back().restore().replace());
    run_words({"--target", node.path(), "restore", "-", "--missing-only"}, sample_backup());
    CHECK(zone.asked.back().restore().missing_only());
    CHECK(run_words({"--target", node.path(), "restore", "-", "--missing-only", "--force"}).code
          == exit_usage);
  }

  TEST_CASE("a restore that fails in the middle says that it may be repeated") {
    fake_node node{[](const api_request& x) {
      if (!x.restore().dry_run())
        return std::vector{refused(refusal_deadline, "whether it was done is unknown")};
      api_reply reply;
      for (int i = 0; i < x.restore().resources_size(); ++i)
        reply.add_results()->set_action("restored");
      return std::vector{last(reply)};
    }};
    auto x = run_words({"--target", node.path(), "restore", "-"}, sample_backup());
    CHECK(x.code == exit_unknown);
    CHECK(x.err.find("repeat the command") != std::string::npos);
  }

  TEST_CASE("keepers rebuild shows what is lost, asks, and tells what came of it") {
    std::vector<api_request> asked;
    std::mutex mutex;
    fake_node node{[&](const api_request& x) {
      std::lock_guard guard{mutex};
      asked.push_back(x);
      api_reply reply;
      auto& what = *reply.mutable_rebuild();
      for (auto g : {3u, 4u, 5u, 9u}) {
        auto& group = *what.add_groups();
        group.set_group(g);
        group.set_state(x.rebuild().dry_run() ? "lost" : "raised");
        group.set_node_name("legion-2");
        group.set_from_log(true);
        group.set_promises(1);
        group.set_resources(2);
        if (x.rebuild().dry_run())
          group.add_voters("legion-1");
      }
      what.add_silent("legion-1");
      return std::vector{last(reply)};
    }};
    auto x = run_words({"--target", node.path(), "keepers", "rebuild"}, "no\n");
    CHECK(x.code == exit_refused);
    CHECK(x.out
          == "keeper groups 3-5, 9: lost; to be raised on legion-2 from its log and from promises: "
             "8 resources, 4 promises\n"
             "  its members were legion-1\n"
             "these nodes say nothing, and what only they know is missing: legion-1\n"
             "what may be missing: changes that only lost nodes had\n");
    CHECK(x.err.ends_with("error: nothing was changed: say yes, or --yes\n"));
    CHECK(asked.size() == 1);
    x = run_words({"--target", node.path(), "keepers", "rebuild"}, "yes\n");
    CHECK(x.code == exit_done);
    REQUIRE(asked.size() == 3);
    CHECK(!asked.back().rebuild().dry_run());
    CHECK(asked.back().rebuild().groups_size() == 4); // those that were shown
    CHECK(x.out.find("keeper groups 3-5, 9: raised on legion-2") != std::string::npos);
    CHECK(run_words({"--target", node.path(), "keepers", "rebuild", "3", "--yes"}).code
          == exit_done);
    CHECK(asked[3].rebuild().groups_size() == 1);
    asked.clear();
    x = run_words({"--target", node.path(), "keepers", "rebuild", "--dry-run", "-o", "json"});
    CHECK(x.code == exit_done);
    CHECK(asked.size() == 1);
    CHECK(x.out.find("\"silentNodes\": [\n    \"legion-1\"\n  ]") != std::string::npos);
  }

  TEST_CASE("where every group answers there is nothing to rebuild; a bad group is a usage error") {
    fake_node node{[](const api_request&) {
      api_reply reply;
      reply.mutable_rebuild();
      return std::vector{last(reply)};
    }};
    auto x = run_words({"--target", node.path(), "keepers", "rebuild"});
    CHECK(x.code == exit_done);
    CHECK(x.out == "every keeper group answers: there is nothing to rebuild\n");
    CHECK(run_words({"keepers", "rebuild", "three"}).code == exit_usage);
    CHECK(run_words({"keepers"}).code == exit_usage);
    auto help = run_words({"keepers", "rebuild", "--help"});
    CHECK(help.code == exit_done);
    CHECK(help.out.find("Examples:") != std::string::npos);
  }

  TEST_CASE("scale says which version it expects") {
    std::uint64_t expected = 0;
    fake_node node{[&](const api_request& x) {
      expected = x.scale().expected_version();
      return std::vector{last({})};
    }};
    run_words({"--target", node.path(), "scale", "deployment", "web", "--replicas", "2",
               "--resource-version", "17"});
    CHECK(expected == 17);
  }
}

} // namespace legion::backups_test
