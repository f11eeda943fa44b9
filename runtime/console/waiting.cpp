#include "runtime/console/waiting.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

// Between two looks: short at first, for most are ready at once.
constexpr std::chrono::milliseconds first_pause{50}, longest_pause{400};

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
  std::set<std::string> gone;                // deleted meanwhile
};

/// Takes out what is as wanted; true if the node answered.
bool look_once(conversation& quiet, std::vector<put_result>& left, sight& seen) {
  std::map<key, std::vector<std::string>> questions;
  for (const auto& x : left) {
    seen.missing.try_emplace(shown(x.name()), "not seen yet");
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
          else if (!what.deployment().awaited().empty())
            seen.paused[shown(x.name())] = "its replicas keep the template that they have";
          if (!text.empty() && is_over(view))
            seen.over.insert(shown(x.name()));
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
  if (auto old = living - x.wanted(); old > 0)
    return std::to_string(old) + (old == 1 ? " old replica is ending" : " old replicas are ending");
  return {};
}

int wait_for(conversation& with, const std::vector<put_result>& applied,
             std::chrono::milliseconds timeout) {
  using clock = std::chrono::steady_clock;
  auto until = clock::now() + timeout;
  auto began = clock::now();
  std::vector<put_result> left;
  for (const auto& x : applied)
    if (!x.has_refused())
      left.push_back(x);
  const auto wanted = left;
  std::istringstream nothing;
  std::ostringstream unheard;
  terminal silence{nothing, unheard, unheard, false, false, with.with().now, {}};
  auto quiet = with.speaking_to(silence);
  progress line{with.with()};
  sight seen;
  for (;;) {
    // What it waits too long is a part of what it has waited anyway.
    auto waited = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began);
    auto pause = std::clamp(waited / 4, first_pause, longest_pause);
    auto answered = look_once(quiet, left, seen);
    if (left.empty() && wanted.size() > 1) { // each was ready at some time: are they all, now?
      left = wanted;
      answered = look_once(quiet, left, seen);
    }
    if (left.empty())
      break;
    if (!seen.gone.empty()) {
      line.end();
      std::string text = "deleted meanwhile:";
      for (const auto& name : seen.gone)
        text += " " + name;
      with.print_error(text);
      return exit_refused;
    }
    if (!seen.over.empty()) {
      line.end();
      std::string text = "failed, and is not begun again:";
      for (const auto& name : seen.over)
        text += "\n  " + name + ": " + seen.missing[name];
      with.print_error(text);
      return exit_refused;
    }
    if (clock::now() + pause >= until) {
      line.end();
      auto s = std::chrono::duration_cast<std::chrono::seconds>(timeout).count();
      std::string text = "not ready after " + std::to_string(s) + " s; it goes on:";
      for (const auto& x : left)
        text += "\n  " + shown(x.name()) + ": " + seen.missing[shown(x.name())];
      with.print_error(answered ? text : text + "\n  no node answered at last");
      return exit_unknown;
    }
    auto more = left.size() > 1 ? " (and " + std::to_string(left.size() - 1) + " more)" : "";
    auto first = shown(left.front().name());
    line.show(answered ? first + ": " + seen.missing[first] + more
                       : "no node answers; trying again");
    std::this_thread::sleep_for(pause);
  }
  line.end();
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(clock::now() - began).count();
  char took[32];
  std::snprintf(took, sizeof(took), "%.1f s", static_cast<double>(ms) / 1000);
  for (const auto& [name, meaning] : seen.paused)
    with.with().err << "note: " << plain(name) << " is paused: " << meaning << "\n" << std::flush;
  if (seen.paused.size() < wanted.size())
    with.with().out << (seen.paused.empty() ? "all ready after " : "all others ready after ")
                    << took << '\n'
                    << std::flush;
  return exit_done;
}

} // namespace legion::console
