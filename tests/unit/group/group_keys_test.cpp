#include <doctest/doctest.h>

#include "actors/consensus/log_records.hpp"
#include "actors/group/group_keys.hpp"
#include "messages/consensus.pb.h"

namespace legion::group_keys_test {

using namespace legion::group;

TEST_SUITE("group/group_keys") {

  TEST_CASE("keys of groups are told from others") {
    CHECK(group_of_key("group/63/log/1") == group_id{63});
    CHECK(group_of_key(key_prefix(group_id{7}) + "snapshot") == group_id{7});
    for (auto key : {"group/64/log/1", "group/x/log", "group/7", "promise/1", "group/-1/log"})
      CHECK_FALSE(group_of_key(key));
  }

  TEST_CASE("a node is in the groups that its journal has a log of, readable or not") {
    record_batch journal;
    consensus::log_records::found(key_prefix(group_id{7}),
                                  {{node_id::from_bytes(std::string(16, 'a')),
                                    consensus::journal_id::from_bytes(std::string(16, 'b'))}},
                                  journal);
    auto& damaged = *journal.add_records();
    damaged.set_key("group/9/snapshot");
    damaged.set_value("\xff");
    auto& tombstone = *journal.add_records();
    tombstone.set_key("group/11/promised");
    tombstone.set_value(consensus_promised{}.SerializeAsString());
    std::vector<record> records(journal.records().begin(), journal.records().end());
    CHECK(groups_in(records) == (std::uint64_t{1} << 7 | std::uint64_t{1} << 9));
  }

} // TEST_SUITE

} // namespace legion::group_keys_test
