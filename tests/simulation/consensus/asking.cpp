#include <cstring>

#include "tests/simulation/consensus/cluster.hpp"

namespace legion::proof {

using namespace consensus;

void cluster::client_begins(std::uint32_t c) {
  auto& x = clients_[c];
  x.busy = true;
  x.write = chance(c % 2 == 0 ? 0.7 : 0.1); // who mostly reads stays with a leader that is cut off
  x.begin = step_;
  x.what.client = c;
  x.what.key = static_cast<std::uint32_t>(random_() % machine::keys);
  if (chance(0.1)) // who was told of no new leader may still ask an old one
    x.ask = random_() % nodes_.size();
  if (x.write) {
    ++x.what.number;
    x.what.value = ++next_value_;
    history_.wrote(x.what.key, x.what.value, x.begin, history::never);
  }
  client_asks(c);
}

/// The same command, under the same number, through whichever node: until it is answered.
void cluster::client_asks(std::uint32_t c) {
  auto& x = clients_[c];
  ++x.attempt;
  asked question{c, x.attempt, x.write, x.what};
  if (calm_ || !chance(loss_))
    later(between(100, 3'000), {kind::ask, x.ask, 0, c, question});
  if (!calm_ && chance(twice_))
    later(between(100, 100'000), {kind::ask, x.ask, 0, c, question});
  later(between(100'000, 600'000), {kind::client_timeout, 0, x.attempt, c, {}});
}

void cluster::reply(const asked& x, bool done, std::uint32_t value, std::size_t i) {
  if (!calm_ && chance(loss_))
    return;
  auto leader = nodes_[i].rules->leader();
  auto hint = leader.null() ? random_() % nodes_.size() : index_of(leader.node);
  later(between(100, 3'000),
        {kind::answer, 0, 0, 0, answered{x.client, x.attempt, done, value, hint}});
}

void cluster::on_asked(std::size_t i, const asked& x) {
  auto& n = nodes_[i];
  if (x.write && n.state.done[x.client] >= x.what.number
      && setting_.broken != seeded::applied_twice)
    return reply(x, true, 0, i); // it took effect before
  if (n.rules->role() != role::leader)
    return reply(x, false, 0, i);
  if (x.write) {
    std::string bytes(reinterpret_cast<const char*>(&x.what), sizeof(command));
    if (auto at = n.rules->propose(std::move(bytes)))
      n.proposals.push_back({at->index, at->term, x.what, x.attempt});
    return;
  }
  if (auto number = n.rules->read())
    n.reads.push_back({*number, x.client, x.attempt, x.what.key, 0, false});
}

void cluster::on_answered(const answered& x) {
  auto& c = clients_[x.client];
  if (!c.busy || x.attempt != c.attempt)
    return;
  if (!x.done) {
    c.ask = x.hint;
    return; // asked again when the attempt's time is over
  }
  if (c.write)
    history_.wrote(c.what.key, c.what.value, c.begin, step_);
  else
    history_.read(c.what.key, x.value, c.begin, step_);
  ++(c.write ? counts_.writes : counts_.reads);
  note(step_);
  c.busy = false;
  later(between(100, think_), {kind::client_begin, 0, 0, x.client, {}});
}

} // namespace legion::proof
