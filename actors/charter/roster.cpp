#include "actors/charter/roster.hpp"

#include <algorithm>

namespace legion::charter {

namespace {

constexpr std::size_t fewest_digits = 8; // of an id in place of a name
constexpr std::size_t key_bytes = 32;

bool is_id(const std::string& x) {
  return x.size() == node_id::size && !node_id::from_bytes(x).null();
}

template <class Rows>
auto place_of(Rows& rows, const std::string& id) {
  return std::lower_bound(rows.begin(), rows.end(), id,
                          [](const roster::row& x, const std::string& y) { return x->id() < y; });
}

std::strong_ordering compare(const group_hint& a, const group_hint& b) {
  if (auto c = a.incarnation() <=> b.incarnation(); c != 0)
    return c;
  return a.index() <=> b.index();
}

template <class Hints>
auto place_of_group(Hints& hints, std::uint32_t group) {
  return std::lower_bound(
      hints.begin(), hints.end(), group,
      [](const roster::hint_row& x, std::uint32_t y) { return x->group() < y; });
}

} // namespace

bool acceptable(const roster_node& x) {
  return is_id(x.id()) && x.public_key().size() == key_bytes && !x.name().empty()
         && x.ByteSizeLong() <= roster::most_node_bytes;
}

bool acceptable(const group_hint& x) {
  auto ids = [](const auto& all) {
    return static_cast<std::size_t>(all.size()) <= roster::most_hinted
           && std::all_of(all.begin(), all.end(), is_id);
  };
  return x.group() <= value(charter_group) && ids(x.voters()) && ids(x.learners());
}

bool says_the_same(const roster_node& a, const roster_node& b) {
  auto said = [](roster_node x) {
    x.clear_cordoned();
    x.clear_changed();
    return x.SerializeAsString();
  };
  return said(a) == said(b);
}

roster::row roster::keep(roster_node x) const {
  return pool_ ? pool_->nodes.keep(std::move(x))
               : std::make_shared<const roster_node>(std::move(x));
}

roster::hint_row roster::keep(group_hint x) const {
  return pool_ ? pool_->hints.keep(std::move(x)) : std::make_shared<const group_hint>(std::move(x));
}

result<roster> roster::from(const roster_state& x, row_pool_ptr rows) {
  roster result{std::move(rows)};
  auto damaged = fault{errc::damaged, "the roster makes no sense"};
  if (x.since() != 0 || static_cast<std::size_t>(x.nodes_size()) > most_nodes
      || static_cast<std::size_t>(x.departures_size()) > most_departures)
    return damaged;
  result.at_ = {x.incarnation(), x.index()};
  for (const auto& y : x.nodes()) {
    auto in_order = result.nodes_.empty() || result.nodes_.back()->id() < y.id();
    if (!acceptable(y) || !in_order)
      return damaged;
    result.nodes_.push_back(result.keep(y));
  }
  for (const auto& y : x.hints()) {
    auto in_order = result.hints_.empty() || result.hints_.back()->group() < y.group();
    if (!acceptable(y) || !in_order)
      return damaged;
    result.hints_.push_back(result.keep(y));
  }
  for (const auto& y : x.departures()) {
    if (!is_id(y.id()))
      return damaged;
    result.departures_.push_back(y);
  }
  result.forgot_until_ = x.forgot_until();
  return result;
}

void roster::put(roster_node x) {
  auto i = place_of(nodes_, x.id());
  auto known = i != nodes_.end() && (*i)->id() == x.id();
  auto made = keep(std::move(x));
  if (known)
    *i = std::move(made);
  else
    nodes_.insert(i, std::move(made));
}

void roster::put(group_hint x) {
  auto i = place_of_group(hints_, x.group());
  auto known = i != hints_.end() && (*i)->group() == x.group();
  auto made = keep(std::move(x));
  if (known)
    *i = std::move(made);
  else
    hints_.insert(i, std::move(made));
}

void roster::remove(const node_id& id) {
  auto bytes = id.bytes();
  auto i = place_of(nodes_, bytes);
  if (i == nodes_.end() || (*i)->id() != bytes)
    return;
  nodes_.erase(i);
  roster_departure gone;
  gone.set_id(bytes);
  gone.set_changed(at_.index);
  departures_.push_back(std::move(gone));
  if (departures_.size() <= most_departures)
    return;
  forgot_until_ = departures_.front().changed();
  std::erase_if(departures_, [&](const auto& y) { return y.changed() <= forgot_until_; });
}

bool roster::name_is_free(const roster_node& x) const {
  return std::none_of(nodes_.begin(), nodes_.end(),
                      [&](const row& y) { return y->name() == x.name() && y->id() != x.id(); });
}

void roster::admit(const roster_node& x) {
  if (!acceptable(x) || !name_is_free(x))
    return;
  const auto* known = find(node_id::from_bytes(x.id()));
  if (known ? known->public_key() != x.public_key() : nodes_.size() >= most_nodes)
    return;
  auto made = x;
  if (known)
    made.set_cordoned(known->cordoned());
  made.set_changed(at_.index);
  std::erase_if(departures_, [&](const roster_departure& y) { return y.id() == x.id(); });
  put(std::move(made));
}

void roster::hear(const group_hint& x) {
  if (!acceptable(x))
    return;
  const auto* known = hint(group_id{x.group()});
  if (known && compare(x, *known) <= 0)
    return;
  auto made = x;
  made.set_changed(at_.index);
  put(std::move(made));
}

void roster::apply(const charter_entry& x, version at) {
  at_ = at;
  for (const auto& id : x.removed())
    remove(node_id::from_bytes(id));
  for (const auto& y : x.admitted())
    admit(y);
  for (const auto& y : x.cordoned()) {
    const auto* known = find(node_id::from_bytes(y.id()));
    if (!known || known->cordoned() == y.cordoned())
      continue;
    auto made = *known;
    made.set_cordoned(y.cordoned());
    made.set_changed(at_.index);
    put(std::move(made));
  }
  for (const auto& y : x.hints())
    hear(y);
}

roster::learnt roster::learn(const roster_state& news) {
  auto at = version{news.incarnation(), news.index()};
  if (at <= at_)
    return learnt::nothing;
  if (news.since() == 0) {
    auto read = from(news, pool_);
    if (!read)
      return learnt::nothing;
    *this = std::move(*read);
    return learnt::all;
  }
  if (news.incarnation() != at_.incarnation || news.since() > at_.index)
    return learnt::too_late;
  auto next = *this;
  next.at_ = at;
  for (const auto& x : news.departures()) {
    next.remove(node_id::from_bytes(x.id()));
    std::erase_if(next.departures_, [&](const auto& y) { return y.id() == x.id(); });
    next.departures_.push_back(x);
  }
  for (const auto& x : news.nodes()) {
    if (!acceptable(x))
      return learnt::nothing;
    std::erase_if(next.departures_, [&](const auto& y) { return y.id() == x.id(); });
    next.put(x);
  }
  for (const auto& x : news.hints()) {
    if (!acceptable(x))
      return learnt::nothing;
    next.put(x);
  }
  next.forgot_until_ = news.forgot_until();
  std::erase_if(next.departures_, [&](const auto& x) { return x.changed() <= next.forgot_until_; });
  if (next.nodes_.size() > most_nodes || next.departures_.size() > most_departures)
    return learnt::nothing;
  *this = std::move(next);
  return learnt::all;
}

const roster_node* roster::find(const node_id& id) const {
  auto bytes = id.bytes();
  auto i = place_of(nodes_, bytes);
  return i != nodes_.end() && (*i)->id() == bytes ? i->get() : nullptr;
}

const roster_node* roster::named(std::string_view text) const {
  const roster_node* found = nullptr;
  for (const auto& x : nodes_) {
    if (x->name() == text)
      return x.get();
    if (text.size() < fewest_digits || !node_id::from_bytes(x->id()).text().starts_with(text))
      continue;
    if (found)
      return nullptr;
    found = x.get();
  }
  return found;
}

const group_hint* roster::hint(group_id group) const {
  auto i = place_of_group(hints_, value(group));
  return i != hints_.end() && (*i)->group() == value(group) ? i->get() : nullptr;
}

roster_state roster::whole() const {
  roster_state result;
  result.set_incarnation(at_.incarnation);
  result.set_index(at_.index);
  for (const auto& x : nodes_)
    *result.add_nodes() = *x;
  for (const auto& x : hints_)
    *result.add_hints() = *x;
  for (const auto& x : departures_)
    *result.add_departures() = x;
  result.set_forgot_until(forgot_until_);
  return result;
}

/// Rows are lent to the message while it is written.
std::string roster::whole_bytes() const {
  roster_state x;
  x.set_incarnation(at_.incarnation);
  x.set_index(at_.index);
  for (const auto& y : nodes_)
    x.mutable_nodes()->UnsafeArenaAddAllocated(const_cast<roster_node*>(y.get()));
  for (const auto& y : hints_)
    x.mutable_hints()->UnsafeArenaAddAllocated(const_cast<group_hint*>(y.get()));
  for (const auto& y : departures_)
    *x.add_departures() = y;
  x.set_forgot_until(forgot_until_);
  auto result = x.SerializeAsString();
  x.mutable_nodes()->UnsafeArenaExtractSubrange(0, x.nodes_size(), nullptr);
  x.mutable_hints()->UnsafeArenaExtractSubrange(0, x.hints_size(), nullptr);
  return result;
}

bool roster::is(const roster& x) const {
  auto same = [](const roster_departure& a, const roster_departure& b) {
    return a.id() == b.id() && a.changed() == b.changed();
  };
  return pool_ == x.pool_ && at_ == x.at_ && nodes_ == x.nodes_ && hints_ == x.hints_
         && forgot_until_ == x.forgot_until_
         && std::equal(departures_.begin(), departures_.end(), x.departures_.begin(),
                       x.departures_.end(), same);
}

roster_ptr shared(roster x) {
  if (!x.pool_)
    return std::make_shared<const roster>(std::move(x));
  auto& all = x.pool_->rosters;
  std::erase_if(all, [](const auto& y) { return y.expired(); });
  for (const auto& y : all)
    if (auto held = y.lock(); held && held->is(x))
      return held;
  auto result = std::make_shared<const roster>(std::move(x));
  all.push_back(result);
  return result;
}

roster_state roster::since(version known) const {
  if (known < at_
      && (known.incarnation != at_.incarnation || known.index == 0 || known.index < forgot_until_))
    return whole();
  auto from = std::min(known.index, at_.index);
  roster_state result;
  result.set_incarnation(at_.incarnation);
  result.set_index(at_.index);
  result.set_since(known < at_ ? from : at_.index);
  result.set_forgot_until(forgot_until_);
  for (const auto& x : nodes_)
    if (x->changed() > from)
      *result.add_nodes() = *x;
  for (const auto& x : hints_)
    if (x->changed() > from || x->group() == value(charter_group)) // whom to ask for more
      *result.add_hints() = *x;
  for (const auto& x : departures_)
    if (x.changed() > from)
      *result.add_departures() = x;
  return result;
}

} // namespace legion::charter
