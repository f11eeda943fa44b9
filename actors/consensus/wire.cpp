#include "actors/consensus/wire.hpp"

#include <algorithm>

namespace legion::consensus {

consensus_member to_wire(const member_id& x) {
  consensus_member result;
  result.set_node(x.node.bytes());
  result.set_journal(x.journal.bytes());
  return result;
}

std::optional<member_id> from_wire(const consensus_member& x) {
  member_id result{node_id::from_bytes(x.node()), journal_id::from_bytes(x.journal())};
  if (result.node.null() || result.journal.null())
    return std::nullopt;
  return result;
}

consensus_configuration to_wire(const configuration& x) {
  consensus_configuration result;
  for (const auto& who : x.voters)
    *result.add_voters() = to_wire(who);
  for (const auto& who : x.outgoing)
    *result.add_outgoing() = to_wire(who);
  for (const auto& who : x.learners)
    *result.add_learners() = to_wire(who);
  return result;
}

std::optional<configuration> from_wire(const consensus_configuration& x) {
  configuration result;
  auto read = [](const auto& from, std::vector<member_id>& to) {
    if (from.size() > static_cast<int>(configuration::most_members))
      return false;
    to.reserve(static_cast<std::size_t>(from.size()));
    for (const auto& who : from) {
      auto one = from_wire(who);
      if (!one)
        return false;
      to.push_back(*one);
    }
    return true;
  };
  if (!read(x.voters(), result.voters) || !read(x.outgoing(), result.outgoing)
      || !read(x.learners(), result.learners))
    return std::nullopt;
  return in_order(std::move(result));
}

consensus_ballot to_wire(const ballot& x) {
  consensus_ballot result;
  result.set_term(x.term);
  if (!x.vote.null())
    *result.mutable_vote() = to_wire(x.vote);
  return result;
}

std::optional<ballot> from_wire(const consensus_ballot& x) {
  ballot result{x.term(), {}};
  if (x.has_vote()) {
    auto vote = from_wire(x.vote());
    if (!vote)
      return std::nullopt;
    result.vote = *vote;
  }
  return result;
}

consensus_entry to_wire(const entry& x) {
  consensus_entry result;
  result.set_index(x.index);
  result.set_term(x.term);
  result.set_kind(static_cast<consensus_entry_kind>(x.kind));
  result.set_data(x.data);
  return result;
}

entry_ref from_wire(const consensus_entry& x) {
  if (x.kind() < 0 || x.kind() > consensus_configuration_change || x.index() == 0)
    return nullptr;
  return std::make_shared<const entry>(
      entry{x.index(), x.term(), static_cast<entry_kind>(x.kind()), x.data()});
}

consensus_snapshot_head to_wire(const snapshot_head& x) {
  consensus_snapshot_head result;
  result.set_index(x.index);
  result.set_term(x.term);
  *result.mutable_configuration() = to_wire(x.members);
  result.set_configuration_index(x.members_index);
  return result;
}

std::optional<snapshot_head> from_wire(const consensus_snapshot_head& x) {
  auto members = from_wire(x.configuration());
  if (!members || x.configuration_index() > x.index())
    return std::nullopt;
  return snapshot_head{x.index(), x.term(), std::move(*members), x.configuration_index()};
}

namespace {

/// Fills the wire's `what` from a body, one overload for each.
struct writer {
  consensus_message& out;

  void operator()(const vote_request& x) const {
    auto& y = *out.mutable_vote_request();
    y.set_trial(x.trial);
    y.set_last_index(x.last_index);
    y.set_last_term(x.last_term);
    y.set_transfer(x.transfer);
  }
  void operator()(const vote_reply& x) const {
    auto& y = *out.mutable_vote_reply();
    y.set_trial(x.trial);
    y.set_granted(x.granted);
  }
  void operator()(const append& x) const {
    auto& y = *out.mutable_append();
    y.set_previous_index(x.previous_index);
    y.set_previous_term(x.previous_term);
    y.set_commit(x.commit);
    for (const auto& e : x.entries) {
      auto& z = *y.add_entries(); // the index follows from the place
      z.set_term(e->term);
      z.set_kind(static_cast<consensus_entry_kind>(e->kind));
      z.set_data(e->data);
    }
  }
  void operator()(const append_reply& x) const {
    auto& y = *out.mutable_append_reply();
    y.set_accepted(x.accepted);
    y.set_index(x.index);
    y.set_hint_index(x.hint_index);
    y.set_hint_term(x.hint_term);
    y.set_last_index(x.last_index);
    y.set_count(x.count);
    y.set_start(x.start);
  }
  void operator()(const snapshot_chunk& x) const {
    auto& y = *out.mutable_snapshot_chunk();
    *y.mutable_head() = to_wire(*x.head);
    y.set_offset(x.offset);
    y.set_size(x.size);
    y.set_data(x.data);
  }
  void operator()(const snapshot_reply& x) const {
    auto& y = *out.mutable_snapshot_reply();
    y.set_index(x.index);
    y.set_received(x.received);
    y.set_done(x.done);
    y.set_count(x.count);
    y.set_start(x.start);
  }
  void operator()(const confirm& x) const { out.mutable_confirm()->set_round(x.round); }
  void operator()(const confirmed& x) const { out.mutable_confirmed()->set_round(x.round); }
  void operator()(const take_over&) const { out.mutable_take_over(); }
  void operator()(const stranger&) const { out.mutable_stranger(); }
  void operator()(const fence& x) const { out.mutable_fence()->set_acknowledged(x.acknowledged); }
  void operator()(const removed& x) const {
    out.mutable_removed()->set_configuration_index(x.members_index);
  }
};

std::optional<message_body> read(const consensus_append& x) {
  append result{x.previous_index(), x.previous_term(), x.commit(), {}};
  result.entries.reserve(static_cast<std::size_t>(x.entries_size()));
  auto index = x.previous_index();
  for (const auto& e : x.entries()) {
    if (e.kind() < 0 || e.kind() > consensus_configuration_change)
      return std::nullopt;
    result.entries.push_back(std::make_shared<const entry>(
        entry{++index, e.term(), static_cast<entry_kind>(e.kind()), e.data()}));
  }
  return result;
}

std::optional<message_body> read(const consensus_snapshot_chunk& x) {
  auto head = from_wire(x.head());
  if (!head)
    return std::nullopt;
  return snapshot_chunk{std::make_shared<const snapshot_head>(std::move(*head)), x.offset(),
                        x.size(), x.data()};
}

std::optional<message_body> read(const consensus_message& x) {
  switch (x.what_case()) {
    case consensus_message::kVoteRequest: {
      const auto& y = x.vote_request();
      return vote_request{y.trial(), y.last_index(), y.last_term(), y.transfer()};
    }
    case consensus_message::kVoteReply:
      return vote_reply{x.vote_reply().trial(), x.vote_reply().granted()};
    case consensus_message::kAppend:
      return read(x.append());
    case consensus_message::kAppendReply: {
      const auto& y = x.append_reply();
      return append_reply{y.accepted(),   y.index(), y.hint_index(), y.hint_term(),
                          y.last_index(), y.count(), y.start()};
    }
    case consensus_message::kSnapshotChunk:
      return read(x.snapshot_chunk());
    case consensus_message::kSnapshotReply: {
      const auto& y = x.snapshot_reply();
      return snapshot_reply{y.index(), y.received(), y.done(), y.count(), y.start()};
    }
    case consensus_message::kConfirm:
      return confirm{x.confirm().round()};
    case consensus_message::kConfirmed:
      return confirmed{x.confirmed().round()};
    case consensus_message::kTakeOver:
      return take_over{};
    case consensus_message::kStranger:
      return stranger{};
    case consensus_message::kFence:
      return fence{x.fence().acknowledged()};
    case consensus_message::kRemoved:
      return removed{x.removed().configuration_index()};
    case consensus_message::WHAT_NOT_SET:
      break;
  }
  return std::nullopt;
}

} // namespace

consensus_message to_wire(const message& x) {
  consensus_message result;
  result.set_term(x.term);
  std::visit(writer{result}, x.body);
  return result;
}

std::optional<message> from_wire(const consensus_message& x, const member_id& from,
                                 const member_id& to) {
  auto body = read(x);
  if (!body)
    return std::nullopt;
  return message{from, to, x.term(), std::move(*body)};
}

} // namespace legion::consensus
