#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "actors/consensus/wire.hpp"
#include "actors/group/whereabouts.hpp"
#include "messages/charter.pb.h"
#include "tests/simulation/requests.hpp"

namespace legion::replacement_test {

// Members of the 64 groups and of the charter come and go with the zone's nodes: who they are, and how
// many groups are at it at one moment, as their logs on all disks have it.

namespace {

using namespace legion::simulator;
using consensus::configuration;
using std::chrono::minutes;

constexpr int names = 150; // so that each of the 64 groups keeps some
/// Of about 40 groups that have to, so many may change their members at one moment. All at once is
/// what the random moment of each is there against.
constexpr std::size_t at_most = 8;

/// A group's members by its newest entry that says, on whichever disk: its leader's, for all that it
/// has to do with here.
class group_log {
public:
  void add(const consensus::entry& x) {
    auto i = entries_.find(x.index);
    if (i != entries_.end() && i->second.term >= x.term)
      return;
    if (i != entries_.end()) // what a later leader does not have counts no more
      entries_.erase(i, entries_.end());
    auto& kept = entries_[x.index];
    kept.term = x.term;
    if (x.kind == consensus::entry_kind::configuration)
      kept.members = consensus::decode_configuration(x.data);
  }
  void begin(const consensus::snapshot_head& x) { at_first_.emplace(x.members); }

  configuration members() const {
    for (auto i = entries_.rbegin(); i != entries_.rend(); ++i)
      if (i->second.members)
        return *i->second.members;
    return at_first_.value_or(configuration{});
  }

private:
  struct kept_entry {
    consensus::term_number term = 0;
    std::optional<configuration> members;
  };
  std::map<consensus::log_index, kept_entry> entries_;
  std::optional<configuration> at_first_;
};

struct zone {
  /// The last of them does not start at once.
  zone(std::uint32_t nodes, std::uint32_t starting, std::uint64_t seed)
      : all(requests::sized(nodes, seed)) {
    watch_cluster hooks;
    hooks.durable = [this](std::uint32_t node, const record_batch& batch) { read(node, batch); };
    all.set_watcher(std::move(hooks));
    for (std::uint32_t i = 0; i < starting; ++i)
      all.start(i);
    all.run_for(seconds{20});
    REQUIRE(apply(0, 1));
    REQUIRE(all.run_until([&] { return where_they_belong(); }, minutes{5}, seconds{1}));
    most_changing = 0;
  }
  ~zone() { all.set_watcher({}); }

  void read(std::uint32_t node, const record_batch& batch) {
    auto changed = false;
    for (const auto& x : batch.records()) {
      if (x.key() == "roster")
        (void)rosters[node].ParseFromString(x.value());
      auto group = std::uint32_t{groups_per_zone};
      auto key = x.key();
      if (key.starts_with("group/"))
        group = static_cast<std::uint32_t>(std::stoul(key.substr(6)));
      else if (!key.starts_with("charter/"))
        continue;
      if (key.ends_with("/snapshot")) {
        consensus_snapshot wire;
        auto head =
            wire.ParseFromString(x.value()) ? consensus::from_wire(wire.head()) : std::nullopt;
        if (head)
          logs[group].begin(*head);
      }
      consensus_entry wire;
      if (key.find("/log/") == key.npos || x.value().empty() || !wire.ParseFromString(x.value()))
        continue;
      if (auto entry = consensus::from_wire(wire)) {
        logs[group].add(*entry);
        changed = changed || entry->kind == consensus::entry_kind::configuration;
      }
    }
    if (!changed)
      return;
    auto changing = std::count_if(logs.begin(), logs.end(), [](const auto& x) {
      auto members = x.second.members();
      return members.joint() || !members.learners.empty();
    });
    most_changing = std::max(most_changing, static_cast<std::size_t>(changing));
  }

  bool runs(const consensus::member_id& x) {
    auto i = all.index_of(x.node);
    return i && all.node(*i).actors && all.node(*i).disk->id() == x.journal.bytes();
  }

  /// All 65, by group.
  std::map<std::uint32_t, configuration> members() const {
    std::map<std::uint32_t, configuration> result;
    for (const auto& [group, log] : logs)
      result.emplace(group, log.members());
    return result;
  }

  /// Three voters that run and no other member: of all the groups, and of the charter.
  bool whole() {
    auto now = members();
    return now.size() == groups_per_zone + 1
           && std::all_of(now.begin(), now.end(), [&](const auto& x) {
                const auto& [group, m] = x;
                return m.voters.size() == 3 && !m.joint() && m.learners.empty()
                       && std::all_of(m.voters.begin(), m.voters.end(),
                                      [&](const auto& y) { return runs(y); });
              });
  }

  /// Besides, they are those that rank highest.
  bool where_they_belong() {
    if (!whole())
      return false;
    for (const auto& [group, m] : members()) {
      std::vector<node_id> best;
      for (std::uint32_t i = 0; i < all.size(); ++i)
        if (all.node(i).actors)
          best.push_back(all.node(i).self.id);
      std::sort(best.begin(), best.end(), [&, number = group](const auto& a, const auto& b) {
        return group::ranks_before(group_id{number}, a, b);
      });
      best.resize(3);
      for (const auto& x : m.voters)
        if (std::find(best.begin(), best.end(), x.node) == best.end())
          return false;
    }
    return true;
  }

  /// What this node was told of who keeps what is what the logs say.
  bool hints_are_right(std::uint32_t asked) {
    auto now = members();
    for (const auto& x : rosters[asked].hints()) {
      std::set<std::string> said(x.voters().begin(), x.voters().end());
      std::set<std::string> are;
      for (const auto& y : now[x.group()].voters)
        are.insert(y.node.bytes());
      if (said != are || x.learners_size() != 0)
        return false;
    }
    return rosters[asked].hints_size() == groups_per_zone + 1;
  }

  /// In so many groups this node votes.
  std::size_t groups_of(std::uint32_t node) {
    std::size_t result = 0;
    for (const auto& [group, m] : members())
      for (const auto& x : m.voters)
        result += x.node == all.node(node).self.id ? 1 : 0;
    return result;
  }

  /// Every resource gets so many replicas; all of it is committed. A few run.
  bool apply(std::uint32_t at, int replicas) {
    auto changed = "  minReadySeconds: " + std::to_string(replicas) + "\n";
    std::string text;
    for (int i = 0; i < names; ++i)
      text += requests::deployment("app" + std::to_string(i), i % 30 == 0 ? replicas : 0, changed);
    auto reply = all.ask(at, requests::apply(text), seconds{30});
    return requests::all_done(reply, names)
           && std::none_of(reply->results().begin(), reply->results().end(),
                           [](const auto& y) { return y.action() == "unchanged"; });
  }
  bool running(int replicas) {
    auto result = 0;
    for (std::uint32_t i = 0; i < all.size(); ++i)
      for (const auto& x : all.node(i).machine->processes())
        result += all.node(i).actors && x.status.state() != "exited" ? 1 : 0;
    return result == replicas * names / 30;
  }
  bool served(std::uint32_t asked, int replicas) {
    return apply(asked, replicas)
           && all.run_until([&] { return running(replicas); }, seconds{30}, seconds{1});
  }

  /// Not the first, through which others join.
  std::uint32_t charter_voter(std::uint32_t but = 0) {
    for (const auto& x : logs[groups_per_zone].members().voters)
      if (auto i = all.index_of(x.node); i && *i != 0 && *i != but)
        return *i;
    return 1;
  }

  cluster all;
  std::map<std::uint32_t, group_log> logs;       // by group
  std::map<std::uint32_t, roster_state> rosters; // by node
  std::size_t most_changing = 0;                 // at one moment
};

} // namespace

TEST_SUITE("simulation/replacement") {
  TEST_CASE("a node that is dead for five minutes is replaced, and a new one gets its share, a few "
            "groups at a time") {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      CAPTURE(seed);
      zone z{6, 5, seed};
      auto victim = z.charter_voter();
      auto had = z.groups_of(victim);
      REQUIRE(had > 20);
      z.all.crash(victim);
      z.all.run_for(minutes{5} - seconds{5});
      CHECK(z.groups_of(victim) == had); // it might be back yet
      CHECK(z.most_changing == 0);
      z.all.run_for(minutes{2});
      CHECK(z.whole());
      CHECK(z.hints_are_right(0));
      CHECK(z.most_changing > 0);
      CHECK(z.most_changing <= at_most);
      CHECK(z.served(0, 2));

      z.most_changing = 0;
      z.all.start(5);
      CHECK(z.all.run_until([&] { return z.where_they_belong(); }, minutes{6}, seconds{1}));
      CHECK(z.groups_of(5) > 20);
      z.all.run_for(seconds{10});
      CHECK(z.hints_are_right(0));
      CHECK(z.most_changing > 0);
      CHECK(z.most_changing <= at_most);
      CHECK(z.served(0, 3));
      CHECK(z.all.errors().empty());
    }
  }

  TEST_CASE("nor do all groups move at once when all begin again and one has been dead for long") {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      CAPTURE(seed);
      zone z{5, 5, seed};
      auto victim = z.charter_voter();
      z.all.crash(victim);
      z.all.run_for(minutes{4});
      for (std::uint32_t i = 0; i < 5; ++i)
        z.all.crash(i);
      z.all.run_for(minutes{4});
      for (std::uint32_t i = 0; i < 5; ++i)
        if (i != victim)
          z.all.start(i);
      CHECK(z.all.run_until([&] { return z.whole(); }, minutes{3}, seconds{1}));
      CHECK(z.most_changing > 0);
      CHECK(z.most_changing <= at_most);
      CHECK(z.served(0, 2));
    }
  }

  TEST_CASE("nobody is replaced while two of five are dead, and the one is that stays dead") {
    zone z{5, 5, 3};
    auto before = z.members();
    auto lost = z.charter_voter();
    auto other = z.charter_voter(lost);
    z.all.crash(lost);
    z.all.run_for(minutes{1});
    z.all.crash(other);
    z.all.run_for(minutes{12});
    CHECK(z.members() == before);
    CHECK(z.most_changing == 0);
    z.all.start(other);
    CHECK(z.all.run_until([&] { return z.whole(); }, minutes{2}, seconds{1}));
    CHECK(z.groups_of(lost) == 0);
    CHECK(z.most_changing <= at_most);
    CHECK(z.served(other, 2));
  }
}

} // namespace legion::replacement_test
