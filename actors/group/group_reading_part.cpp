#include <algorithm>

#include <spdlog/spdlog.h>

#include "actors/bridge/directory.hpp"
#include "actors/group/admission.hpp"
#include "actors/group/forgotten.hpp"
#include "actors/group/group_state_part.hpp"
#include "actors/group/page.hpp"

namespace legion {

namespace {

constexpr auto view_time = seconds{2};
constexpr std::size_t most_asked = 256; // keepers, for one page

/// Answers of several keepers, gathered into one reply; what a keeper does not answer in time is
/// shown as it is committed.
struct gathering {
  group_reply answer;
  author_reply reply;
  std::size_t waiting = 0;
};

/// The same for one page of a read, in the order of its resources.
struct reading {
  read_resources wish;
  std::string request_id;
  author_reply reply;
  std::map<group::resource_key, resource_view> found;
  bool more = false;       // resources behind those that were asked for
  std::size_t waiting = 0; // answers, and one for who asks

  void finish_one();
};

bool shown(const resource_view& x) {
  // Only dead nodes hold something of it: its tombstone waits for them, its author need not.
  return !x.deleting() || std::any_of(x.pods().begin(), x.pods().end(), [](const pod_view& pod) {
    return !pod.node_dead();
  });
}

void reading::finish_one() {
  if (--waiting > 0)
    return;
  auto page = group::page_of(std::move(found), wish, more);
  auto& views = *page.mutable_views();
  views.erase(
      std::remove_if(views.begin(), views.end(), [](const resource_view& x) { return !shown(x); }),
      views.end());
  group_reply answer;
  answer.set_request_id(request_id);
  *answer.mutable_views() = std::move(page);
  reply.deliver(std::move(answer));
}

/// As far as membership knows: a new leader counts everybody as just heard.
bool is_down(const group_shell& s, const node_id& who) {
  const auto* row = s.zone.find(who);
  return row && (row->state == member_dead || row->state == member_left);
}

/// What was heard of it was said before.
bool has_lost(const group_shell& s, const consensus::member_id& who) {
  const auto* row = s.zone.find(who.node);
  return row && row->seen().lost_journal_of(who);
}

/// Who decides about the resource, as its leader sees them.
template <class View>
void list_members_of(group_pointer self, View& view) {
  auto& s = self->state;
  auto status = s.core()->describe(now(self));
  for (const auto& who : status.members.all()) {
    auto& x = *view.add_members();
    x.set_node(who.node.bytes());
    x.set_name(name_of(s, who.node));
    x.set_votes(status.members.votes(who));
    x.set_leads(who == s.core()->self());
    x.set_heard(x.leads());
    for (const auto& y : status.followers)
      if (y.who == who)
        x.set_heard(y.heard && !is_down(s, who.node) && !has_lost(s, who));
  }
}

} // namespace

void read(group_pointer self, const group_author& x) {
  auto& state = self->state;
  const auto& wish = x.request.read();
  auto all = std::make_shared<reading>();
  all->wish = wish;
  all->request_id = x.request.request_id();
  all->reply = x.reply;
  std::vector<const std::pair<const group::resource_key, resource_keeper>*> asked;
  for (const auto& entry : state.keepers) {
    const auto& key = entry.first;
    if ((!wish.kind().empty() && wish.kind() != key.kind)
        || (!wish.all_namespaces() && wish.namespace_() != key.space)
        || (!wish.name().empty() && wish.name() != key.name) || !group::is_ahead(key, wish))
      continue;
    all->more = asked.size() >= most_asked;
    if (all->more)
      break;
    asked.push_back(&entry);
  }
  all->waiting = asked.size() + 1;
  for (auto* entry : asked) {
    auto add = [self, all, key = entry->first](resource_view view) {
      view.set_keeper_name(self->state.context->self.name);
      list_members_of(self, view);
      all->found[key] = std::move(view);
      all->finish_one();
    };
    auto committed = [self, key = entry->first] {
      resource_view view;
      if (auto* x = self->state.rules->find(key)) {
        *view.mutable_what() = x->what;
        view.set_deleting(x->deleting);
      } else { // gone since
        view.mutable_what()->set_kind(key.kind);
        view.mutable_what()->mutable_metadata()->set_namespace_(key.space);
        view.mutable_what()->mutable_metadata()->set_name(key.name);
        view.set_deleting(true);
      }
      view.set_keeper(self->state.context->self.id.bytes());
      view.set_group(value(self->state.group));
      return view;
    };
    if (!entry->second.keeper) {
      add(committed());
      continue;
    }
    self->request(entry->second.keeper, view_time, read_view{wish.events()})
        .then([add](keeper_view& y) { add(std::move(y.what)); },
              [add, committed](caf::error&) { add(committed()); });
  }
  all->finish_one();
}

namespace {

constexpr std::size_t piece_bytes = 512 * 1024;
constexpr std::size_t most_open_states = 2;
constexpr auto state_time = seconds{30};

group_reply piece_of(const open_state& x, std::uint64_t offset, const group_request& asked) {
  group_reply reply;
  reply.set_request_id(asked.request_id());
  auto& piece = *reply.mutable_piece() = x.head;
  piece.set_offset(offset);
  if (!asked.read_state().size_only())
    piece.set_data(x.bytes->substr(std::min(offset, x.bytes->size()), piece_bytes));
  return reply;
}

} // namespace

void begin_state(group_pointer self, const group_author& x) {
  auto& s = self->state;
  auto snapshot = s.rules->snapshot();
  snapshot.clear_requests();
  open_state made;
  made.number = ++s.state_readings;
  made.bytes = std::make_shared<const std::string>(snapshot.SerializeAsString());
  made.head.set_reading(made.number);
  made.head.set_index(s.rules->index());
  made.head.set_incarnation(s.rules->incarnation());
  for (const auto& [key, y] : s.rules->resources())
    made.head.set_resources(made.head.resources() + (y.deleting ? 0 : 1));
  made.head.set_size(made.bytes->size());
  auto reply = x.reply;
  reply.deliver(piece_of(made, 0, x.request));
  if (x.request.read_state().size_only() || made.bytes->size() <= piece_bytes)
    return;
  if (s.states.size() >= most_open_states)
    s.states.erase(s.states.begin());
  s.states.push_back(std::move(made));
  self->delayed_send(self, state_time, forget_state{s.state_readings});
}

void give_state(group_pointer self, const group_author& x) {
  auto& s = self->state;
  auto reply = x.reply;
  for (const auto& y : s.states)
    if (y.number == x.request.read_state().reading()) {
      reply.deliver(piece_of(y, x.request.read_state().offset(), x.request));
      return;
    }
  reply.deliver(group::refused(x.request, refusal_not_found,
                               "that reading of group " + std::to_string(value(s.group))
                                   + "'s state is over: begin again"));
}

void on_forget_state(group_pointer self, const forget_state& x) {
  std::erase_if(self->state.states, [&](const auto& y) { return y.number == x.reading; });
}

void explain(group_pointer self, const group_author& x) {
  auto& state = self->state;
  auto all = std::make_shared<gathering>();
  all->reply = x.reply;
  const auto& wish = x.request.explain();
  all->answer = group::refused(x.request, refusal_not_found,
                               "no pod " + wish.namespace_() + "/" + wish.pod()
                                   + " is kept, or remembered, here");
  auto add = [self](gathering& to, std::optional<explanation> found) {
    // Of several resources, one that has the pod goes before one that had it.
    if (found && (!to.answer.has_explanation() || found->view().state() != "gone"))
      *to.answer.mutable_explanation() = std::move(*found);
    if (--to.waiting > 0)
      return;
    if (to.answer.has_explanation())
      list_members_of(self, *to.answer.mutable_explanation());
    to.reply.deliver(std::move(to.answer));
  };
  std::vector<keeper_handle> asked;
  for (const auto& [key, kept] : state.keepers)
    if (kept.keeper && key.space == wish.namespace_())
      asked.push_back(kept.keeper);
  all->waiting = asked.size();
  if (asked.empty()) {
    all->reply.deliver(std::move(all->answer));
    return;
  }
  for (const auto& keeper : asked)
    self->request(keeper, view_time, explain_slot{wish.pod()})
        .then([all, add](keeper_explanation& y) { add(*all, std::move(y.what)); },
              [all, add](caf::error&) { add(*all, std::nullopt); });
}

/// Not asked again if it fails: who holds them reports again.
static void end_forgotten(group_pointer self, const node_id& node, std::vector<slot> slots) {
  if (slots.empty())
    return;
  auto& s = self->state;
  release end;
  end.set_keeper(s.context->self.id.bytes());
  end.set_group(value(s.group));
  end.set_term(s.core()->term());
  for (auto& x : slots)
    *end.add_slots() = std::move(x);
  spdlog::warn("group ends_forgotten group={} node={} promises={}: released before, and held again",
               value(s.group), name_of(s, node), end.slots_size());
  self->request(s.context->directory->at<node_handle>(node, "node"), view_time, std::move(end))
      .then([](const release_reply&) {}, [](const caf::error&) {});
}

caf::result<report_reply> on_report(group_pointer self, const report& x) {
  auto& state = self->state;
  report_reply answer;
  answer.set_sequence(x.sequence());
  if (!state.keeps) {
    auto leader = state.core() ? state.core()->leader().node : node_id{};
    if (leader.null() || leader == state.context->self.id)
      return make_error(fault{errc::overloaded, "nobody leads the keeper group yet"});
    answer.set_elsewhere(leader.bytes());
    return answer;
  }
  auto from = node_id::from_bytes(x.node());
  end_forgotten(self, from, group::forgotten(*state.rules, x));
  for (auto& uid : group::still_current(*state.rules, x))
    answer.add_current(std::move(uid));
  std::map<group::resource_key, report> parts; // for each resource that the node holds a slot of
  for (const auto& [key, resource] : state.rules->resources()) {
    auto holds = std::any_of(resource.slots.begin(), resource.slots.end(),
                             [&](const auto& y) { return y.second.node == from; });
    if (!holds)
      continue;
    auto& part = parts[key];
    part.set_node(x.node());
    part.set_start(x.start());
    part.set_full(x.full());
    *part.mutable_events() = x.events();
  }
  auto number = std::pair{x.start(), x.sequence()};
  if (parts.empty() || number <= state.reports[from])
    return answer;
  state.reports[from] = number;
  for (const auto& y : x.assessments())
    if (auto i = parts.find(group::key_of(y.of())); i != parts.end())
      *i->second.add_assessments() = y;
  for (auto& [key, part] : parts) {
    auto i = state.keepers.find(key);
    if (i != state.keepers.end() && i->second.keeper)
      self->send(i->second.keeper, std::move(part));
  }
  return answer;
}

} // namespace legion
