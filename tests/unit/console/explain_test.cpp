#include <doctest/doctest.h>

#include "runtime/console/describe.hpp"
#include "runtime/console/explain.hpp"
#include "runtime/console/objects.hpp"
#include "tests/unit/console/canned.hpp"

namespace legion::explain_test {

using namespace legion::console;

TEST_SUITE("console/explain") {

  TEST_CASE("who keeps it, and whether its quorum is whole") {
    google::protobuf::RepeatedPtrField<keeper_member> all;
    auto add = [&](const char* name, bool votes, bool heard, bool leads) {
      auto& x = *all.Add();
      x.set_name(name);
      x.set_votes(votes);
      x.set_heard(heard);
      x.set_leads(leads);
    };
    add("n1", true, true, false);
    CHECK(quorum_text(all) == "n1: 1 of 1 are up, and none of them leads");
    all[0].set_leads(true);
    CHECK(quorum_text(all)
          == "n1 (leads): one node decides; with three in the zone it will be three");
    all[0].set_leads(false);
    add("n2", true, true, true);
    add("n3", true, true, false);
    add("n4", false, true, false);
    CHECK(quorum_text(all)
          == "n2 (leads), n1, n3, n4 (learns): 3 of 3 are up, the quorum is whole");
    all[2].set_heard(false);
    CHECK(quorum_text(all)
          == "n2 (leads), n1, n3 (not heard), n4 (learns): 2 of 3 are up, still a quorum");
    all[0].set_heard(false);
    CHECK(quorum_text(all)
          == "n2 (leads), n1 (not heard), n3 (not heard), n4 (learns): 1 of 3 are up, NO quorum: "
             "nothing can be changed");
    all[1].set_leads(false);
    CHECK(quorum_text(all).ends_with("1 of 3 are up, and none of them leads"));

    explanation why;
    *why.mutable_members() = all;
    CHECK(explain(why, canned_now).find("kept by n1 (not heard), n2") != std::string::npos);
    auto zone = canned_resources();
    auto& view = *zone.mutable_resources(0);
    *view.mutable_members() = all;
    CHECK(describe("deployments", zone, canned_now).find("Kept by:  ") != std::string::npos);
    CHECK(describe("pods", zone, canned_now).find("Kept by:  ") != std::string::npos);
    CHECK(deployment_object(view)["status"]["legion.dev/keepers"].size() == 4);
    CHECK(pod_object(view.pods(0), view)["status"]["legion.dev/keepers"][1]["name"] == "n2");
  }

  TEST_CASE("why: every offer and decline, with numbers, and what decided") {
    explanation x;
    x.set_pod("web-6d5f9c7b8d-x2k41");
    auto web = canned_web();
    *x.mutable_view() = web.pods(0);
    auto& round = *x.add_rounds();
    round.set_time_ms(canned_now - 12'000);
    round.set_called_for(3);
    round.set_decided("legion-1: the highest score");
    auto& winner = *round.add_candidates();
    winner.set_node_name("legion-1");
    winner.set_score(812);
    winner.set_score_detail("room 612, spread 200");
    winner.set_accepted(true);
    winner.mutable_offer()->set_count(3);
    winner.mutable_offer()->mutable_free()->set_cpu_millis(600);
    winner.mutable_offer()->mutable_free()->set_memory_bytes(std::int64_t{2} << 30);
    winner.mutable_offer()->mutable_free()->set_ports(1000);
    winner.mutable_offer()->mutable_free()->set_pods(110);
    auto& loser = *round.add_candidates();
    loser.set_node_name("legion-10");
    loser.mutable_decline()->set_reason(decline_cpu);
    loser.mutable_decline()->set_detail("cpu: needs 500m, free 120m of 2000m");
    auto& silent = *round.add_candidates();
    silent.set_node_name("legion-3");
    silent.mutable_decline()->set_reason(decline_silent);
    CHECK(explain(x, canned_now)
          == "pod web-6d5f9c7b8d-x2k41: Running on legion-1, ready\n"
             "\n"
             "Round 1, 12s ago: 3 replicas called for, 3 nodes asked\n"
             "  legion-1   offered 3, score 812, accepted\n"
             "             room 612, spread 200\n"
             "             free 600m cpu, 2Gi memory, 1000 ports, 110 pods\n"
             "  legion-10  declined: cpu: needs 500m, free 120m of 2000m\n"
             "  legion-3   did not answer\n"
             "  decided: legion-1: the highest score\n");
    auto& regretted = *round.add_regretted();
    regretted.set_node(round.candidates(0).node());
    regretted.set_detail("ports: hostPort 26001 is used by a process that is not of this cluster");
    CHECK(explain(x, canned_now)
              .find("  legion-1   offered 3, score 812, accepted, then regretted:\n"
                    "             ports: hostPort 26001 is used by a process that is not of this\n"
                    "             cluster\n"
                    "             room 612, spread 200\n")
          != std::string::npos);
    round.clear_regretted();
    silent.set_late(true);
    silent.mutable_offer()->set_count(2);
    CHECK(
        explain(x, canned_now).find("legion-3   offered 2, score 0, too late: it was given back\n")
        != std::string::npos);
    round.set_candidates_left_out(61);
    round.set_decided("64 nodes declined: 40 for runtime: container c sets runAsUser or runAsGroup,"
                      " which needs root here");
    CHECK(explain(x, canned_now).find("3 replicas called for, 64 nodes asked\n")
          != std::string::npos);
    CHECK(explain(x, canned_now)
              .find("  and 61 more, not accepted, whose answers are not remembered\n"
                    "  decided: 64 nodes declined: 40 for runtime: container c sets runAsUser or\n"
                    "  runAsGroup, which needs root here\n")
          != std::string::npos);
    x.clear_rounds();
    CHECK(explain(x, canned_now)
          == "pod web-6d5f9c7b8d-x2k41: Running on legion-1, ready\n"
             "No round of negotiation is remembered: none has decided about it yet since its\n"
             "keeper was started, or its rounds were the oldest of too many.\n");
  }

} // TEST_SUITE

} // namespace legion::explain_test
