#include "actors/gateway/reading_logs.hpp"

namespace legion::gateway {

namespace {

constexpr milliseconds read_timeout{5'000}, look_timeout{2'000};
constexpr milliseconds flowing{300}, quiet{1'000};
constexpr int rounds_until_quiet = 10;
constexpr int most_failures = 5;
// A piece is at most 64 KiB; one much shorter reached the end of what there is.
constexpr std::size_t short_piece_bytes = 16 * 1024;

/// Why there is no output of a program that never ran; else nothing.
std::string never_ran(const pod_view& pod, const std::string& container) {
  for (const auto& x : pod.assessment().containers()) {
    auto now = x.reason() == "StartError";
    if (x.name() == container && (now || x.last_reason() == "StartError"))
      return "container " + container + " of pod " + pod.slot().pod()
             + " never ran: " + (now ? x.message() : x.last_message());
  }
  return {};
}

} // namespace

effects reading_logs::start(const surroundings& at) {
  auto ns = what_.namespace_().empty() ? "default" : what_.namespace_();
  what_.set_namespace_(ns);
  survey::question question;
  question.named = owners_of_pod(ns, what_.pod());
  question.ns = ns;
  survey_.emplace(std::move(question), ids_);
  auto out = survey_->start(at);
  if (survey_->done())
    append(out, found(at));
  return out;
}

effects reading_logs::found(const surroundings& at) {
  for (const auto& x : survey_->resources)
    for (const auto& pod : x.pods()) {
      auto another = !what_.workload().empty() && pod.slot().uid() != what_.workload();
      if (pod.slot().pod() != what_.pod() || another) // of its name, since it was read
        continue;
      node_ = node_id::from_bytes(pod.node());
      if (node_.null())
        return refuse(refusal_conflict, "pod " + what_.pod() + " has no node yet"
                                            + (pod.note().empty() ? "" : ": " + pod.note())
                                            + "; `legionctl why " + what_.pod() + "` says why");
      if (const auto* row = at.zone.find(node_); !row || row->down())
        return refuse(refusal_unreachable, "pod " + what_.pod() + " is on "
                                               + at.zone.with_state(node_, at.now)
                                               + ": its output can be read once that node is back");
      std::string note;
      if (auto wrong = choose_container(x.what(), note); !wrong.empty())
        return wrong;
      if (auto why = never_ran(pod, what_.container()); !why.empty())
        note += (note.empty() ? "" : "; ") + why;
      note_ = std::move(note);
      return ask_on();
    }
  return look_for_gone(at);
}

/// No keeper has such a pod: a node may still have what it wrote.
effects reading_logs::look_for_gone(const surroundings& at) {
  effects out;
  auto question = what_;
  question.set_find_gone(true);
  for (const auto& who : at.zone.living()) {
    auto id = ids_.next();
    looked_.emplace(id, who);
    out.push_back(ask{id, who, question, look_timeout});
  }
  if (looked_.empty())
    append(out, looked_everywhere(at));
  return out;
}

effects reading_logs::on_looked(std::uint64_t id, const answer& what, const surroundings& at) {
  auto i = looked_.find(id);
  if (const auto* x = std::get_if<log_lines>(&what); !x)
    ++silent_;
  else if (x->gone_ms() > gone_ms_) {
    gone_ms_ = x->gone_ms();
    node_ = i->second;
  }
  looked_.erase(i);
  return looked_.empty() ? looked_everywhere(at) : effects{};
}

effects reading_logs::looked_everywhere(const surroundings& at) {
  if (gone_ms_ != 0) {
    note_ = "pod " + what_.pod() + " is gone: this is what " + at.zone.name_of(node_)
            + " has kept of its output";
    return ask_on();
  }
  if (!survey_->complete)
    return refuse(refusal_unreachable,
                  "pod " + what_.pod()
                      + " was not found on the nodes that "
                        "answered: "
                      + (survey_->notes.empty() ? "" : survey_->notes.front()));
  return refuse(refusal_not_found,
                "no pod " + what_.pod() + " in namespace " + what_.namespace_()
                    + ", and no output of one that is gone: each node keeps that of its last 32"
                    + (silent_ == 0 ? "" : "; " + std::to_string(silent_) + " did not answer"));
}

effects reading_logs::choose_container(const resource& of, std::string& note) {
  const auto& spec = of.has_deployment() ? of.deployment().template_().spec() : of.pod();
  std::string names;
  auto known = false;
  for (const auto& x : spec.containers()) {
    names += (names.empty() ? "" : ", ") + x.name();
    known = known || x.name() == what_.container();
  }
  if (what_.container().empty() && spec.containers_size() > 0) {
    what_.set_container(spec.containers(0).name());
    if (spec.containers_size() > 1)
      note = "showing container " + what_.container() + " of " + names + ": choose with -c";
    return {};
  }
  if (!known)
    return refuse(refusal_invalid,
                  "pod " + what_.pod() + " has no container " + what_.container() + ": " + names);
  return {};
}

effects reading_logs::ask_on() {
  return {ask{ids_.next(), node_, what_, read_timeout}};
}

effects reading_logs::on(std::uint64_t id, const answer& what, const surroundings& at) {
  effects out;
  if (!survey_->done()) {
    if (survey_->on(id, what, at, out) && survey_->done())
      append(out, found(at));
    return out;
  }
  if (looked_.contains(id))
    return on_looked(id, what, at);
  if (const auto* lines = std::get_if<log_lines>(&what))
    return on_lines(*lines);
  if (const auto* failed = std::get_if<fault>(&what))
    return on_fault(*failed, at);
  return {};
}

effects reading_logs::on_wake(std::uint64_t id, const surroundings& at) {
  effects out;
  if (survey_->done())
    return ask_on();
  if (survey_->on_wake(id, at, out) && survey_->done())
    append(out, found(at));
  return out;
}

effects reading_logs::on_error(const log_lines& x) {
  if (!what_.life_given() || (!x.not_found() && ++failures_ >= most_failures))
    return refuse(x.not_found() ? refusal_not_found : refusal_unreachable, x.error());
  if (!x.not_found()) // its supervisor may be on its way back
    return {wake{ids_.next(), quiet}};
  api_reply end; // the pod was deleted meanwhile: what it wrote has been read
  end.set_last(true);
  return {say{std::move(end)}};
}

effects reading_logs::on_lines(const log_lines& x) {
  if (!x.error().empty())
    return on_error(x);
  auto first = !std::exchange(spoke_, true);
  failures_ = 0;
  auto caught_up = x.text().size() < short_piece_bytes;
  auto last = x.end_of_life() || (caught_up && !what_.follow());
  what_.set_life(x.life());
  what_.set_life_given(true);
  what_.set_workload(x.workload());
  what_.set_previous(false);
  what_.set_tail_lines(-1);
  what_.set_offset(x.next_offset());
  effects out;
  if (last || first || !x.text().empty() || !note_.empty()) {
    api_reply reply;
    *reply.mutable_log() = x;
    reply.set_last(last);
    if (!note_.empty())
      reply.add_notes(std::exchange(note_, {}));
    out.push_back(say{std::move(reply)});
  }
  if (last)
    return out;
  if (!caught_up) {
    append(out, ask_on());
    return out;
  }
  silent_rounds_ = x.text().empty() ? silent_rounds_ + 1 : 0;
  out.push_back(wake{ids_.next(), silent_rounds_ < rounds_until_quiet ? flowing : quiet});
  return out;
}

effects reading_logs::on_fault(const fault& x, const surroundings& at) {
  const auto* row = at.zone.find(node_);
  auto hopeless = !row || row->down() || x.code == errc::refused || x.code == errc::not_found;
  if (!hopeless && ++failures_ < most_failures)
    return {wake{ids_.next(), quiet}};
  auto code = x.code == errc::not_found || x.code == errc::refused ? refusal_not_found
                                                                   : refusal_unreachable;
  return refuse(code, "pod " + what_.pod() + " on " + at.zone.with_state(node_, at.now) + ": "
                          + to_string(x.code) + (x.detail.empty() ? "" : " (" + x.detail + ")"));
}

} // namespace legion::gateway
