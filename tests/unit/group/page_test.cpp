#include <doctest/doctest.h>

#include <set>

#include "actors/group/page.hpp"

namespace legion::page_test {

using namespace legion::group;

namespace {

resource_view view_of(const std::string& name, int pods, std::size_t document = 100) {
  resource_view x;
  x.mutable_what()->set_kind("Deployment");
  x.mutable_what()->mutable_metadata()->set_namespace_("default");
  x.mutable_what()->mutable_metadata()->set_name(name);
  x.mutable_what()->set_document(std::string(document, 'd'));
  x.add_events()->set_reason("Scheduled");
  for (int i = 0; i < pods; ++i) { // not in the order of their names
    auto& pod = *x.add_pods();
    pod.mutable_slot()->set_pod(name + "-" + std::to_string((i * 7919) % pods));
    pod.set_note(std::string(300, 'n'));
  }
  return x;
}

struct kept {
  void add(resource_view x) { all[key_of(x.what())] = std::move(x); }

  /// Page after page, as a gateway asks for them.
  std::vector<resource_views> read(const std::string& name = {}) {
    read_resources wish;
    wish.set_name(name);
    std::vector<resource_views> pages;
    for (;;) {
      std::map<resource_key, resource_view> found;
      for (const auto& [key, view] : all)
        if (is_ahead(key, wish) && (name.empty() || key.name == name))
          found[key] = view;
      pages.push_back(page_of(std::move(found), wish, false));
      const auto& page = pages.back();
      if (!page.has_next())
        return pages;
      REQUIRE(pages.size() < 1000);
      *wish.mutable_after() = page.next();
      wish.set_after_pod(page.next_pod());
    }
  }

  std::map<resource_key, resource_view> all;
};

} // namespace

TEST_SUITE("group/page") {

  TEST_CASE("what fits is one page") {
    kept x;
    CHECK(x.read().front().views().empty());
    x.add(view_of("b", 2));
    x.add(view_of("a", 1));
    auto pages = x.read();
    REQUIRE(pages.size() == 1);
    REQUIRE(pages[0].views_size() == 2);
    CHECK(pages[0].views(0).what().metadata().name() == "a");
    CHECK(pages[0].views(1).pods_size() == 2);
  }

  TEST_CASE("every resource is on one page, in order, and no page is much too large") {
    kept x;
    for (int i = 0; i < 100; ++i)
      x.add(view_of("w" + std::to_string(i), 1, 1500));
    std::vector<std::string> names;
    for (const auto& page : x.read()) {
      CHECK(page.ByteSizeLong() < page_bytes + 200);
      CHECK(page.views_size() > 0);
      for (const auto& view : page.views())
        names.push_back(view.what().metadata().name());
    }
    CHECK(names.size() == 100);
    CHECK(std::is_sorted(names.begin(), names.end()));
    CHECK(std::set<std::string>(names.begin(), names.end()).size() == 100);
  }

  TEST_CASE("a resource with more pods than a page takes has each of them once") {
    kept x;
    x.add(view_of("a", 1));
    x.add(view_of("big", 2000));
    x.add(view_of("z", 1));
    for (std::string name : {"", "big"}) {
      std::set<std::string> pods;
      std::size_t told = 0;
      int whole = 0;
      for (const auto& page : x.read(name)) {
        CHECK(page.ByteSizeLong() < page_bytes_of_one * 51 / 50);
        for (const auto& view : page.views()) {
          if (view.what().metadata().name() != "big")
            continue;
          whole += !view.what().document().empty();
          told += static_cast<std::size_t>(view.pods_size());
          for (const auto& pod : view.pods())
            pods.insert(pod.slot().pod());
        }
      }
      CHECK(pods.size() == 2000);
      CHECK(told == 2000);
      CHECK(whole == 1); // the rest of it is told once
    }
    CHECK(x.read().back().views(x.read().back().views_size() - 1).what().metadata().name() == "z");
  }

  TEST_CASE("one that is larger than a page without its pods has its own") {
    kept x;
    x.add(view_of("a", 1, 600'000));
    x.add(view_of("b", 3, 600'000));
    auto pages = x.read();
    REQUIRE(pages.size() >= 2);
    CHECK(pages[0].views_size() == 1);
    CHECK(pages[0].views(0).what().metadata().name() == "a");
  }

  TEST_CASE("where keepers were left out for the number of them, more follow") {
    read_resources wish;
    std::map<resource_key, resource_view> found;
    auto view = view_of("a", 1);
    found[key_of(view.what())] = view;
    auto page = page_of(found, wish, true);
    REQUIRE(page.has_next());
    CHECK(page.next().name() == "a");
    CHECK(page.next_pod().empty());
    *wish.mutable_after() = page.next();
    CHECK_FALSE(is_ahead(key_of(view.what()), wish));
    wish.set_after_pod("a-0");
    CHECK(is_ahead(key_of(view.what()), wish));
  }
}

} // namespace legion::page_test
