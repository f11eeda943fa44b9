#include "tests/simulation/consensus/checkers.hpp"

#include <algorithm>

namespace legion::proof {

using namespace consensus;

namespace {

bool same(const entry& a, const entry& b) {
  return a.term == b.term && a.kind == b.kind && a.data == b.data;
}

std::string name(const member_id& x) {
  return std::string{1, static_cast<char>('A' + x.node.raw()[0])} + "/"
         + std::to_string(static_cast<unsigned char>(x.journal.bytes()[0]));
}

} // namespace

void checkers::fail(std::string what) {
  if (broken.empty())
    broken = std::move(what);
}

/// Election safety; leader completeness: what is committed is in every later leader's log, which was
/// on its disk when it stood.
void checkers::leads(const member_id& who, term_number term, const model_disk& disk) {
  auto [i, first] = leaders_.emplace(term, who);
  if (!first && i->second != who)
    fail("election safety: " + name(i->second) + " and " + name(who) + " lead in term "
         + std::to_string(term));
  if (!first || log_.empty() || disk.kept.head.index >= log_.size())
    return;
  const auto& last = *log_.back();
  auto held = std::find_if(disk.entries.rbegin(), disk.entries.rend(),
                           [&](const entry_ref& x) { return x->index == last.index; });
  if (last.term < term && (held == disk.entries.rend() || !same(**held, last)))
    fail("leader completeness: " + name(who) + " leads in term " + std::to_string(term)
         + " without entry " + std::to_string(last.index) + ", committed in term "
         + std::to_string(last.term));
}

/// In place of entry 1, which no log has.
void checkers::found(const snapshot_head& x) {
  log_.assign(1, std::make_shared<const entry>(entry{x.index, x.term, entry_kind::noop, {}}));
  members_ = x.members;
  members_index_ = x.members_index;
}

void checkers::commits(const member_id& who, log_index before, log_index now) {
  if (now < before)
    fail("commit index: that of " + name(who) + " went back from " + std::to_string(before) + " to "
         + std::to_string(now));
}

/// State machine safety.
void checkers::hands_out(const member_id& who, const entry_ref& x) {
  if (x->index <= log_.size()) {
    if (log_[x->index - 1] != x && !same(*log_[x->index - 1], *x))
      fail("state machine safety: " + name(who) + " applies another entry "
           + std::to_string(x->index));
    return;
  }
  if (x->index != log_.size() + 1)
    return fail("order of entries: " + std::to_string(x->index)
                + " was applied before the one before it");
  log_.push_back(x);
  if (x->kind != entry_kind::configuration)
    return;
  if (auto members = decode_configuration(x->data)) {
    members_ = *members;
    members_index_ = x->index;
  }
}

void checkers::restores(const member_id& who, const snapshot_head& x) {
  if (x.index > log_.size() || (x.index > 0 && log_[x.index - 1]->term != x.term))
    fail("state machine safety: " + name(who) + " restores a state of entry "
         + std::to_string(x.index) + " that nobody committed");
}

/// A change of members begins on committed ground of the leader's own term.
void checkers::begins_change(const core& leader) {
  auto commit = leader.commit();
  if (commit <= log_.size() && (commit == 0 || log_[commit - 1]->term < leader.term()))
    fail("change of members: it begins in term " + std::to_string(leader.term())
         + ", of which nothing is committed");
}

void checkers::takes_effect(std::uint64_t command, log_index index) {
  auto [i, first] = effects_.emplace(command, index);
  if (!first && i->second != index)
    fail("exactly once: a command took effect at " + std::to_string(i->second) + " and at "
         + std::to_string(index));
}

/// Log matching: logs that have an entry of the same index and term are the same up to it.
void checkers::logs_match(const model_disk& a, const model_disk& b) {
  if (a.entries.empty() || b.entries.empty())
    return;
  auto low = std::max(a.entries.front()->index, b.entries.front()->index);
  auto high = std::min(a.entries.back()->index, b.entries.back()->index);
  bool agree = false;
  for (auto i = high; i >= low && i > 0; --i) {
    const auto& x = a.entries[i - a.entries.front()->index];
    const auto& y = b.entries[i - b.entries.front()->index];
    if (x == y || same(*x, *y))
      agree = true;
    else if (agree || x->term == y->term)
      return fail("log matching: two logs differ at " + std::to_string(i) + " and agree after it");
  }
}

void checkers::linearizes(const history& x) {
  if (auto flaw = x.flaw(); !flaw.empty())
    fail("linearizability: " + flaw);
}

} // namespace legion::proof
