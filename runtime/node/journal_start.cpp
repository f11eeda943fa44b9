#include "runtime/node/journal_start.hpp"

#include <algorithm>
#include <future>

#include <sodium.h>
#include <spdlog/spdlog.h>

#include "actors/node/recovery.hpp"
#include "messages/journal.pb.h"
#include "messages/membership.pb.h"
#include "runtime/store/sqlite/salvage.hpp"
#include "runtime/store/sqlite/sqlite_store.hpp"

namespace legion::node_process {

namespace {

/// Waits for the one batch that is written before the actors.
class first_write : public store::sink {
public:
  void written(std::uint64_t) override { done_.set_value({}); }
  void failed(std::uint64_t, fault why) override { done_.set_value(std::move(why)); }
  result<void> wait() { return done_.get_future().get(); }

private:
  std::promise<result<void>> done_;
};

} // namespace

result<store::opened> open_journal(const std::string& folder, wall_ms now) {
  auto journal = store::sqlite::open(folder);
  if (auto whose = journal ? node::outdated_in(journal->records) : ""; !whose.empty())
    journal = fault{errc::damaged, folder + "/journal.db: it holds less of " + whose
                                       + " than was acknowledged from it: an old copy, or its end "
                                         "is lost"};
  if (journal || journal.why().code != errc::damaged)
    return journal;
  damage_record what;
  what.set_detail(journal.why().detail);
  what.set_time_ms(now);
  spdlog::error("node journal_damaged detail=\"{}\"", what.detail());
  auto carry = [&](store::sqlite::salvaged found) {
    what.set_aside(found.aside);
    return node::carried_over(std::move(found.records), what);
  };
  auto anew = store::sqlite::set_aside(folder, carry);
  if (anew)
    spdlog::error("node journal_set_aside to={} records_carried_over={}: its groups are fenced",
                  what.aside(), anew->records.size());
  return anew;
}

std::string lost_journal(bool founds) {
  return std::string{"journal.db is new, but node.key is not: the journal that belonged to it is "
                     "lost. "}
         + (founds ? "Workloads of before are ended. "
                   : "Of the workloads of before it takes back those of which the supervisor has "
                     "the promise, and ends the others; the groups that it kept take it in anew. ")
         + (founds ? "It founds a cluster of its own"
                   : "Should its zone refuse it, remove node.key too: it begins as a new node");
}

namespace {

/// Why a node that nobody told whom to join does not found a cluster: it may have been in one.
std::string cluster_unknown(const std::optional<damage_record>& damage) {
  auto what = damage
                  ? "journal.db was damaged (" + damage->detail() + "; set aside to "
                        + damage->aside() + "), and which cluster this node is of is lost with it"
                  : std::string{"journal.db is missing, but node.key is there: which cluster "
                                "this node is of was in it"};
  return what
         + ". Restore journal.db, or name a node of that cluster with --join: it takes this one in "
           "anew. If there is no other node, start this one with --accept-loss: it founds a "
           "cluster anew";
}

} // namespace

result<journal_start> begin_start(store::opened& journal, const node_id& self,
                                  const circumstances& how) {
  journal_start result;
  start_record last;
  known_members known;
  result.journal_is_new = journal.records.empty();
  for (const auto& x : journal.records) {
    if (x.key() == "start")
      last.ParseFromString(x.value());
    else if (x.key() == "members")
      known.ParseFromString(x.value());
  }
  if (!last.node().empty() && last.node() != self.bytes())
    return fault{errc::conflict,
                 "journal.db is of node " + node_id::from_bytes(last.node()).short_text()
                     + ", node.key of node " + self.short_text()
                     + ": restore the one that is of the other, or remove both to begin as a new "
                       "node"};
  for (const auto& x : node::contacts_in(journal.records, self))
    result.contacts.push_back({node_id::from_bytes(x.id()), x.endpoint(), x.public_key()});
  // It meant to found a cluster, but never ran: a port was taken, or --join forgotten.
  auto never_ran = journal.records.size() == 1 && last.start() > 0;
  if (!how.founds && never_ran)
    last.clear_cluster();
  result.cluster = last.cluster().empty() ? known.cluster() : last.cluster();
  auto damage = node::damage_in(journal.records);
  if (how.founds && result.cluster.empty() && result.contacts.empty()) {
    auto lost = result.journal_is_new && !how.key_is_new;
    if ((lost || damage) && !how.accepts_loss)
      return fault{errc::conflict, cluster_unknown(damage)};
    result.cluster.resize(16);
    randombytes_buf(result.cluster.data(), result.cluster.size());
    last.set_cluster(result.cluster);
  }
  auto count_is_lost = last.start() == 0 && !how.key_is_new;
  if (last.start() == 0)
    last.set_first_ms(how.now);
  result.first_ms = last.first_ms();
  last.set_node(self.bytes());
  last.set_start(std::max<std::uint64_t>(last.start() + 1, count_is_lost ? how.now / 1000 : 0));
  last.set_binary_version(LEGION_VERSION);
  result.start = start_number{last.start()};

  record_batch batch;
  batch.set_from_ballast(true); // a node whose disk is full must start, to say so
  auto& mine = *batch.add_records();
  mine.set_key("start");
  mine.set_value(last.SerializeAsString());
  if (how.accepts_loss && damage) {
    spdlog::warn("node loss_accepted what=\"{}\" aside={}: its groups are fenced no more",
                 damage->detail(), damage->aside());
    batch.add_records()->set_key(node::damage_key);
  }
  first_write done;
  auto writer = journal.start(done);
  writer->append(1, std::move(batch));
  if (auto written = done.wait(); !written)
    return written.why();
  if (how.accepts_loss)
    std::erase_if(journal.records, [](const record& x) { return x.key() == node::damage_key; });
  for (auto& x : journal.records)
    if (x.key() == "start")
      x.set_value(last.SerializeAsString());
  return result;
}

} // namespace legion::node_process
