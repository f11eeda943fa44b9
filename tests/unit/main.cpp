#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/drivers/supervisor/supervisor.hpp"

namespace {

/// Test cases that said "skipped: ...": what this machine forbids is not passed.
struct skips final : doctest::IReporter {
  explicit skips(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& x) override { stats = x; }
  void test_case_start(const doctest::TestCaseData& x) override {
    name = x.m_name;
    why.clear();
  }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats& x) override {
    if (!why.empty() && x.testCaseSuccess)
      all.push_back(why + ": " + name);
  }
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData& x) override {
    std::string_view text = x.m_string.c_str();
    if (text.starts_with("skipped: "))
      why = text;
  }
  void test_case_skipped(const doctest::TestCaseData&) override {}

  std::string name, why; // of the test case
  static inline doctest::TestRunStats stats{};
  static inline std::vector<std::string> all;
};

REGISTER_LISTENER("skips", 1, skips);

} // namespace

/// With "supervise" as legion-node does: what the process driver's tests start as their supervisor is
/// this program. Else the last line is `unit: N passed, N failed, N skipped`.
int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "supervise")
    return legion::drivers::supervise(argc - 2, argv + 2);
  auto code = doctest::Context(argc, argv).run();
  auto run = skips::stats.numTestCasesPassingFilters;
  auto failed = skips::stats.numTestCasesFailed;
  if (run == 0) // a question was answered
    return code;
  for (auto& x : skips::all)
    std::printf("%s\n", x.c_str());
  std::printf("unit: %zu passed, %u failed, %zu skipped\n", run - failed - skips::all.size(),
              failed, skips::all.size());
  return code;
}
