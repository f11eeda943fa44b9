#include <doctest/doctest.h>

#include "tests/unit/gateway/play.hpp"

namespace legion::chartering_test {

using namespace legion::gateway;

TEST_SUITE("gateway/chartering") {

  TEST_CASE("what the charter refuses is refused; what somebody may have done is unknown") {
    for (auto in_doubt : {false, true}) {
      CAPTURE(in_doubt);
      auto cordon = request_of();
      cordon.mutable_cordon()->set_node("legion-2");
      play it{cordon};
      it.start();
      charter_reply reply;
      reply.mutable_refused()->set_code(refusal_overloaded);
      reply.mutable_refused()->set_detail("1024 requests wait for the charter");
      reply.mutable_refused()->set_in_doubt(in_doubt);
      it.answer(it.one_ask(), reply);
      REQUIRE(it.ended());
      const auto& said = it.last_said().refused();
      CHECK(said.code() == (in_doubt ? refusal_deadline : refusal_overloaded));
      CHECK((said.detail().find("whether it was done is unknown") != std::string::npos)
            == in_doubt);
    }
  }

} // TEST_SUITE

} // namespace legion::chartering_test
