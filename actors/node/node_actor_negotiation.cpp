#include <spdlog/spdlog.h>

#include "actors/consensus/incarnation.hpp"
#include "actors/node/node_actor_state.hpp"
#include "actors/placement/constraints.hpp"

namespace legion {

namespace {

using node::commitments;
using node::phase;

constexpr auto port_timeout = seconds{10};
constexpr auto foreign_port_pause = seconds{60};
constexpr auto named_port_pause = seconds{10}; // nothing but this port will do

slot_answer bound_answer(const slot& x) {
  slot_answer answer;
  answer.set_uid(x.uid());
  *answer.mutable_order() = x.order();
  answer.set_bound(true);
  return answer;
}

slot_answer regret(const slot& x, regret_reason why, std::string detail) {
  slot_answer answer;
  answer.set_uid(x.uid());
  *answer.mutable_order() = x.order();
  answer.set_regret(why);
  answer.set_detail(std::move(detail));
  return answer;
}

void add(open_accept& to, slot_answer answer) {
  *to.answers.add_slots() = std::move(answer);
  if (--to.missing == 0)
    to.reply.deliver(std::move(to.answers));
}

/// Everybody who waits for this slot hears what became of it.
void settle(node_pointer self, const std::string& uid, const slot_answer& answer) {
  auto waiting = self->state.waiting.extract(uid);
  if (waiting.empty())
    return;
  for (auto& x : waiting.mapped())
    add(*x, answer);
}

void undo(node_pointer self, const slot& x, regret_reason why, const std::string& detail) {
  spdlog::info("node regret uid={} why=\"{}\"", x.uid(), detail);
  self->state.ledger.gone(x.uid());
  self->state.promises.erase(x.uid(), now(self));
  settle(self, x.uid(), regret(x, why, detail));
}

/// On disk: from here on the promise holds, whatever happens to this process.
void bound(node_pointer self, const promise_record& record) {
  auto& s = self->state;
  const auto& uid = record.slot().uid();
  auto* known = s.promises.find(uid);
  if (!known)
    return;
  auto ends = known->end_when_settled;
  auto withdrawn = known->withdrawn;
  s.promises.add(record, phase::bound);
  s.promises.find(uid)->withdrawn = withdrawn;
  spdlog::info("node bound pod={} uid={} order={}.{}", record.slot().pod(), uid,
               record.slot().order().incarnation(), record.slot().order().index());
  settle(self, uid, bound_answer(record.slot()));
  employ(self, uid, {});
  if (ends)
    end_here(self, uid, withdrawn);
}

void write(node_pointer self, std::shared_ptr<binding> todo) {
  record_batch batch;
  for (const auto& x : todo->records) {
    auto& record = *batch.add_records();
    record.set_key(node::promise_key(x.slot().uid()));
    record.set_value(x.SerializeAsString());
  }
  if (batch.records().empty())
    return;
  write(
      self, self->state.partners.store, store_timeout, std::move(batch),

      [self, todo](written) {
        for (const auto& x : todo->records)
          bound(self, x);
      },
      [self, todo](const caf::error& why) {
        auto detail = "journal: " + fault_of(why).detail;
        for (const auto& x : todo->records)
          undo(self, x.slot(), regret_disk, detail);
      });
}

/// One replica has all its ports, or cannot have them; the last one sends the batch to the disk.
void ports_found(node_pointer self, const std::shared_ptr<binding>& todo, std::size_t i,
                 const std::string& missing) {
  if (!missing.empty()) {
    undo(self, todo->records[i].slot(), regret_capacity, missing);
    todo->records[i].clear_slot();
  }
  if (--todo->looking > 0)
    return;
  std::erase_if(todo->records, [](const promise_record& x) { return x.slot().uid().empty(); });
  write(self, todo);
}

/// Finds the host ports of one replica one after another; what a stranger uses is passed over.
void find_ports(node_pointer self, const std::shared_ptr<binding>& todo, std::size_t i) {
  auto& s = self->state;
  auto& record = todo->records[i];
  const auto uid = record.slot().uid();
  auto wanted = node::port_wishes(record.what());
  if (record.host_ports_size() == static_cast<int>(wanted.size()))
    return ports_found(self, todo, i, {});
  auto fixed = wanted[record.host_ports_size()];
  auto port = fixed;
  if (fixed == 0)
    port = s.ledger.choose_port(uid, now(self));
  else if (!s.ledger.claim_port(uid, fixed))
    return ports_found(self, todo, i,
                       "ports: hostPort " + std::to_string(fixed) + " is used by another promise");
  if (port == 0)
    return ports_found(self, todo, i,
                       "ports: none of " + std::to_string(s.context->offers.first_port) + "-"
                           + std::to_string(s.context->offers.last_port) + " is free");
  self->request(s.partners.runtime, port_timeout, check_port{port})
      .then(
          [self, todo, i, port, fixed, uid](bool free) {
            if (free) {
              todo->records[i].add_host_ports(port);
              return find_ports(self, todo, i);
            }
            auto pause = fixed != 0 ? named_port_pause : foreign_port_pause;
            self->state.ledger.port_taken(uid, port, now(self) + pause);
            arm(self);
            if (fixed != 0)
              return ports_found(self, todo, i,
                                 "ports: hostPort " + std::to_string(fixed)
                                     + " is used by a process that is not of this cluster");
            find_ports(self, todo, i);
          },
          [self, todo, i](const caf::error& why) {
            ports_found(self, todo, i, "ports: " + fault_of(why).detail);
          });
}

void write_fresh(node_pointer self, const accept& x, const std::vector<slot>& fresh) {
  auto& s = self->state;
  auto todo = std::make_shared<binding>();
  for (const auto& slot : fresh) {
    promise_record record;
    *record.mutable_slot() = slot;
    *record.mutable_what() = x.what();
    record.set_keeper(x.keeper());
    record.set_group(x.group());
    record.set_term(x.term());
    record.set_made_ms(s.context->wall_clock());
    record.set_driver(placement::driver_for(node::pod_of(x.what()), s.self.describes.drivers));
    s.promises.add(record, phase::binding);
    todo->records.push_back(std::move(record));
  }
  todo->looking = todo->records.size();
  for (std::size_t i = 0; i < todo->records.size(); ++i)
    find_ports(self, todo, i);
}

/// The same promise under a higher order: on disk first, like the promise itself.
void raise(node_pointer self, const slot& x, std::uint64_t term) {
  auto& s = self->state;
  auto record = *s.promises.find(x.uid())->record;
  *record.mutable_slot()->mutable_order() = x.order();
  record.set_term(std::max(term, record.term()));
  record_batch batch;
  auto& y = *batch.add_records();
  y.set_key(node::promise_key(x.uid()));
  y.set_value(record.SerializeAsString());
  write(
      self, s.partners.store, store_timeout, std::move(batch),

      [self, x](written) {
        auto& s = self->state;
        s.promises.raise(x.uid(), x.order());
        if (auto i = s.keeping.find(x.uid()); i != s.keeping.end())
          self->send(i->second, raise_order{x.order()});
        settle(self, x.uid(), bound_answer(x));
      },
      [self, x](const caf::error& why) {
        settle(self, x.uid(), regret(x, regret_disk, "journal: " + fault_of(why).detail));
      });
}

/// The group was begun anew since: who kept it before gives no orders any more.
bool is_left_behind(node_pointer self, std::uint32_t group, std::uint64_t term) {
  auto i = self->state.terms.find(group);
  return i != self->state.terms.end()
         && consensus::incarnation_of(term) < consensus::incarnation_of(i->second);
}

/// Whether the offer still stands for these new slots; else why not.
std::optional<std::pair<regret_reason, std::string>> check_again(node_pointer self, const accept& x,
                                                                 const std::vector<slot>& fresh) {
  auto& s = self->state;
  if (s.self.describes.draining)
    return {{regret_draining, "draining: " + s.context->self.name + " ends its replicas"}};
  if (x.start() != value(s.context->self.start))
    return {{regret_unknown_offer, "offer " + std::to_string(x.offer())
                                       + " was made before the last restart of "
                                       + s.context->self.name}};
  auto* held = s.ledger.held(x.offer());
  if (held && held->each != node::need_of(node::pod_of(x.what())))
    return {
        {regret_capacity, "offer " + std::to_string(x.offer()) + " was made for another template"}};
  std::vector<std::string> uids;
  for (const auto& y : fresh)
    uids.push_back(y.uid());
  if (!s.ledger.bind(x.offer(), uids, now(self)))
    return {{regret_unknown_offer,
             "offer " + std::to_string(x.offer()) + " has expired, or was used before"}};
  return std::nullopt;
}

} // namespace

caf::typed_response_promise<accept_reply> on_accept(node_pointer self, const accept& x) {
  auto& s = self->state;
  auto open = std::make_shared<open_accept>();
  open->reply = self->make_response_promise<accept_reply>();
  auto reply = open->reply;
  open->missing = x.slots().size() + 1u; // one more, so that nothing is said too early
  std::vector<slot> fresh;
  std::vector<slot> raised;
  auto left_behind = is_left_behind(self, x.group(), x.term());
  for (const auto& slot : x.slots()) {
    if (left_behind) {
      add(*open, regret(slot, regret_stale_order,
                        "keeper group " + std::to_string(x.group())
                            + " was raised anew since: its earlier keepers give no orders"));
      continue;
    }
    auto judged = s.promises.judge_accept(slot, now(self));
    using verdict = commitments::verdict;
    if (judged.what == verdict::regret) {
      add(*open, regret(slot, judged.why, judged.detail));
    } else if (judged.what == verdict::same) {
      add(*open, bound_answer(slot));
    } else {
      auto first = s.waiting[slot.uid()].empty();
      s.waiting[slot.uid()].push_back(open);
      if (first && judged.what == verdict::fresh)
        fresh.push_back(slot);
      else if (judged.what == verdict::raised)
        raised.push_back(slot);
    }
  }
  for (const auto& slot : raised)
    raise(self, slot, x.term());
  if (!fresh.empty()) {
    if (auto why = check_again(self, x, fresh))
      for (const auto& slot : fresh)
        settle(self, slot.uid(), regret(slot, why->first, why->second));
    else
      write_fresh(self, x, fresh);
  }
  // Of two that take themselves for the leader, the later one is.
  if (auto& term = s.terms[x.group()]; x.term() >= term) {
    term = x.term();
    std::vector<std::string> uids;
    for (const auto& slot : x.slots())
      uids.push_back(slot.uid());
    follow_keeper(self, uids, node_id::from_bytes(x.keeper()));
  }
  if (--open->missing == 0)
    open->reply.deliver(std::move(open->answers));
  arm(self);
  return reply;
}

release_reply on_release(node_pointer self, const release& x) {
  auto& s = self->state;
  release_reply reply;
  if (x.offer() != 0)
    s.ledger.give_back(x.offer());
  if (is_left_behind(self, x.group(), x.term()))
    return reply; // not its promises any more
  for (const auto& slot : x.slots()) {
    using verdict = commitments::release_verdict;
    switch (s.promises.judge_release(slot, now(self))) {
      case verdict::unknown:
        *reply.add_released() = slot;
        if (s.promises.saw_end(slot.uid(), now(self)))
          reply.add_ended(slot.uid());
        if (s.ends_to_tell.erase(slot.uid()) > 0)
          answer_drains(self);
        break;
      case verdict::stale: // a newer order than the sender's holds here: not its promise any more
        spdlog::debug("node stale_release uid={}", slot.uid());
        break;
      case verdict::end:
      case verdict::waits:
        end_here(self, slot.uid(), false);
        *reply.add_stopping() = slot;
    }
  }
  arm(self);
  return reply;
}

void answer_ended(node_pointer self, const slot& x) {
  settle(self, x.uid(), regret(x, regret_stale_order, "it was released since"));
}

/// Ends a promise: on disk as ending first, so that a restart goes on ending it.
void end_here(node_pointer self, const std::string& uid, bool withdrawn) {
  auto& s = self->state;
  auto* known = s.promises.find(uid);
  if (!known || known->phase == phase::ending)
    return;
  known->withdrawn = known->withdrawn || withdrawn;
  if (known->phase == phase::binding) {
    known->end_when_settled = true;
    return;
  }
  spdlog::info("node ends pod={} uid={} withdrawn={}", known->record->slot().pod(), uid, withdrawn);
  known->phase = phase::ending;
  auto record = *known->record;
  record.set_ending(true);
  record_batch batch;
  batch.set_from_ballast(true);
  auto& y = *batch.add_records();
  y.set_key(node::promise_key(uid));
  y.set_value(record.SerializeAsString());
  auto kept = [self, uid, slot = record.slot()] {
    if (auto* known = self->state.promises.find(uid))
      known->end_is_kept = true;
    answer_ended(self, slot);
  };
  auto tell = [self, uid, withdrawn] {
    auto& promises = self->state.keeping;
    if (auto i = promises.find(uid); i != promises.end())
      self->send(i->second, end_promise{withdrawn});
  };
  // A full disk must not keep a workload from ending: its keeper asks again after a restart.
  write(
      self, s.partners.store, store_timeout, std::move(batch),

      [kept, tell](written) {
        kept();
        tell();
      },
      [tell](const caf::error& why) {
        spdlog::warn("node ending_not_written why=\"{}\"", fault_of(why).detail);
        tell();
      });
}

} // namespace legion
