#include "tests/simulation/saboteur.hpp"

#include <algorithm>

#include "messages/keeping.pb.h"
#include "messages/vocabulary.hpp"

namespace legion::simulator {

namespace {

template <class Which>
bool drop(frame& what, std::string& bytes, Which which) {
  auto* all = what.mutable_messages();
  auto end = std::remove_if(all->begin(), all->end(), which);
  if (end == all->end())
    return true;
  all->erase(end, all->end());
  bytes = what.SerializeAsString();
  return all->size() > 0;
}

void forge_roster(frame& what, std::string& bytes) {
  for (auto& x : *what.mutable_messages()) {
    roster_state news;
    if (x.kind() != message_kind<roster_state> || !news.ParseFromString(x.body())
        || news.nodes().empty())
      continue;
    news.mutable_nodes(0)->set_endpoint("elsewhere:1");
    x.set_body(news.SerializeAsString());
    bytes = what.SerializeAsString();
  }
}

} // namespace

void saboteur::begin() {
  begun_ = true;
  if (what_ == sabotage::silent_kill)
    for (std::uint32_t i = 0; i < cluster_.size(); ++i)
      for (auto& x : cluster_.node(i).machine->processes())
        if (x.status.state() == "running") {
          cluster_.node(i).machine->kill_silently(x.status.workload());
          return;
        }
  if (what_ == sabotage::stale_orders)
    repeat_orders();
}

bool saboteur::pass(std::uint32_t from, std::uint32_t to, frame& what, std::string& bytes) {
  for (auto& x : what.messages())
    sent_[{from, to}] = std::max(sent_[{from, to}], x.sequence());
  switch (what_) {
    case sabotage::swallowed_accept:
      return drop(what, bytes, [](auto& x) { return x.kind() == message_kind<accept>; });
    case sabotage::deaf_member:
      return !begun_ || to != 1 || drop(what, bytes, [](auto& x) {
        const auto of_membership = {message_kind<swim_packet>, message_kind<member_list>,
                                    message_kind<join_request>, message_kind<join_reply>};
        return std::find(of_membership.begin(), of_membership.end(), x.kind())
               != of_membership.end();
      });
    case sabotage::forged_roster:
      forge_roster(what, bytes);
      return true;
    case sabotage::second_accept:
      double_accepts(from, to, what);
      return true;
    case sabotage::lost_answers:
      return !is_deaf(what) || drop(what, bytes, [](auto& x) {
        return x.kind() == message_kind<accept_reply> || x.kind() == message_kind<report>;
      });
    case sabotage::stale_orders:
      for (auto& x : what.messages())
        if (x.kind() == message_kind<accept>)
          orders_.emplace_back(from, to, what);
      return true;
    case sabotage::late_copies:
      for (auto& x : what.messages())
        if (!begun_ && x.kind() == message_kind<group_request>)
          requests_.emplace_back(from, to, what);
      return true;
    default:
      return true;
  }
}

/// It takes the number that is next between these two: it is heard, and one that is sent next is lost
/// for it; a number far ahead would end all that follows.
void saboteur::forge(std::uint32_t from, std::uint32_t to, const frame& like, envelope what) {
  what.set_sequence(++sent_[{from, to}]);
  frame forged = like;
  forged.clear_messages();
  *forged.add_messages() = std::move(what);
  cluster_.network().forge(cluster_.node(from).self.id, cluster_.node(to).self.id,
                           forged.SerializeAsString());
}

/// A losing offer of the same call is accepted too, in the keeper's name.
void saboteur::double_accepts(std::uint32_t from, std::uint32_t to, const frame& what) {
  for (auto& x : what.messages()) {
    call_reply reply;
    if (x.kind() == message_kind<call_reply> && reply.ParseFromString(x.body())
        && reply.has_offer())
      offers_.push_back({from, to, reply.offer()});
    accept order;
    if (x.kind() != message_kind<accept> || !order.ParseFromString(x.body()))
      continue;
    for (auto& [node, keeper, offer] : offers_) {
      if (node == to || keeper != from)
        continue;
      order.set_offer(offer.id());
      order.set_start(offer.start());
      auto copy = x;
      copy.set_body(order.SerializeAsString());
      forge(from, node, what, std::move(copy));
    }
  }
}

/// For 5 s from the first accept that is answered.
bool saboteur::is_deaf(const frame& what) {
  for (auto& x : what.messages())
    if (x.kind() == message_kind<accept_reply> && !deaf_since_)
      deaf_since_ = cluster_.now();
  return deaf_since_ && cluster_.now() < *deaf_since_ + seconds{5};
}

void saboteur::repeat_requests() {
  for (auto& [from, to, what] : requests_)
    for (auto& x : what.messages()) {
      group_request request;
      if (x.kind() == message_kind<group_request> && request.ParseFromString(x.body())
          && request.has_put() && !request.put().dry_run())
        forge(from, to, what, x);
    }
}

/// As from a leader that was deposed long ago: orders of the same slots, with lower numbers.
void saboteur::repeat_orders() {
  for (auto& [from, to, what] : orders_)
    for (auto& x : what.messages()) {
      accept order;
      if (x.kind() != message_kind<accept> || !order.ParseFromString(x.body()))
        continue;
      release end;
      end.set_keeper(order.keeper());
      end.set_group(order.group());
      for (auto& slot : order.slots()) {
        *end.add_slots() = slot;
        auto* number = end.mutable_slots()->rbegin()->mutable_order();
        number->set_index(number->index() - 1);
      }
      auto copy = x;
      copy.set_kind(message_kind<release>);
      copy.set_body(end.SerializeAsString());
      forge(from, to, what, std::move(copy));
    }
}

} // namespace legion::simulator
