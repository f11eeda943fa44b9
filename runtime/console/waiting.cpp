#include "runtime/console/waiting.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

// Between two looks: short at first, for most are ready at once.
constexpr std::chrono::milliseconds first_pause{50}, longest_pause{400};
/// A Pod that is not begun again is ready once it has stayed so for this long: one that fails at once
/// was ready for a moment, too.
constexpr std::chrono::milliseconds stays_ready{1000};
/// Once one has failed for good, the others have so long to become ready or fail, too.
constexpr std::chrono::milliseconds others_may_fail{2000};

/// Why a replica is not ready, if it says so.
std::string reason_of(const pod_view& x) {
  auto text = x.slot().pod() + " " + pod_status(x);
  const auto& seen = x.assessment();
  if (!x.note().empty())
    return text + ": " + x.note();
  for (const auto& container : seen.containers())
    if (!container.ready() && !container.message().empty())
      return text + ": " + container.message();
  if (!seen.message().empty())
    return text + ": " + seen.message();
  for (const auto& container : seen.containers())
    if (container.state() == "terminated" && container.signal() != 0)
      return text + ": signal " + std::to_string(container.signal());
    else if (container.state() == "terminated" && container.exit_code() != 0)
      return text + ": exit code " + std::to_string(container.exit_code());
  return text;
}

/// Of a replica that is to be ready; of one on a dead node only if there is no other.
std::string reason_of(const resource_view& x) {
  const pod_view* lost = nullptr;
  for (const auto& pod : x.pods()) {
    if (pod.state() == "ending" && !pod.note().empty())
      lost = &pod; // what is to come waits for its end
    if (pod.assessment().ready() || pod.state() == "ending" || pod.state() == "gone")
      continue;
    if (!pod.node_dead())
      return " (" + reason_of(pod) + ")";
    if (lost == nullptr)
      lost = &pod;
  }
  return lost ? " (" + reason_of(*lost) + ")" : "";
}

class progress {
public:
  explicit progress(terminal& to) : to_(to) {}
  ~progress() { end(); }
  void show(const std::string& line) {
    auto safe = plain(line);
    if (to_.err_is_tty) {
      constexpr std::size_t columns = 79; // one more, and the line would wrap and stay
      to_.err << "\r\x1b[K" << safe.substr(0, columns) << std::flush;
      open_ = true;
    } else if (told_.insert(safe).second) { // a log is told each thing once
      to_.err << safe << '\n' << std::flush;
    }
  }
  void end() {
    if (std::exchange(open_, false))
      to_.err << "\r\x1b[K" << std::flush;
  }

private:
  terminal& to_;
  std::set<std::string> told_;
  bool open_ = false;
};

using key = std::pair<std::string, std::string>; // kind and namespace

std::string shown(const resource_name& x) {
  return kind_name(x.kind()) + "/" + x.name();
}

/// Not one that ends, or is to end since the resource was changed.
bool is_current(const pod_view& pod, const resource_view& of) {
  return (pod.state() == "accepted" || pod.state() == "bound")
         && (of.revision().empty() || pod.slot().revision() == of.revision());
}

/// A Pod of its own that has ended badly is not begun again; a Deployment's are.
bool is_over(const resource_view& x) {
  return !x.what().has_deployment()
         && std::any_of(x.pods().begin(), x.pods().end(), [&](const pod_view& y) {
              return is_current(y, x) && y.assessment().phase() == "Failed";
            });
}

/// What was seen of what is waited for, by name.
struct sight {
  std::map<std::string, std::string> missing;
  std::map<std::string, std::string> paused; // and what it means
  std::set<std::string> over;                // and will not be ready any more
  std::set<std::string> once;                // ready, and not begun again should they fail
  std::set<std::string> gone;                // deleted meanwhile
};

/// It runs, and would not be begun again.
bool runs_once(const resource_view& x) {
  return !x.what().has_deployment() && x.what().pod().restart_policy() == "Never"
         && std::any_of(x.pods().begin(), x.pods().end(), [&](const pod_view& y) {
              return is_current(y, x) && y.assessment().phase() != "Succeeded";
            });
}

/// Takes out what is as wanted; true if the node answered.
bool look_once(conversation& quiet, std::vector<put_result>& left, sight& seen) {
  std::map<key, std::vector<std::string>> questions;
  for (const auto& x : left) {
    seen.missing.try_emplace(shown(x.name()), "not seen yet");
    seen.over.erase(shown(x.name()));
    seen.once.erase(shown(x.name()));
    seen.paused.erase(shown(x.name()));
    questions[{x.name().kind(), x.name().namespace_()}].push_back(x.name().name());
  }
  auto answered = false;
  for (const auto& [of, names] : questions) {
    api_request request;
    request.mutable_get()->set_kind(of.first == "Pod" ? "pods" : "deployments");
    request.mutable_get()->set_namespace_(of.second);
    for (const auto& name : names)
      request.mutable_get()->add_names(name);
    std::set<std::string> found;
    auto lacks = false;
    quiet.ask(request, [&](const api_reply& reply) {
      answered = true;
      lacks = lacks || reply.refused().code() == refusal_not_found;
      for (const auto& view : reply.resources())
        found.insert(view.what().metadata().name());
      for (const auto& view : reply.resources())
        std::erase_if(left, [&](const put_result& x) {
          const auto& what = view.what();
          if (x.name().kind() != what.kind() || x.name().name() != what.metadata().name()
              || x.name().namespace_() != what.metadata().namespace_())
            return false;
          if (view.deleting()) {
            seen.gone.insert(shown(x.name()));
            return false;
          }
          auto text = still_missing(view, x);
          if (what.deployment().unstarted())
            seen.paused[shown(x.name())] = "nothing of it runs";
          else if (!what.deployment().awaited().empty()
                   || (what.deployment().paused() && text.empty()
                       && view.updated() < view.wanted()))
            seen.paused[shown(x.name())] = "its replicas keep the template that they have";
          if (!text.empty() && is_over(view))
            seen.over.insert(shown(x.name()));
          if (text.empty() && runs_once(view))
            seen.once.insert(shown(x.name()));
          seen.missing[shown(x.name())] = text;
          return text.empty();
        });
      return true;
    });
    for (const auto& name : names)
      if (lacks && !found.contains(name))
        seen.gone.insert(kind_name(of.first) + "/" + name);
  }
  return answered;
}

} // namespace

std::string still_missing(const resource_view& x, const put_result& applied) {
  if (x.what().metadata().generation() < applied.generation())
    return "the change is not seen yet";
  if (!x.what().has_deployment()) {
    for (const auto& pod : x.pods())
      if (is_current(pod, x)
          && (pod.assessment().ready() || pod.assessment().phase() == "Succeeded"))
        return {};
    return "not ready" + reason_of(x);
  }
  auto of = " of " + std::to_string(x.wanted()) + " ";
  auto living = std::count_if(x.pods().begin(), x.pods().end(), [](const pod_view& y) {
    return y.state() == "missing" || y.state() == "accepted" || y.state() == "bound";
  });
  const auto& spec = x.what().deployment();
  if (spec.unstarted())
    return {};
  if (x.updated() < x.wanted() && !spec.paused())
    return std::to_string(x.updated()) + of + "updated, " + std::to_string(x.ready()) + " ready"
           + reason_of(x);
  if (x.available() < x.wanted())
    return std::to_string(x.available()) + of
           + (spec.min_ready_seconds() > 0
                  ? "available, " + std::to_string(x.ready()) + " ready, which counts after "
                        + std::to_string(spec.min_ready_seconds()) + " s"
                  : "ready")
           + reason_of(x);
  if (auto old = living - x.wanted(); old > 0 && !spec.paused())
    return std::to_string(old) + (old == 1 ? " old replica is ending" : " old replicas are ending");
  return {};
}

namespace {

using clock = std::chrono::steady_clock;

/// One wait: what it is for, and what has become of it.
class wait {
public:
  wait(std::vector<put_result> wanted, clock::time_point until)
      : wanted_(std::move(wanted)), until_(until) {}

  enum class verdict { go_on, ready, gone, failed, late };

  /// Looks at what is missing, and at all of it before it says that the wait is over: what was ready
  /// once need not be any more.
  verdict look(conversation& quiet, std::chrono::milliseconds pause) {
    if (left_.empty())
      left_ = wanted_;
    answered_ = look_once(quiet, left_, seen_);
    auto now = clock::now();
    if (judge(now, pause) != verdict::go_on && left_.size() < wanted_.size()) {
      left_ = wanted_;
      answered_ = look_once(quiet, left_, seen_);
    }
    return judge(now, pause);
  }

  bool answered() const { return answered_; }
  const std::vector<put_result>& wanted() const { return wanted_; }
  const std::vector<put_result>& left() const { return left_; }
  const sight& seen() const { return seen_; }

private:
  verdict judge(clock::time_point now, std::chrono::milliseconds pause) {
    auto late = now + pause >= until_;
    if (!seen_.gone.empty())
      return verdict::gone;
    if (!left_.empty())
      ready_at_.reset();
    else if (!ready_at_)
      ready_at_ = now;
    if (seen_.over.empty())
      failed_at_.reset();
    else if (!failed_at_)
      failed_at_ = now;
    if (left_.empty() && (seen_.once.empty() || late || now - *ready_at_ >= stays_ready))
      return verdict::ready;
    if (failed_at_
        && (seen_.over.size() == left_.size() || late || now - *failed_at_ >= others_may_fail))
      return verdict::failed;
    return late && !left_.empty() ? verdict::late : verdict::go_on;
  }

  std::vector<put_result> wanted_;
  std::vector<put_result> left_ = wanted_;
  clock::time_point until_;
  sight seen_;
  std::optional<clock::time_point> ready_at_, failed_at_; // since when
  bool answered_ = false;
};

std::string missing_line(const std::map<std::string, std::string>& missing,
                         const std::string& name) {
  return "\n  " + name + ": " + missing.at(name);
}

/// Says how the wait has ended, if not well.
int complain(conversation& with, const wait& of, wait::verdict how,
             std::chrono::milliseconds timeout) {
  const auto& seen = of.seen();
  std::string text;
  if (how == wait::verdict::gone) {
    text = "deleted meanwhile:";
    for (const auto& name : seen.gone)
      text += " " + name;
  } else if (how == wait::verdict::failed) {
    text = "failed, and is not begun again:";
    for (const auto& name : seen.over)
      text += missing_line(seen.missing, name);
  } else {
    auto s = std::chrono::duration_cast<std::chrono::seconds>(timeout).count();
    text = "not ready after " + std::to_string(s) + " s; it goes on:";
    for (const auto& x : of.left())
      text += missing_line(seen.missing, shown(x.name()));
    if (!of.answered())
      text += "\n  no node answered at last";
  }
  with.print_error(text);
  return how == wait::verdict::late ? exit_unknown : exit_refused;
}

} // namespace

int wait_for(conversation& with, const std::vector<put_result>& applied,
             std::chrono::milliseconds timeout) {
  auto began = clock::now();
  std::vector<put_result> wanted;
  for (const auto& x : applied)
    if (!x.has_refused())
      wanted.push_back(x);
  std::istringstream nothing;
  std::ostringstream unheard;
  terminal silence{nothing, unheard, unheard, false, false, with.with().now, {}};
  auto quiet = with.speaking_to(silence);
  progress line{with.with()};
  wait now{wanted, began + timeout};
  for (;;) {
    // What it waits too long is a part of what it has waited anyway.
    auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began);
    auto pause = std::clamp(waited / 4, first_pause, longest_pause);
    auto verdict = now.look(quiet, pause);
    if (verdict == wait::verdict::ready)
      break;
    if (verdict != wait::verdict::go_on) {
      line.end();
      return complain(with, now, verdict, timeout);
    }
    if (const auto& left = now.left(); !left.empty()) {
      auto more = left.size() > 1 ? " (and " + std::to_string(left.size() - 1) + " more)" : "";
      auto first = shown(left.front().name());
      line.show(now.answered() ? first + ": " + now.seen().missing.at(first) + more
                               : "no node answers; trying again");
    }
    std::this_thread::sleep_for(pause);
  }
  line.end();
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began).count();
  char took[32];
  std::snprintf(took, sizeof(took), "%.1f s", static_cast<double>(ms) / 1000);
  const auto& paused = now.seen().paused;
  for (const auto& [name, meaning] : paused)
    with.with().err << "note: " << plain(name) << " is paused: " << meaning << "\n" << std::flush;
  if (paused.size() < wanted.size())
    with.with().out << (paused.empty() ? "all ready after " : "all others ready after ") << took
                    << '\n'
                    << std::flush;
  return exit_done;
}

} // namespace legion::console
