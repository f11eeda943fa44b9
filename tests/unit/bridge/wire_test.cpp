#include "actors/bridge/wire.hpp"

#include <random>

#include <doctest/doctest.h>
#include <google/protobuf/stubs/logging.h>

#include "messages/vocabulary.hpp"

namespace legion::bridge::wire_test {
namespace {

envelope_view sample() {
  envelope_view x;
  x.sequence = 300;
  x.to = "node";
  x.kind = message_kind<call>;
  x.body = "body";
  x.request = 0x0123456789abcdefull;
  x.reply_to = 7;
  x.failure = failure_refused;
  x.detail = "because";
  x.to_start = 12;
  x.deadline_ms = 10'000;
  x.code = 6;
  return x;
}

bool same(const envelope_view& x, const envelope& y) {
  return x.sequence == y.sequence() && x.to == y.to() && x.kind == y.kind() && x.body == y.body()
         && x.request == y.request() && x.reply_to == y.reply_to() && x.failure == y.failure()
         && x.detail == y.detail() && x.to_start == y.to_start() && x.deadline_ms == y.deadline_ms()
         && x.code == y.code();
}

} // namespace

TEST_SUITE("bridge/wire") {
  TEST_CASE("what is written is a protobuf frame, and its size was foretold") {
    std::string bytes;
    append_header(bytes, "0123456789abcdef", 5, 9);
    auto before = bytes.size();
    append_envelope(bytes, sample());
    CHECK(bytes.size() - before <= size_bound(sample()));
    append_envelope(bytes, {});
    frame read;
    REQUIRE(read.ParseFromString(bytes));
    CHECK(read.version() == wire_version);
    CHECK(read.cluster() == "0123456789abcdef");
    CHECK(read.start() == 5);
    REQUIRE(read.messages_size() == 2);
    CHECK(same(sample(), read.messages(0)));
    CHECK(same({}, read.messages(1)));
  }

  TEST_CASE("what protobuf writes is read, unknown fields are skipped") {
    frame x;
    x.set_version(9);
    x.set_cluster("c");
    x.set_start(~0ull);
    auto* y = x.add_messages();
    y->set_to("a/b");
    y->set_body(std::string(70'000, 'b'));
    y->set_failure(failure_deadline);
    auto* unknown = y->GetReflection()->MutableUnknownFields(y);
    unknown->AddVarint(99, 1);
    unknown->AddFixed32(100, 2);
    unknown->AddFixed64(101, 3);
    unknown->AddLengthDelimited(102, "later");
    auto bytes = x.SerializeAsString();
    auto read = read_frame(bytes);
    REQUIRE(read);
    CHECK(read->version == 9);
    CHECK(read->cluster == "c");
    CHECK(read->start == ~0ull);
    REQUIRE(read->messages.size() == 1);
    CHECK(same(read->messages[0], *y));
  }

  TEST_CASE("a failure of a later version reads as a refusal") {
    frame x;
    x.add_messages()->set_failure(static_cast<failure>(77));
    auto bytes = x.SerializeAsString();
    CHECK(read_frame(bytes)->messages[0].failure == failure_refused);
  }

  TEST_CASE("every prefix and every flipped byte is read or refused, never more than its bytes") {
    std::string bytes;
    append_header(bytes, "0123456789abcdef", 5, 9);
    append_envelope(bytes, sample());
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      std::string cut{bytes.data(), n}; // its own memory, so that a sanitizer sees an overrun
      if (auto x = read_frame(cut); x)
        CHECK(x->messages.size() <= 1);
    }
    google::protobuf::LogSilencer quiet; // it prints each string that is not UTF-8
    std::mt19937_64 random{1};
    for (int i = 0; i < 5'000; ++i) {
      auto damaged = bytes;
      for (int flips = 0; flips < 3; ++flips)
        damaged[random() % damaged.size()] = static_cast<char>(random());
      auto ours = read_frame(damaged);
      frame theirs;
      // Protobuf also checks that strings are UTF-8; beyond that both must agree.
      if (theirs.ParseFromString(damaged) && ours && theirs.messages_size() == 1
          && ours->messages.size() == 1)
        CHECK(ours->messages[0].body == theirs.messages(0).body());
    }
  }

  TEST_CASE("bytes that are no frame are refused") {
    for (std::string_view x :
         {std::string_view{"\x0a"}, std::string_view{"\x22\x05\x0a"},
          std::string_view{"\x22\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
          std::string_view{"\0", 1}, std::string_view{"\x0b\x0c"},
          std::string_view{"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"}})
      CHECK(!read_frame(x));
    CHECK(read_frame(""));
    std::string many;
    for (std::size_t i = 0; i < most_messages; ++i)
      append_envelope(many, {});
    CHECK(read_frame(many));
    append_envelope(many, {});
    CHECK(!read_frame(many));
  }
}

} // namespace legion::bridge::wire_test
