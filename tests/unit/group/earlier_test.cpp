#include <doctest/doctest.h>

#include "actors/group/admission.hpp"
#include "actors/group/earlier.hpp"
#include "actors/group/whereabouts.hpp"
#include "actors/keeper/revision.hpp"
#include "messages/made_from.hpp"

namespace legion::earlier_test {

using namespace legion::group;

namespace {

resource deployment(const std::string& image, bool paused = false) {
  resource x;
  x.set_kind("Deployment");
  x.mutable_metadata()->set_name("web");
  x.mutable_metadata()->set_namespace_("default");
  x.set_document("{\"image\": \"" + image + "\"}");
  x.mutable_deployment()->set_replicas(2);
  x.mutable_deployment()->set_paused(paused);
  x.mutable_deployment()->mutable_template_()->mutable_spec()->add_containers()->set_image(image);
  return x;
}

std::string rev(const std::string& image) {
  return keeper::revision_of(deployment(image));
}

/// A group with one Deployment, that does what it is asked.
struct played {
  void apply(const resource& x) {
    group_request request;
    *request.mutable_put()->mutable_what() = x;
    auto next = admit(rules, request, 1000, random);
    if (auto* entry = std::get_if<group_entry>(&next))
      commit(*entry);
  }
  void commit(group_entry entry) {
    entry.set_index(++index);
    rules.apply(entry);
  }
  void name(const std::string& uid, const std::string& revision) {
    group_entry entry;
    *entry.mutable_named()->mutable_of() = name_of(deployment("a"));
    auto& slot = *entry.mutable_named()->add_slots();
    slot.set_uid(uid);
    slot.set_pod("web-" + uid);
    slot.set_revision(revision);
    commit(entry);
  }
  void gone(const std::string& uid) {
    group_entry entry;
    *entry.mutable_gone()->mutable_of() = name_of(deployment("a"));
    entry.mutable_gone()->add_slots()->set_uid(uid);
    commit(entry);
  }
  const resource_state& there() const { return *rules.find(key_of(deployment("a"))); }
  resource_view view() const {
    resource_view x;
    *x.mutable_what() = there().what;
    for (auto& y : there().earlier)
      *x.add_earlier() = y;
    return x;
  }
  std::string runs(const std::string& image) const {
    auto made = made_from(view(), rev(image));
    return made.deployment().template_().spec().containers(0).image() + made.document();
  }

  state rules{group_of(name_of(deployment("a")))};
  std::uint64_t index = 0;
  seeded_random random{7};
};

} // namespace

TEST_SUITE("group/earlier") {

  TEST_CASE("while replicas of an earlier template are here, what they are made from is known") {
    played x;
    x.apply(deployment("a"));
    x.name("1", rev("a"));
    x.apply(deployment("b"));
    x.name("2", rev("b"));
    CHECK(x.runs("a") == "a{\"image\": \"a\"}");
    CHECK(x.runs("b") == "b{\"image\": \"b\"}");
    auto again = state::from(x.rules.snapshot());
    CHECK(again.find(key_of(deployment("a")))->earlier.size() == 1);
    CHECK(x.rules.bytes() > 0);
    x.apply(deployment("c")); // of the first, two changes ago
    CHECK(x.runs("a") == "a{\"image\": \"a\"}");
    x.gone("1");
    CHECK(x.there().earlier.size() == 1);
    x.gone("2");
    CHECK(x.there().earlier.empty());
  }

  TEST_CASE("of nothing that has no replica, and of what is the newest again, nothing is kept") {
    played x;
    x.apply(deployment("a"));
    x.apply(deployment("b"));
    CHECK(x.there().earlier.empty());
    x.name("1", rev("b"));
    x.apply(deployment("a"));
    REQUIRE(x.there().earlier.size() == 1);
    x.apply(deployment("b"));
    CHECK(x.there().earlier.empty());
  }

  TEST_CASE("they are at most so many") {
    played x;
    for (int i = 0; i < 12; ++i) {
      x.apply(deployment(std::to_string(i)));
      x.name(std::to_string(i), rev(std::to_string(i)));
    }
    CHECK(x.there().earlier.size() == most_earlier);
    CHECK(x.there().earlier.back().revision() == rev("10"));
  }

  TEST_CASE("and of so many bytes, whatever a document holds") {
    played x;
    auto large = [](const std::string& image) {
      auto result = deployment(image);
      result.set_document(std::string(300 * 1024, image[0]));
      return result;
    };
    for (std::string image : {"a", "b", "c"}) {
      x.apply(large(image));
      x.name(image, rev(image));
    }
    REQUIRE(x.there().earlier.size() == 1); // of two, the newer
    CHECK(x.there().earlier[0].revision() == rev("b"));
  }

  TEST_CASE("what is paused with another template runs the one it had, and says that one waits") {
    played x;
    x.apply(deployment("a"));
    x.name("1", rev("a"));
    x.apply(deployment("b", true));
    CHECK(x.there().what.deployment().awaited() == rev("b"));
    CHECK(x.there().what.document() == "{\"image\": \"b\"}"); // as its author wrote it
    CHECK(x.runs("a") == "a{\"image\": \"a\"}");
    x.apply(deployment("c", true));
    CHECK(x.runs("a") == "a{\"image\": \"a\"}");
    x.apply(deployment("a", true));
    CHECK(x.there().what.deployment().awaited().empty());
    x.apply(deployment("b"));
    CHECK(x.there().what.deployment().awaited().empty());
    CHECK(x.runs("a") == "a{\"image\": \"a\"}");
  }

  TEST_CASE("paused in the middle of a rollout: both templates are kept, and a third one waits") {
    played x;
    x.apply(deployment("a"));
    x.name("1", rev("a"));
    x.apply(deployment("b"));
    x.name("2", rev("b"));
    struct row {
      const char* image;
      const char* awaited;
    };
    for (auto [image, awaited] : {row{"b", ""}, {"c", "c"}, {"a", "a"}, {"b", ""}}) {
      CAPTURE(image);
      x.apply(deployment(image, true));
      const auto& now = x.there().what.deployment();
      CHECK_FALSE(now.unstarted());
      CHECK(now.awaited() == (*awaited ? rev(awaited) : ""));
      CHECK(now.template_().spec().containers(0).image() == "b");
      CHECK(x.runs("a") == "a{\"image\": \"a\"}");
      CHECK(x.runs("b") == "b{\"image\": \"b\"}");
    }
  }
}

} // namespace legion::earlier_test
