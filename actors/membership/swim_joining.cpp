#include "actors/membership/swim.hpp"

#include <algorithm>
#include <numeric>

/// How a node comes in: it asks its contacts in random order until one accepts, and takes over that
/// one's whole list.

namespace legion::membership {

namespace {

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (unsigned char c : bytes.substr(0, 32)) {
    result += digits[c >> 4];
    result += digits[c & 15];
  }
  return result;
}

/// With its record, and with how long ago it died.
member_update aged_update_of(const entry& e, time_point now) {
  auto result = update_of(e, true);
  if (e.state == member_dead)
    result.set_down_s(static_cast<std::uint32_t>(
        std::chrono::duration_cast<seconds>(std::max(now - e.changed, time_point::duration{}))
            .count()));
  return result;
}

} // namespace

void swim::shuffle_contacts() {
  contacts_left_.resize(contacts_.size());
  std::iota(contacts_left_.begin(), contacts_left_.end(), std::size_t{0});
  for (auto i = contacts_left_.size() - 1; i > 0; --i)
    std::swap(contacts_left_[i], contacts_left_[random_() % (i + 1)]);
}

/// Many at once, for one that knows better is enough: the first, and any of the rest.
void swim::ask_many(time_point now) {
  shuffle_contacts();
  auto mates = std::min(contacts_.size(), journal_trial::mates_asked);
  std::partition(contacts_left_.begin(), contacts_left_.end(),
                 [&](std::size_t x) { return x >= mates; }); // the last are asked first
  std::vector<std::size_t> asked;
  while (!contacts_left_.empty() && asked.size() < journal_trial::most_asked) {
    if (contacts_[contacts_left_.back()] != self_)
      asked.push_back(contacts_left_.back());
    contacts_left_.pop_back();
  }
  trial_.emplace(asked, now);
  next_join_ = now;
  run_trial(now);
}

void swim::run_trial(time_point now) {
  if (!trial_)
    return;
  for (auto x : trial_->due(now))
    ask_contact(x);
  if (!trial_->over(now))
    return;
  certain_from_ = trial_->vouched() ? now : now + journal_trial::certain_after;
  for (auto x : trial_->unheard())
    unasked_.insert(x);
  if (!unasked_.empty())
    next_seek_ = std::min(next_seek_, now + seek_pause_);
  trial_.reset();
  out_.push_back(trust_journal{});
}

void swim::try_join(time_point now) {
  if (contacts_left_.empty())
    shuffle_contacts();
  auto contact = contacts_left_.back();
  contacts_left_.pop_back();
  next_join_ = now + tuned_.join_timeout;
  ask_contact(contact);
}

void swim::ask_contact(std::size_t contact) {
  join_request request;
  *request.mutable_who() = me().record->said;
  request.set_cluster(cluster_);
  request.set_rows(rows_found_);
  join_asked_ = true;
  out_.push_back(ask_join{contact, std::move(request)});
}

/// Of a zone that starts all at once, two that ask each other have joined a zone of two. So a contact
/// that nobody has told of is asked too, less and less often: it may be of another such island.
void swim::seek(time_point now) {
  std::vector<std::size_t> unheard;
  for (std::size_t i = 0; i < contacts_.size(); ++i)
    if (contacts_[i] != self_ && (!table_.find(contacts_[i]) || unasked_.contains(i)))
      unheard.push_back(i);
  if (unheard.empty()) {
    next_seek_ = time_point::max();
    return;
  }
  next_seek_ = now + seek_pause_;
  seek_pause_ = std::min(seek_pause_ * 2, tuned_.seek_last);
  ask_contact(unheard[random_() % unheard.size()]);
}

bool swim::is_certain(time_point now) const {
  return !trial_ && now >= certain_from_;
}

effects swim::on_join_failed(std::size_t contact, time_point now, errc why) {
  awake(now);
  join_asked_ = false;
  if (trial_) {
    trial_->no_answer(contact, why, now);
    next_join_ = now;
    return done(now);
  }
  if (!joining_)
    return done(now);
  next_join_ = now;
  if (contacts_left_.empty()) { // all were asked: wait, at random within the last quarter
    auto quarter = static_cast<std::uint64_t>(join_backoff_.count() / 4 + 1);
    next_join_ =
        now + join_backoff_ - milliseconds{static_cast<milliseconds::rep>(random_() % quarter)};
    join_backoff_ = std::min(join_backoff_ * 2, tuned_.join_backoff_last);
  }
  return done(now);
}

effects swim::on_join_reply(std::size_t contact, const join_reply& x, time_point now) {
  if (!x.has_accepted()) {
    if (joining_ && x.refused() != last_refusal_)
      out_.push_back(note{!x.later(), "join_refused", x.refused()});
    last_refusal_ = x.refused();
    if (x.outdated())
      on_outdated();
    return on_join_failed(contact, now, x.outlived() ? errc::outlived : errc::refused);
  }
  auto& list = x.accepted();
  if (list.cluster().size() != 16 || (!cluster_.empty() && list.cluster() != cluster_)) {
    if (joining_)
      out_.push_back(note{true, "join_wrong_cluster",
                          "the contact is in cluster " + hex(list.cluster()) + ", this node in "
                              + (cluster_.empty() ? "none" : hex(cluster_))});
    return on_join_failed(contact, now);
  }
  awake(now);
  join_asked_ = false;
  unasked_.erase(contact);
  if (trial_)
    trial_->let_in(contact, x.certain());
  auto first = std::exchange(joining_, false);
  auto alone = table_.living() == 1;
  if (cluster_.empty()) {
    cluster_ = list.cluster();
    out_.push_back(know_cluster{cluster_});
  }
  auto mine = news_;
  for (auto& update : list.members())
    apply(update, {}, true, now);
  if (first && alone)
    news_ = std::move(mine); // what the zone tells is no news to the zone
  else if (contact < contacts_.size())
    tell_lacking(contacts_[contact], list, now); // two islands: each is news to the other
  news_.add(self_, {}, true);
  next_gossip_ = now;
  if (first) {
    next_seek_ = now + seek_pause_;
    out_.push_back(note{false, "joined", "members=" + std::to_string(table_.living())});
  }
  return done(now);
}

std::size_t swim::counted(const node_id& but, time_point now) const {
  return static_cast<std::size_t>(
      std::count_if(table_.all().begin(), table_.all().end(), [&](const entry& e) {
        auto recently_dead = e.state == member_dead && now - e.changed < tuned_.dead_counts_for;
        return e.id() != but && (e.living() || recently_dead || e.keeps());
      }));
}

std::string swim::objection(const join_request& x, time_point now) const {
  auto& who = x.who();
  auto& mine = table_.find(self_)->record->said;
  if (!acceptable(who) || who.start() == 0)
    return "the member record makes no sense: an id of 16 bytes, a start number, and at most 4096 "
           "bytes are needed";
  if (cluster_.empty())
    return "this node (" + mine.name() + ") is in no cluster yet";
  if (table_.find(self_)->state == member_left)
    return "this node (" + mine.name() + ") is drained, and about to end: ask another one";
  if (who.zone() != mine.zone())
    return "this is zone '" + mine.zone() + "', you are of zone '" + who.zone() + "'";
  if (!x.cluster().empty() && x.cluster() != cluster_)
    return "this is cluster " + hex(cluster_) + ", you are of cluster " + hex(x.cluster());
  auto id = node_id::from_bytes(who.id());
  if (id == self_)
    return "you have the id of " + mine.name() + ": two nodes share one node.key";
  if (auto* e = table_.find(id)) {
    if (is_outdated(who))
      return "your start number is " + std::to_string(who.start()) + ", but the zone has seen "
             + std::to_string(value(e->start))
             + (start_number{who.start()} == e->start ? " of another life, or from a later time"
                                                      : "")
             + (x.cluster().empty()
                    ? ": your journal was lost or is old, or your clock is. Restore "
                      "journal.db, or remove node.key too: then it begins as a "
                      "new node"
                    : ": your journal is an old copy");
    if (start_number{who.start()} == e->start && e->state == member_left)
      return "this life of the node has left the zone: start it again";
  }
  if (auto missing = rows_missing(x); missing > 0) // perhaps of one that is not in the list yet
    return "your journal is an old copy, or its end is lost: it ends " + std::to_string(missing)
           + " rows before what was said from it";
  for (auto& e : table_.all())
    if (e.living() && e.id() != id && !who.name().empty() && e.record->said.name() == who.name())
      return "another member is named '" + who.name() + "', node " + e.id().short_text() + " at "
             + e.record->said.endpoint() + ": give this one another --name";
  if (auto n = counted(id, now); n >= tuned_.zone_limit)
    return "zone '" + mine.zone() + "' is full: it has " + std::to_string(n) + " members, the "
           + "limit is " + std::to_string(tuned_.zone_limit);
  return {};
}

/// The zone has seen a later life of it, or another one of the same number, or the same one further
/// on: a start number is used once, and what a node says of itself gets higher versions only.
bool swim::is_outdated(const member& who) const {
  auto* e = table_.find(node_id::from_bytes(who.id()));
  if (!e)
    return false;
  auto start = start_number{who.start()};
  if (start != e->start)
    return start < e->start;
  const auto& said = e->record->said;
  if (said.start() != who.start())
    return false; // what that life says of itself was not heard yet
  return who.version() < said.version() || is_of_another_life(*e, start, who.life());
}

/// Of what the joiner's journal had, by its own word before this start.
std::uint64_t swim::rows_missing(const join_request& x) const {
  auto heard = rows_heard_ && x.rows() > 0 ? rows_heard_(x.who()) : 0;
  return heard > x.rows() ? heard - x.rows() : 0;
}

join_reply swim::refusal(const join_request& x, const std::string& why) {
  out_.push_back(note{false, "join_refusal", x.who().name().substr(0, 64) + ": " + why});
  join_reply reply;
  reply.set_refused(why);
  reply.set_later(cluster_.empty() || me().state == member_left);
  // While the later life lives this is a second node with its key: to begin anew would oust the first.
  auto* e = table_.find(node_id::from_bytes(x.who().id()));
  auto over = e && e->id() != self_ && !e->living();
  auto shorter = rows_missing(x) > 0; // than a start before this one
  over = over || (shorter && e && e->start == start_number{x.who().start()});
  auto outdated = x.cluster() == cluster_ && (is_outdated(x.who()) || shorter);
  reply.set_outdated(over && outdated);
  reply.set_outlived(!over && outdated);
  return reply;
}

std::optional<join_reply> swim::refuse_join(const join_request& x, time_point now, effects& out) {
  awake(now);
  std::optional<join_reply> reply;
  if (auto why = objection(x, now); !why.empty())
    reply = refusal(x, why);
  out = done(now);
  return reply;
}

join_reply swim::answer_join(const join_request& x, time_point now, effects& out) {
  awake(now);
  join_reply reply;
  if (auto why = objection(x, now); !why.empty()) {
    reply = refusal(x, why);
    out = done(now);
    return reply;
  }
  member_update update;
  update.set_id(x.who().id());
  update.set_start(x.who().start());
  update.set_life(x.who().life());
  update.set_record(x.who().SerializeAsString());
  apply(update, {}, false, now);
  *reply.mutable_accepted() = whole_list(now);
  reply.set_certain(is_certain(now));
  out = done(now);
  return reply;
}

member_list swim::whole_list(time_point now) const {
  member_list result;
  result.set_cluster(cluster_);
  result.set_digest(table_.digest());
  for (auto& e : table_.all())
    *result.add_members() = aged_update_of(e, now);
  return result;
}

member_list swim::answer_list(const member_list& x, time_point now, effects& out) {
  awake(now);
  member_list reply;
  reply.set_cluster(cluster_);
  if (cluster_.empty() || x.cluster() != cluster_) {
    out = done(now);
    return reply;
  }
  for (auto& update : x.members())
    apply(update, {}, true, now);
  // Members in the question are what we lacked: the comparison is over.
  if (x.members_size() == 0 && x.digest() != table_.digest())
    reply = whole_list(now);
  reply.set_digest(table_.digest());
  out = done(now);
  return reply;
}

effects swim::on_list(const node_id& from, const member_list& x, time_point now) {
  awake(now);
  if (x.cluster() != cluster_ || x.members_size() == 0)
    return done(now);
  for (auto& update : x.members())
    apply(update, from, true, now);
  tell_lacking(from, x, now);
  return done(now);
}

/// What is known here, and not in the list that it gave.
void swim::tell_lacking(const node_id& whom, const member_list& x, time_point now) {
  member_list lacking;
  std::map<node_id, std::pair<standing, std::uint64_t>> theirs;
  for (auto& u : x.members()) {
    auto record = read_record(u);
    theirs[node_id::from_bytes(u.id())] = {{start_number{u.start()}, u.incarnation(),
                                            u.state() == member_suspect ? member_alive : u.state()},
                                           record ? record->said.version() : 0};
  }
  for (auto& e : table_.all()) {
    auto i = theirs.find(e.id());
    auto mine = standing_of(e);
    if (mine.state == member_suspect)
      mine.state = member_alive;
    auto newer =
        i == theirs.end() || i->second.first < mine
        || (i->second.first.start == mine.start && i->second.second < e.record->said.version());
    if (newer && (e.living() || e.keeps() || i != theirs.end()))
      *lacking.add_members() = aged_update_of(e, now);
  }
  if (lacking.members_size() > 0) {
    lacking.set_cluster(cluster_);
    lacking.set_digest(table_.digest());
    out_.push_back(ask_list{whom, std::move(lacking)});
  }
}

} // namespace legion::membership
