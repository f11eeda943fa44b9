// Runs every fuzz target over its committed corpus, and over mutations of it that a seed decides:
//   replay CORPUS_FOLDER [MUTATIONS_PER_FILE [SEED [TARGET]]]
// A failure names the target, the file and the mutation, and the command that runs just that target
// again.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include <fcntl.h>
#include <unistd.h>

#include <google/protobuf/stubs/logging.h>

#include "tests/fuzz/fuzz_target.hpp"

namespace legion::fuzz {

std::vector<target>& targets() {
  static std::vector<target> all;
  return all;
}

namespace {

char now_running[1024];
std::string input;

extern "C" void on_crash(int signal) {
  auto ignored = write(STDERR_FILENO, now_running, std::strlen(now_running));
  if (int file = open("fuzz-failure", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644); file >= 0)
    ignored = write(file, input.data(), input.size());
  static_cast<void>(ignored);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

using generator = std::mt19937_64;

std::size_t below(generator& random, std::size_t n) {
  return n == 0 ? 0 : random() % n;
}

/// Flips, cuts, doubles, splices with another file, or puts in what decoders stumble over.
std::string mutate(std::string x, const std::vector<std::string>& corpus, generator& random) {
  static const std::string words[] = {"[",
                                      "{",
                                      "}",
                                      "]",
                                      ":",
                                      "- ",
                                      "? ",
                                      "\n",
                                      "\"",
                                      "&a",
                                      "*a",
                                      "<<",
                                      "|",
                                      "!!",
                                      "~",
                                      "---",
                                      "\t",
                                      "#",
                                      "\xFF",
                                      "\xC3\xA9",
                                      "%",
                                      "-1",
                                      "9",
                                      "1e",
                                      "null",
                                      "yes",
                                      "Gi",
                                      "a: ",
                                      "\r\n",
                                      "\\ud800",
                                      "\xEF\xBB\xBF",
                                      std::string(1, '\0')};
  for (auto rounds = 1 + below(random, 4); rounds > 0; --rounds) {
    auto at = below(random, x.size() + 1);
    auto length = std::min(below(random, 32), x.size() - at);
    switch (below(random, 7)) {
      case 0:
        if (at < x.size())
          x[at] = static_cast<char>(random());
        break;
      case 1:
        x.erase(at, length);
        break;
      case 2:
        x.insert(at, x.substr(below(random, x.size() + 1), 32));
        break;
      case 3:
        x.insert(at, words[below(random, std::size(words))]);
        break;
      case 4:
        x.resize(at);
        break;
      case 5: {
        const auto& other = corpus[below(random, corpus.size())];
        x = x.substr(0, at) + other.substr(below(random, other.size() + 1));
        break;
      }
      default:
        if (at < x.size())
          x[at] = static_cast<char>(x[at] ^ (1 << below(random, 8)));
        break;
    }
  }
  return x;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Returns how many inputs ran; 0: no corpus.
std::size_t run(const target& t, const std::filesystem::path& folder, std::size_t mutations,
                std::uint64_t seed) {
  std::vector<std::filesystem::path> paths;
  if (std::filesystem::is_directory(folder))
    for (const auto& e : std::filesystem::directory_iterator(folder))
      paths.push_back(e.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> corpus;
  for (const auto& p : paths)
    corpus.push_back(read_file(p));
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    generator random(seed + i);
    for (std::size_t m = 0; m <= mutations; ++m) {
      std::snprintf(now_running, sizeof now_running,
                    "fuzz target %s fails: file %s, mutation %zu; again: replay %s %zu %llu %s\n",
                    t.name, paths[i].filename().c_str(), m, folder.parent_path().c_str(), mutations,
                    static_cast<unsigned long long>(seed), t.name);
      input = m == 0 ? corpus[i] : mutate(corpus[i], corpus, random);
      t.run(input);
    }
  }
  return corpus.size() * (mutations + 1);
}

} // namespace
} // namespace legion::fuzz

int main(int argc, char** argv) {
  using namespace legion::fuzz;
  if (argc < 2) {
    std::fprintf(stderr, "usage: replay CORPUS_FOLDER [MUTATIONS_PER_FILE [SEED [TARGET]]]\n");
    return 2;
  }
  std::size_t mutations = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000;
  std::uint64_t seed = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1;
  google::protobuf::SetLogHandler(nullptr); // it would tell of every refused string
  for (int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS})
    std::signal(signal, on_crash);
  auto all = targets();
  std::sort(all.begin(), all.end(),
            [](const target& a, const target& b) { return std::strcmp(a.name, b.name) < 0; });
  bool ran = false;
  for (const auto& t : all) {
    if (argc > 4 && std::strcmp(argv[4], t.name) != 0)
      continue;
    auto inputs = run(t, std::filesystem::path(argv[1]) / t.name, mutations, seed);
    std::printf("%s: %zu inputs\n", t.name, inputs);
    if (inputs == 0)
      return 1;
    ran = true;
  }
  return ran ? 0 : 1;
}
