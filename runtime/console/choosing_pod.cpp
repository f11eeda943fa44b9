#include <algorithm>

#include "runtime/console/verbs.hpp"
#include "runtime/console/words.hpp"

/// Which pod is meant by `deployment/NAME`, where one is wanted.
namespace legion::console {

namespace {

bool has_begun(const pod_view& x) {
  const auto& all = x.assessment().containers();
  return std::any_of(all.begin(), all.end(), [](const container_status& y) {
    return y.started_ms() > 0 || y.last_finished_ms() > 0;
  });
}

/// The lower, the better.
int rank(const pod_view& x, pod_choice why) {
  auto current = (x.state() == "accepted" || x.state() == "bound") && !x.node_dead();
  auto ready = current && x.assessment().ready();
  if (why == pod_choice::to_explain) // what waits is what one asks about
    return x.state() == "missing" ? 0 : current && !ready ? 1 : 2;
  return ready ? 0 : !x.node_dead() && has_begun(x) ? 1 : 2;
}

} // namespace

int choose_pod(conversation& with, std::string& pod, pod_choice why, const scope& where) {
  auto slash = pod.find('/');
  if (slash == std::string::npos)
    return exit_done;
  auto kind = kind_word(pod.substr(0, slash));
  auto name = pod.substr(slash + 1);
  if (name.empty() || (kind != "pods" && kind != "deployments")) {
    with.print_error("'" + pod + "': name a pod, or deployment/NAME for one of its pods");
    return exit_usage;
  }
  if (kind == "pods") {
    pod = name;
    return exit_done;
  }
  api_request request;
  request.mutable_get()->set_kind(kind);
  request.mutable_get()->add_names(name);
  request.mutable_get()->set_namespace_(where.ns);
  std::vector<pod_view> all;
  auto code = with.ask(request, [&](const api_reply& x) {
    for (const auto& view : x.resources())
      std::copy_if(view.pods().begin(), view.pods().end(), std::back_inserter(all),
                   [](const pod_view& y) { return y.state() != "gone"; });
    return true;
  });
  if (code != exit_done)
    return code;
  if (all.empty()) {
    with.print_error("deployment.apps/" + name + " has no pod in namespace " + where.ns);
    return exit_refused;
  }
  auto chosen = std::min_element(all.begin(), all.end(), [&](const auto& a, const auto& b) {
    return rank(a, why) < rank(b, why);
  });
  pod = chosen->slot().pod();
  with.with().err << "note: pod " << plain(pod) << ", of " << all.size() << " of deployment.apps/"
                  << plain(name) << '\n'
                  << std::flush;
  return exit_done;
}

} // namespace legion::console
