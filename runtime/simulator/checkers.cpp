#include "runtime/simulator/checkers.hpp"

#include <algorithm>

#include "messages/charter.pb.h"
#include "messages/saturating.hpp"
#include "messages/vocabulary.hpp"

namespace legion::simulator {

void checkers::amount::add(const amount& x, std::int64_t times) {
  cpu_millis += x.cpu_millis * times;
  memory_bytes += x.memory_bytes * times;
  ports += x.ports * times;
  pods += x.pods * times;
}

checkers::checkers(std::vector<known_node> nodes, runs machine_runs)
    : nodes_(std::move(nodes)), runs_(std::move(machine_runs)), promises_(nodes_.size()),
      revenants_(nodes_.size()), holds_(nodes_.size()) {}

void checkers::tell(microseconds now, const char* checker, std::string what) {
  if (told_.insert(std::string(checker) + what).second)
    found_.push_back({now, checker, std::move(what)});
}

checkers::amount checkers::amount_of(const pod_spec& what) {
  amount result;
  result.pods = 1;
  for (auto& x : what.containers()) {
    // What ends by itself gives back all; what really runs is checked apart.
    if (what.restart_policy() == "Never" || what.restart_policy() == "OnFailure")
      continue;
    result.ports += x.ports_size();
    result.cpu_millis = saturating_sum(result.cpu_millis, x.requests().cpu_millis());
    result.memory_bytes = saturating_sum(result.memory_bytes, x.requests().memory_bytes());
  }
  return result;
}

const pod_spec& checkers::spec_of(const resource& what) {
  return what.has_pod() ? what.pod() : what.deployment().template_().spec();
}

void checkers::on_durable(std::uint32_t node, const record_batch& batch, microseconds now) {
  for (auto& x : batch.records()) {
    std::string_view key = x.key();
    if (key.starts_with("promise/"))
      on_promise(node, std::string(key.substr(8)), x.value(), now);
    if (key.starts_with("group/") && key.find("/log/") != key.npos && !x.value().empty())
      on_log_record(std::string(key.substr(0, key.find("/log/"))), x.value(), now);
    if (key == "roster")
      on_roster(node, x.value(), now);
  }
  check_sum(node, now);
}

/// One entry on one member's disk, committed or not. One of a later term at the same place proves
/// that the earlier was not, and never will be.
void checkers::on_log_record(const std::string& group, const std::string& value, microseconds now) {
  consensus_entry record;
  if (!record.ParseFromString(value))
    return;
  auto& at = log_[{group, record.index()}];
  if (record.term() <= at.term)
    return; // known, or overruled
  for (const auto& name : at.accepts)
    accepts_.erase(name);
  at = {record.term(), {}};
  group_entry entry;
  if (record.kind() != consensus_data || !entry.ParseFromString(record.data()))
    return;
  entry.set_index(record.index());
  entry.set_incarnation(std::max<std::uint64_t>(1, entry.incarnation()));
  if (entry.has_accepted())
    for (const auto& slot : entry.accepted().slots())
      at.accepts.push_back({slot.uid(), {entry.incarnation(), entry.index()}});
  on_entry(entry, now);
}

void checkers::on_roster(std::uint32_t node, const std::string& value, microseconds now) {
  roster_state what;
  if (!what.ParseFromString(value))
    return;
  auto [i, fresh] = rosters_.try_emplace({what.incarnation(), what.index()}, node, value);
  if (!fresh && i->second.second != value)
    tell(now, "roster",
         nodes_[node].name + " and " + nodes_[i->second.first].name
             + " believe different rosters of incarnation " + std::to_string(what.incarnation())
             + ", index " + std::to_string(what.index()));
}

void checkers::on_promise(std::uint32_t node, const std::string& uid, const std::string& value,
                          microseconds now) {
  promise_record record;
  if (value.empty() || !record.ParseFromString(value)) {
    promises_[node].erase(uid);
    return;
  }
  auto number = order{record.slot().order().incarnation(), record.slot().order().index()};
  on_obeyed(node, uid, record.slot().order(), now);
  if (gone_.contains(uid) && !record.ending() && !revenants_[node].contains(uid))
    tell(now, "slots",
         "pod " + record.slot().pod() + " (" + uid + ") is bound on " + nodes_[node].name
             + " after its keeper took it for gone");
  promises_[node][uid] = {amount_of(spec_of(record.what())), number, record.slot().pod(),
                          record.ending()};
  auto [i, fresh] = orders_.emplace(std::pair{uid, number}, node);
  if (!fresh && i->second != node)
    tell(now, "order",
         "pod " + record.slot().pod() + " is bound on " + nodes_[i->second].name + " and on "
             + nodes_[node].name + " under order " + std::to_string(number.incarnation) + "."
             + std::to_string(number.index));
}

void checkers::on_entry(const group_entry& x, microseconds now) {
  if (x.has_accepted())
    for (auto& slot : x.accepted().slots()) {
      auto number = order{x.incarnation(), x.index()};
      for (auto i = accepts_.lower_bound({slot.uid(), {}});
           i != accepts_.end() && i->first.first == slot.uid(); ++i)
        if (i->second.node != x.accepted().node())
          tell(now, "slots",
               "pod " + slot.pod() + " (" + slot.uid() + ") is accepted of two nodes");
      accepts_[{slot.uid(), number}] = {x.accepted().node(), slot.pod(), now, false};
    }
  if (x.has_ended())
    end_accepts(x.ended().slots());
  if (x.has_gone()) {
    end_accepts(x.gone().slots());
    take_for_gone(x.gone().slots(), now);
  }
}

/// Silence proves nothing: who called anew for what a node has promised would have it run twice.
void checkers::take_for_gone(const google::protobuf::RepeatedPtrField<slot>& slots,
                             microseconds now) {
  for (auto& slot : slots) {
    gone_.insert(slot.uid());
    for (std::uint32_t node = 0; node < promises_.size(); ++node) {
      auto i = promises_[node].find(slot.uid());
      if (i != promises_[node].end() && !i->second.ending && !revenants_[node].contains(slot.uid()))
        tell(now, "slots",
             "pod " + slot.pod() + " (" + slot.uid() + ") is taken for gone, and "
                 + nodes_[node].name + " has promised it");
    }
  }
}

void checkers::on_obeyed(std::uint32_t node, const std::string& uid, const order_number& x,
                         microseconds now) {
  auto i = promises_[node].find(uid);
  if (i == promises_[node].end())
    return;
  auto& known = i->second.number;
  if (order{x.incarnation(), x.index()} < known)
    tell(now, "order",
         nodes_[node].name + " obeys order " + std::to_string(x.incarnation()) + "."
             + std::to_string(x.index()) + " of pod " + i->second.pod + " after "
             + std::to_string(known.incarnation) + "." + std::to_string(known.index));
}

void checkers::end_accepts(const google::protobuf::RepeatedPtrField<slot>& slots) {
  for (auto& slot : slots)
    for (auto i = accepts_.lower_bound({slot.uid(), {}});
         i != accepts_.end() && i->first.first == slot.uid(); ++i)
      i->second.over = true;
}

void checkers::on_sent(std::uint32_t from, std::uint32_t to, const frame& what, microseconds now) {
  for (auto& x : what.messages()) {
    if (x.kind() == message_kind<call>) {
      call body;
      if (body.ParseFromString(x.body()))
        calls_[{body.keeper(), body.id()}] = amount_of(body.template_().spec());
    } else if (x.kind() == message_kind<call_reply>) {
      call_reply body;
      if (!body.ParseFromString(x.body()) || !body.has_offer())
        continue;
      auto& offer = body.offer();
      auto asked = calls_.find({nodes_[to].id, body.call()}); // who is answered is the keeper
      if (asked == calls_.end())
        continue;
      holds_[from][offer.id()] = {asked->second, offer.count(),
                                  now + milliseconds{offer.expires_ms()}};
      ++holds_seen_;
      check_sum(from, now);
    } else if (x.kind() == message_kind<accept_reply>) {
      accept_reply body;
      if (body.ParseFromString(x.body()))
        for (auto& answer : body.slots())
          if (answer.bound())
            on_obeyed(from, answer.uid(), answer.order(), now);
    } else if (x.kind() == message_kind<release_reply>) {
      release_reply body;
      if (!body.ParseFromString(x.body()))
        continue;
      for (auto& slot : body.stopping())
        on_obeyed(from, slot.uid(), slot.order(), now);
      for (auto& slot : body.released())
        on_obeyed(from, slot.uid(), slot.order(), now);
    }
  }
}

void checkers::on_delivered(std::uint32_t, std::uint32_t to, const frame& what, microseconds) {
  for (auto& x : what.messages()) {
    if (x.kind() == message_kind<accept>) {
      accept body;
      if (body.ParseFromString(x.body()))
        holds_[to].erase(body.offer());
    } else if (x.kind() == message_kind<release>) {
      release body;
      if (body.ParseFromString(x.body()))
        holds_[to].erase(body.offer());
    }
  }
}

void checkers::on_down(std::uint32_t node) {
  holds_[node].clear();
}

void checkers::on_disk_replaced(std::uint32_t node, const std::vector<record>& content) {
  promises_[node].clear();
  for (auto& x : content) {
    promise_record kept;
    if (!std::string_view{x.key()}.starts_with("promise/") || !kept.ParseFromString(x.value()))
      continue;
    revenants_[node].insert(x.key().substr(8));
    promises_[node][x.key().substr(8)] = {
        amount_of(spec_of(kept.what())),
        {kept.slot().order().incarnation(), kept.slot().order().index()},
        kept.slot().pod(),
        kept.ending()};
  }
}

void checkers::check_sum(std::uint32_t node, microseconds now) {
  amount used;
  for (auto& [uid, x] : promises_[node])
    if ((!x.ending && !revenants_[node].contains(uid)) || runs_(node, uid))
      used.add(x.what);
  std::erase_if(holds_[node], [&](const auto& x) { return x.second.expires <= now; });
  for (auto& [offer, x] : holds_[node])
    used.add(x.each, x.count);
  exceed(node, used, "held + bound + stopping", now);
}

void checkers::exceed(std::uint32_t node, const amount& used, const char* how, microseconds now) {
  auto& has = nodes_[node].has;
  auto one = [&](const char* what, std::int64_t uses, std::int64_t most) {
    if (uses > most)
      tell(now, "capacity",
           nodes_[node].name + " has " + std::to_string(most) + " " + what + ", " + how + " is "
               + std::to_string(uses));
  };
  one("cpu_millis", used.cpu_millis, has.cpu_millis());
  one("memory_bytes", used.memory_bytes, has.memory_bytes());
  one("ports", used.ports, has.ports());
  one("pods", used.pods, has.pods());
}

void checkers::check_machine(std::uint32_t node,
                             const std::vector<drivers::fake::process>& processes,
                             microseconds now) {
  amount used;
  std::set<std::string> pods;
  for (auto& x : processes) {
    if (x.status.state() == "exited")
      continue;
    used.cpu_millis += x.cpu_millis;
    used.memory_bytes += x.memory_bytes;
    pods.insert(x.status.workload());
  }
  used.pods = static_cast<std::int64_t>(pods.size());
  exceed(node, used, "what runs", now);
  check_sum(node, now);
}

void checkers::check_accepts(microseconds now) {
  for (auto& [name, x] : accepts_) {
    if (x.over)
      continue;
    auto i = orders_.find(name);
    if (i == orders_.end())
      tell(now, "accepts",
           "pod " + x.pod + " accepted under order " + std::to_string(name.second.incarnation) + "."
               + std::to_string(name.second.index)
               + " is neither bound nor regretted nor released");
  }
}

void checkers::check_replicas(const std::string& of, std::int64_t wanted, std::int64_t running,
                              microseconds now) {
  if (wanted != running)
    tell(now, "replicas",
         of + " wants " + std::to_string(wanted) + " replicas, " + std::to_string(running)
             + " run");
}

void checkers::check_acknowledged(const std::string& of, const std::string& found,
                                  const std::vector<std::string>& possible, microseconds now) {
  if (std::find(possible.begin(), possible.end(), found) != possible.end())
    return;
  std::string all;
  for (auto& x : possible)
    all += (all.empty() ? "" : " or ") + x;
  tell(now, "acknowledged", of + " is " + found + ", and should be " + all);
}

void checkers::check_exclusive(const std::string& of, std::size_t most,
                               const std::set<std::string>& running, microseconds now) {
  if (running.size() <= most)
    return;
  std::string all;
  for (auto& x : running)
    all += " " + x;
  tell(now, "exclusive", of + " runs " + std::to_string(running.size()) + " times at once:" + all);
}

void checkers::check_members(std::uint32_t node, const std::set<std::string>& known,
                             const std::set<std::string>& running, microseconds now) {
  std::string wrong;
  for (auto& x : known)
    if (running.count(x) == 0)
      wrong += " knows " + x + " which does not run;";
  for (auto& x : running)
    if (known.count(x) == 0)
      wrong += " does not know " + x + ";";
  if (!wrong.empty())
    tell(now, "members", nodes_[node].name + wrong);
}

} // namespace legion::simulator
