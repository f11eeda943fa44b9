#include "actors/group/page.hpp"

#include <algorithm>

namespace legion::group {

namespace {

bool goes_on_within(const resource_key& key, const read_resources& wish) {
  return !wish.after_pod().empty() && key == key_of(wish.after());
}

/// What has been told of it is not told again.
void leave_out_told(resource_view& view, const std::string& after_pod) {
  auto& pods = *view.mutable_pods();
  pods.erase(std::remove_if(pods.begin(), pods.end(),
                            [&](const pod_view& x) { return x.slot().pod() <= after_pod; }),
             pods.end());
  auto name = name_of(view.what());
  auto& what = *view.mutable_what();
  what.Clear();
  what.set_kind(name.kind());
  what.mutable_metadata()->set_namespace_(name.namespace_());
  what.mutable_metadata()->set_name(name.name());
  view.clear_events();
  view.clear_members();
  view.clear_earlier();
}

/// The pods that do not fit are left out; whether any were.
bool cut(resource_view& view, std::size_t bytes) {
  auto& pods = *view.mutable_pods();
  std::sort(pods.begin(), pods.end(),
            [](const pod_view& a, const pod_view& b) { return a.slot().pod() < b.slot().pod(); });
  std::size_t size = 0;
  int fit = 0;
  for (; fit < pods.size(); ++fit) {
    size += pods[fit].ByteSizeLong();
    if (fit > 0 && size > bytes)
      break;
  }
  auto left = fit < pods.size();
  pods.DeleteSubrange(fit, pods.size() - fit);
  return left;
}

} // namespace

bool is_ahead(const resource_key& key, const read_resources& wish) {
  if (!wish.has_after())
    return true;
  auto after = key_of(wish.after());
  return after < key || goes_on_within(key, wish);
}

resource_views page_of(std::map<resource_key, resource_view> found, const read_resources& wish,
                       bool more) {
  auto of_one = !wish.name().empty() || !wish.after_pod().empty();
  auto room = of_one ? page_bytes_of_one : page_bytes;
  resource_views page;
  std::size_t size = 0;
  auto go_on_after = [&](const resource_view& x, std::string pod) {
    *page.mutable_next() = name_of(x.what());
    page.set_next_pod(std::move(pod));
  };
  for (auto& [key, view] : found) {
    if (!is_ahead(key, wish))
      continue;
    if (goes_on_within(key, wish))
      leave_out_told(view, wish.after_pod());
    auto bytes = view.ByteSizeLong();
    if (size != 0 && size + bytes > room) {
      go_on_after(page.views(page.views_size() - 1), {});
      return page;
    }
    size += bytes;
    auto was_cut = bytes > room && cut(view, room);
    auto& last = *page.add_views() = std::move(view);
    if (was_cut) {
      go_on_after(last, last.pods(last.pods_size() - 1).slot().pod());
      return page;
    }
  }
  if (more && !found.empty()) {
    const auto& last = found.rbegin()->first;
    page.mutable_next()->set_kind(last.kind);
    page.mutable_next()->set_namespace_(last.space);
    page.mutable_next()->set_name(last.name);
  }
  return page;
}

} // namespace legion::group
