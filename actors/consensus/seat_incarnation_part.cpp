#include <spdlog/spdlog.h>

#include "actors/consensus/seat_part.hpp"

// A seat among incarnations of its group: see incarnation.hpp.

namespace legion::consensus {

namespace {

constexpr std::size_t most_unheard = 64; // a leader sends no more ahead

} // namespace

/// Whoever says this lives in a later incarnation than the log here.
bool seat::is_later(term_number x) const {
  return has_log() && incarnation_of(x) > incarnation();
}

/// What was decided here since the group was raised without this member was decided by nobody.
void seat::leave_behind(term_number heard) {
  auto last = core_->describe(holder_->now()).last;
  spdlog::warn("seat left_behind of=\"{}\" incarnation={} heard={} last={}: it was raised anew",
               setting_.name, incarnation(), incarnation_of(heard), last);
  pending x;
  auto kept = records_->leave_behind(last, heard, x.batch);
  end_member(std::move(kept), std::move(x));
}

void seat::on_mail(std::vector<message> messages) {
  if (!core_ || fenced_)
    return;
  if (setting_.context->may_be_old && !trusted_) {
    for (auto& x : messages)
      if (unheard_.size() < most_unheard) // what is lost is sent again
        unheard_.push_back(std::move(x));
    return;
  }
  for (auto& x : messages) {
    auto later = is_later(x.term);
    if (later)
      leave_behind(x.term);
    // What is said about members of another incarnation is not about this one. Its sender hears of
    // the higher by the answers to the rest.
    auto of_members =
        std::holds_alternative<removed>(x.body) || std::holds_alternative<fence>(x.body);
    if (of_members && (later || incarnation_of(x.term) < incarnation()))
      continue;
    core_->on_message(std::move(x), holder_->now());
  }
  pump();
}

void seat::trust_journal() {
  if (std::exchange(trusted_, true) || !core_ || fenced_)
    return;
  core_->begin_to_stand();
  on_mail(std::exchange(unheard_, {}));
}

void seat::on_beat(const member_id& from, const beat_item& x) {
  if (!core_ || fenced_)
    return;
  if (is_later(x.term))
    leave_behind(x.term);
  core_->on_beat(from, x, holder_->now());
  pump();
}

result<entry_refs> seat::unapplied() {
  auto kept = records_->read(setting_.journal->records());
  if (!kept)
    return kept.why();
  entry_refs rest;
  for (auto& y : kept->entries)
    if (y->index > applied_)
      rest.push_back(std::move(y));
  return rest;
}

result<log_index> seat::raise(incarnation_number x, log_index above) {
  if (fenced_)
    return *fenced_;
  if (setting_.context->may_be_old && !trusted_)
    return fault{errc::overloaded, setting_.name
                                       + ": whether this journal is the newest is not known "
                                         "yet: others are asked"};
  if (!core_ || finishing_ || !writes_.empty())
    return fault{errc::overloaded, setting_.name + ": a write is under way"};
  if (x <= incarnation() || rivals(x, incarnation()) || x > most_incarnation)
    return fault{errc::conflict, setting_.name + " is of incarnation "
                                     + std::to_string(incarnation()) + " already"};
  if (core_->leased(holder_->now()))
    return fault{errc::conflict,
                 setting_.name + " has a leader, node " + core_->leader().node.short_text()};
  auto rest = unapplied(); // whether it was committed nobody can say any more: it counts
  if (!rest)
    return rest.why();
  auto last = rest->empty() ? applied_ : rest->back()->index;
  if (!rest->empty())
    holder_->apply(*rest);
  auto index = raised_index(std::max(last, above));
  holder_->raise(x, index);
  snapshot_head head{index, first_term(x), {{core_->self()}, {}, {}}, index};
  spdlog::warn("seat raised of=\"{}\" incarnation={} from={} index={}", setting_.name, x, last,
               index);
  pending write;
  auto raised = records_->raise(head, holder_->snapshot(), write.batch);
  leads_ = false;
  ready_at_ = 0;
  core_.emplace(make_member(std::move(raised)));
  applied_ = snapshot_at_ = index;
  caf::anon_send(setting_.beats, group_forgotten{setting_.group});
  enqueue(std::move(write));
  holder_->seated();
  pump();
  return index;
}

} // namespace legion::consensus
