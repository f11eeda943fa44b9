#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include "actors/group/group_keys.hpp"
#include "actors/group/group_state_part.hpp"

namespace legion {

namespace {

/// What the group does with what its seat tells.
class group_holder final : public consensus::acting_holder<group_pointer> {
public:
  using acting_holder::acting_holder;

  void begins(std::uint32_t life) override {
    auto& s = self_->state;
    s.random.seed(s.context->seed_for("group/" + std::to_string(value(s.group)) + "/"
                                      + std::to_string(value(s.context->self.start)) + "/"
                                      + std::to_string(life)));
  }

  bool restore(const std::string& state) override {
    auto& s = self_->state;
    group_state read;
    if (!state.empty() && !read.ParseFromString(state))
      return false;
    s.rules = state.empty() ? group::state{s.group} : group::state::from(read);
    return true;
  }

  void apply(const consensus::entry_refs& entries) override {
    auto& s = self_->state;
    std::vector<group_entry> batch;
    batch.reserve(entries.size());
    std::vector<const group_entry*> all;
    auto incarnation = s.rules->incarnation();
    for (const auto& x : entries) {
      all.push_back(nullptr);
      auto entry = read_entry(*x, incarnation);
      if (entry)
        all.back() = &batch.emplace_back(std::move(*entry));
      else if (x->kind == consensus::entry_kind::data)
        spdlog::error("group senseless_entry group={} index={}: it has no effect", value(s.group),
                      x->index);
    }
    legion::apply(self_, batch);
    for (std::size_t i = 0; i < entries.size(); ++i)
      on_committed(self_, entries[i]->index, entries[i]->term, all[i]);
  }

  std::string snapshot() const override { return self_->state.rules->encoded(); }

  void seated() override {
    auto& s = self_->state;
    s.choice.emplace(s.group, s.core()->self(), now());
  }

  void read_granted(std::uint64_t read) override { on_read_granted(self_, read); }
  void read_refused(std::uint64_t read) override { dismiss_reader(self_, read); }

  void leads() override {
    follow_zone(self_);
    if (self_->state.rules->gathering())
      return start_gathering(self_);
    hold_exclusive(self_);
    start_keeping(self_);
    serve_authors(self_);
  }

  void leads_no_more(bool deposed) override {
    stop_gathering(self_);
    stop_keeping(self_);
    if (!self_->state.standing_back)
      forget_zone(self_);
    if (deposed)
      dismiss_authors(self_);
  }

  void changed(const consensus::core::status& x) override {
    auto& s = self_->state;
    auto in = x.members.has(s.core()->self());
    if (std::exchange(s.claimed, in) != in)
      self_->send(s.partners.node, group_claimed{s.group, in});
    if (x.ready)
      review_soon(self_, milliseconds{10});
    else
      s.hinted = 0;
    serve_authors(self_);
  }

  void readmits(const consensus::readmission& x) override {
    auto& s = self_->state;
    spdlog::warn("group readmits group={} node={}: {}", value(s.group), name_of(s, x.was.node),
                 x.was == x.now ? "its log is shorter than it was" : "it has another journal");
    if (x.was == x.now)
      s.choice->distrust(x.was);
  }

  void raise(consensus::incarnation_number x, consensus::log_index index) override {
    self_->state.rules->raise(x, index);
  }

  std::vector<node_id> claimants() const override {
    const auto& s = self_->state;
    std::vector<node_id> result;
    if (!legion::leads(s))
      return result;
    for (const auto& x : s.zone.rows())
      if (x.claims && (x.state == member_alive || x.state == member_suspect))
        result.push_back(x.id());
    return result;
  }

  void members_due() override { review_soon(self_, milliseconds{0}); }
  void leaves() override { dismiss_raisers(self_); }

  time_point wants_tick() const override {
    auto due = time_point::max();
    for (const auto& x : self_->state.authors)
      due = std::min(due, x.patience);
    return due;
  }
};

} // namespace

void take_seat(group_pointer self, consensus::journal_copy_ptr journal) {
  auto& s = self->state;
  s.rules.emplace(s.group);
  s.holder = std::make_unique<group_holder>(self, s.partners.store);
  s.seat = std::make_unique<consensus::seat>(
      consensus::seat::setting{"group " + std::to_string(value(s.group)), s.group,
                               group::key_prefix(s.group), s.context, std::move(journal),
                               s.partners.beats},
      *s.holder);
  s.seat->begin();
}

std::optional<group_entry> read_entry(const consensus::entry& x, std::uint64_t& incarnation) {
  group_entry result;
  if (x.kind != consensus::entry_kind::data || !result.ParseFromString(x.data))
    return std::nullopt;
  incarnation = std::max(incarnation, result.incarnation());
  result.set_index(x.index);
  result.set_incarnation(incarnation);
  return result;
}

} // namespace legion
