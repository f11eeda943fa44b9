#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/simulation/membership/zone_model.hpp"

/// Membership under its own simulation: how soon all know of a silent node, what that costs on the
/// wire, and whether anybody is ever declared dead wrongly.
///
///   membership_bench [detection [SEEDS [NODES [LOSS]]]]
///   membership_bench false-deaths [NODE_SECONDS [LOSS]]
///   either with NAME=VALUE to try a parameter

namespace {

using namespace legion;
using simulation::zone_model;

/// Parameters to try: NAME=VALUE words, times in milliseconds.
membership::parameters tuned;

bool tune(const std::string& word) {
  auto equals = word.find('=');
  if (equals == std::string::npos)
    return false;
  auto name = word.substr(0, equals);
  auto value = std::atoi(word.c_str() + equals + 1);
  auto count = static_cast<std::size_t>(value);
  if (name == "probe_interval")
    tuned.probe_interval = milliseconds{value};
  else if (name == "direct_timeout")
    tuned.direct_timeout = milliseconds{value};
  else if (name == "probe_timeout")
    tuned.probe_timeout = milliseconds{value};
  else if (name == "suspicion_min")
    tuned.suspicion_min = milliseconds{value};
  else if (name == "gossip_interval")
    tuned.gossip_interval = milliseconds{value};
  else if (name == "indirect_probes")
    tuned.indirect_probes = count;
  else if (name == "reprobers")
    tuned.reprobers = count;
  else if (name == "sends_per_log2")
    tuned.sends_per_log2 = count;
  else if (name == "fanout")
    tuned.fanout = count;
  else
    std::printf("no parameter is called %s\n", name.c_str());
  return true;
}

double seconds_of(time_point::duration x) {
  return std::chrono::duration<double>(x).count();
}

double at(const std::vector<double>& sorted, double share) {
  auto i = static_cast<std::size_t>(share * static_cast<double>(sorted.size()));
  return sorted[std::min(i, sorted.size() - 1)];
}

struct outcome {
  double first_suspicion = 0;
  double first_death = 0;
  double last_knows = 0;
  double idle_rate = 0;  // bytes a second and node
  double whole_rate = 0; // with the death and 30 s after it
  std::size_t largest = 0;
};

outcome one_silent(std::uint64_t seed, std::size_t nodes, double loss) {
  zone_model::setting x;
  x.nodes = nodes;
  x.seed = seed;
  x.loss = loss;
  x.tuned = tuned;
  x.count_bytes = true;
  zone_model zone{x};
  zone.run_for(seconds{30});
  auto bytes = zone.bytes_sent();
  auto since = zone.now();
  std::mt19937_64 random{seed + 1};
  zone.run_for(seconds{30} + milliseconds{random() % 3000});
  outcome result;
  result.idle_rate = static_cast<double>(zone.bytes_sent() - bytes) / seconds_of(zone.now() - since)
                     / static_cast<double>(nodes);
  auto victim = static_cast<std::size_t>(random() % nodes);
  auto silent_at = zone.now();
  std::size_t know = 0;
  zone.listener = [&](const zone_model::told& t) {
    if (t.subject != victim)
      return;
    auto after = seconds_of(t.at - silent_at);
    if (t.state == member_suspect && result.first_suspicion == 0)
      result.first_suspicion = after;
    if (t.state != member_dead)
      return;
    if (result.first_death == 0)
      result.first_death = after;
    if (++know == nodes - 1)
      result.last_knows = after;
  };
  zone.silence(victim);
  zone.run_for(seconds{30});
  if (know != nodes - 1)
    result.last_knows = 1e9;
  result.whole_rate = static_cast<double>(zone.bytes_sent() - bytes)
                      / seconds_of(zone.now() - since) / static_cast<double>(nodes);
  result.largest = zone.largest_frame();
  return result;
}

void detection(std::size_t seeds, std::size_t nodes, double loss) {
  std::vector<double> suspected, died, known;
  double idle = 0, whole = 0, worst = 0;
  std::size_t largest = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    auto x = one_silent(seed, nodes, loss);
    suspected.push_back(x.first_suspicion);
    died.push_back(x.first_death);
    known.push_back(x.last_knows);
    idle += x.idle_rate;
    whole += x.whole_rate;
    worst = std::max(worst, x.whole_rate);
    largest = std::max(largest, x.largest);
  }
  for (auto* v : {&suspected, &died, &known})
    std::sort(v->begin(), v->end());
  auto line = [](const char* what, const std::vector<double>& v) {
    std::printf("  %-22s p50 %.2f  p95 %.2f  p99 %.2f  max %.2f s\n", what, at(v, .5), at(v, .95),
                at(v, .99), v.back());
  };
  std::printf("%zu nodes, %zu seeds, loss %.1f%%: after one falls silent\n", nodes, seeds,
              loss * 100);
  line("first suspicion", suspected);
  line("first death", died);
  line("the last node knows", known);
  std::printf("  sent per node: idle %.0f B/s, with the death %.0f B/s (worst seed %.0f), largest "
              "frame %zu B\n",
              idle / static_cast<double>(seeds), whole / static_cast<double>(seeds), worst,
              largest);
}

int false_deaths(double node_seconds, double loss) {
  constexpr std::size_t nodes = 64;
  zone_model::setting x;
  x.nodes = nodes;
  x.seed = 1;
  x.loss = loss;
  x.tuned = tuned;
  zone_model zone{x};
  std::size_t suspicions = 0, deaths = 0;
  zone.run_for(seconds{30});
  zone.listener = [&](const zone_model::told& t) {
    suspicions += t.state == member_suspect;
    deaths += t.state == member_dead;
  };
  auto end = node_seconds / nodes;
  for (double t = 0; t < end; t += 1000) {
    zone.run_for(std::chrono::duration_cast<time_point::duration>(
        std::chrono::duration<double>(std::min(1000.0, end - t))));
    std::fprintf(stderr, "\r%.0f%%", 100 * std::min(1.0, (t + 1000) / end));
  }
  std::printf(
      "\n%zu nodes, %.0f node-seconds, loss %.1f%%: told of suspicions %zu, of deaths %zu\n", nodes,
      node_seconds, loss * 100, suspicions, deaths);
  return deaths == 0 ? 0 : 1;
}

} // namespace

int main(int count, char** words) {
  std::vector<const char*> rest;
  for (int i = 1; i < count; ++i)
    if (!tune(words[i]))
      rest.push_back(words[i]);
  auto word = [&](std::size_t i, const char* otherwise) {
    return i <= rest.size() ? rest[i - 1] : otherwise;
  };
  std::string what = word(1, "detection");
  if (what == "false-deaths")
    return false_deaths(std::atof(word(2, "1e7")), std::atof(word(3, "0.01")));
  detection(static_cast<std::size_t>(std::atoi(word(2, "200"))),
            static_cast<std::size_t>(std::atoi(word(3, "64"))), std::atof(word(4, "0.01")));
  return 0;
}
