#include <doctest/doctest.h>
#include <google/protobuf/unknown_field_set.h>

#include "actors/group/state.hpp"
#include "actors/group/whereabouts.hpp"
#include "actors/node/commitments.hpp"
#include "actors/node/recovery.hpp"
#include "tests/unit/store/real_files.hpp"

/// A cluster is upgraded node by node: what a later version wrote goes through an earlier one.
namespace legion::unknown_fields_test {

namespace {

using namespace real_files;

constexpr int later_field = 9999;

template <class T>
void put_later_field(T& in) {
  in.GetReflection()->MutableUnknownFields(&in)->AddVarint(later_field, 7);
}

template <class T>
bool has_later_field(const T& x) {
  const auto& all = x.GetReflection()->GetUnknownFields(x);
  return all.field_count() == 1 && all.field(0).number() == later_field
         && all.field(0).varint() == 7;
}

/// What a journal gives back once it was closed.
std::vector<record> through_journal(const std::string& key, const std::string& value) {
  folder in;
  auto path = in.path + "/journal.db";
  {
    outcomes heard;
    auto writes = reopen(path).start(heard);
    writes->append(1, batch({{key, value}}));
    CHECK(heard.of(1) == errc::none);
  }
  return reopen(path).records;
}

resource later_pod() {
  resource x;
  x.set_kind("Pod");
  x.mutable_metadata()->set_namespace_("default");
  x.mutable_metadata()->set_name("web");
  put_later_field(x);
  put_later_field(*x.mutable_pod()->add_containers());
  return x;
}

} // namespace

TEST_SUITE("store/unknown_fields") {

  TEST_CASE("a promise keeps a later version's fields, also when it is read and written anew") {
    promise_record made;
    made.mutable_slot()->set_uid("u1");
    *made.mutable_what() = later_pod();
    put_later_field(made);
    for (std::uint64_t order : {1, 2}) {
      auto found =
          node::promises_in(through_journal(node::promise_key("u1"), made.SerializeAsString()));
      REQUIRE(found.size() == 1);
      CHECK(has_later_field(found[0]));
      CHECK(has_later_field(found[0].what()));
      CHECK(has_later_field(found[0].what().pod().containers(0)));
      node::commitments all;
      all.add(found[0], node::phase::bound);
      order_number next;
      next.set_index(order);
      all.raise("u1", next);
      made = *all.find("u1")->record;
      CHECK(made.slot().order().index() == order);
    }
  }

  TEST_CASE("what a group keeps has a later version's fields, also after it was told on") {
    auto pod = later_pod();
    group_entry put;
    put.set_index(1);
    put.set_incarnation(1);
    *put.mutable_put()->mutable_what() = pod;
    auto name = group::name_of(pod);
    group::state before{group::group_of(name)};
    before.apply(put);
    for (int copies = 0; copies < 2; ++copies) {
      auto kept = through_journal("group/state", before.encoded());
      REQUIRE(kept.size() == 1);
      group_state read;
      REQUIRE(read.ParseFromString(kept[0].value()));
      auto after = group::state::from(read);
      const auto* found = after.find(group::key_of(name));
      REQUIRE(found);
      CHECK(has_later_field(found->what));
      CHECK(has_later_field(found->what.pod().containers(0)));
      before = after;
    }
  }
}

} // namespace legion::unknown_fields_test
