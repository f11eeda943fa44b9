#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "runtime/transport/transport.hpp"

/// What every transport must do, whatever carries its frames.
namespace legion::transport::contract {

/// Keeps what it hears. Safe from any thread.
class listener final : public sink {
public:
  void frame_arrived(const node_id& from, std::string frame) override {
    std::lock_guard guard{mutex_};
    frames_.emplace_back(from, std::move(frame));
  }
  void peer_up(const node_id& who) override {
    std::lock_guard guard{mutex_};
    news_.emplace_back(who, std::nullopt);
  }
  void peer_down(const node_id& who, down how, std::string) override {
    std::lock_guard guard{mutex_};
    news_.emplace_back(who, how);
  }
  void frame_lost(const node_id& to, std::string frame) override {
    std::lock_guard guard{mutex_};
    lost_.emplace_back(to, std::move(frame));
  }

  std::vector<std::pair<node_id, std::string>> frames() const {
    std::lock_guard guard{mutex_};
    return frames_;
  }
  std::vector<std::pair<node_id, std::string>> lost() const {
    std::lock_guard guard{mutex_};
    return lost_;
  }
  std::size_t count() const {
    std::lock_guard guard{mutex_};
    return frames_.size();
  }
  bool heard(const node_id& who, bool up) const {
    std::lock_guard guard{mutex_};
    for (auto& x : news_)
      if (x.first == who && !x.second == up)
        return true;
    return false;
  }
  bool heard(const node_id& who, down how) const {
    std::lock_guard guard{mutex_};
    return std::find(news_.begin(), news_.end(), std::pair{who, std::optional{how}}) != news_.end();
  }

private:
  mutable std::mutex mutex_;
  std::vector<std::pair<node_id, std::string>> frames_;
  std::vector<std::pair<node_id, std::string>> lost_;
  std::vector<std::pair<node_id, std::optional<down>>> news_; // nothing: it is up
};

/// A few nodes of one implementation.
class testbed {
public:
  virtual ~testbed() = default;
  /// Node `i` (0 to 2), started at its first use.
  virtual transport& at(int i) = 0;
  virtual listener& ears(int i) = 0;
  /// How others reach node `i`, whether or not it has been started.
  virtual peer who(int i) = 0;
  /// Ends node `i` without a word; `at(i)` starts it again under the same key.
  virtual void kill(int i) = 0;
  /// Runs until `condition` holds or too much time went by.
  virtual bool until(const std::function<bool()>& condition) = 0;
  /// Keeps node `i` from reading until it is killed; false if that cannot be done.
  virtual bool stall(int) { return false; }
  /// Whether a peer at whose address nobody listens is unreachable for a while. If not, each frame
  /// to it is queued, and comes back by `frame_lost`.
  virtual bool rests_after_refusal() const { return true; }
};

inline void check_all(const std::function<std::unique_ptr<testbed>()>& make) {
  SUBCASE("frames of a pair arrive in the order sent, from the sender that its key proves") {
    auto x = make();
    x->at(1);
    x->at(0).introduce(x->who(1));
    for (int i = 0; i < 2000; ++i)
      REQUIRE(x->at(0).send(x->who(1).id, std::to_string(i)) == sent::queued);
    CHECK(x->until([&] { return x->ears(1).count() == 2000; }));
    auto frames = x->ears(1).frames();
    for (std::size_t i = 0; i < frames.size(); ++i) {
      REQUIRE(frames[i].first == x->who(0).id);
      REQUIRE(frames[i].second == std::to_string(i));
    }
    CHECK(x->ears(0).heard(x->who(1).id, true));
    CHECK(x->ears(1).heard(x->who(0).id, true));
  }
  SUBCASE("whoever is connected can be answered without an introduction") {
    auto x = make();
    x->at(1);
    x->at(0).introduce(x->who(1));
    REQUIRE(x->at(0).send(x->who(1).id, "hello") == sent::queued);
    REQUIRE(x->until([&] { return x->ears(1).count() == 1; }));
    CHECK(x->at(1).send(x->who(0).id, "hello yourself") == sent::queued);
    CHECK(x->until([&] { return x->ears(0).count() == 1; }));
  }
  SUBCASE("two nodes that connect to each other at once hear each other, each in order") {
    auto x = make();
    x->at(0).introduce(x->who(1));
    x->at(1).introduce(x->who(0));
    for (int i = 0; i < 300; ++i) {
      x->at(0).send(x->who(1).id, std::to_string(i));
      x->at(1).send(x->who(0).id, std::to_string(i));
    }
    CHECK(x->until([&] { return x->ears(0).count() == 300 && x->ears(1).count() == 300; }));
    for (int n : {0, 1}) {
      auto frames = x->ears(n).frames();
      for (std::size_t i = 0; i < frames.size(); ++i)
        REQUIRE(frames[i].second == std::to_string(i));
    }
  }
  SUBCASE("a stranger is unreachable") {
    auto x = make();
    CHECK(x->at(0).send(x->who(1).id, "hello") == sent::unreachable);
  }
  SUBCASE("who is forgotten is unreachable until introduced again") {
    auto x = make();
    x->at(1);
    x->at(0).introduce(x->who(1));
    REQUIRE(x->at(0).send(x->who(1).id, "one") == sent::queued);
    REQUIRE(x->until([&] { return x->ears(1).count() == 1; }));
    x->at(0).forget(x->who(1).id);
    CHECK(x->at(0).send(x->who(1).id, "two") == sent::unreachable);
    x->at(0).introduce(x->who(1));
    CHECK(x->at(0).send(x->who(1).id, "three") == sent::queued);
    CHECK(x->until([&] { return x->ears(1).count() == 2; }));
    CHECK(x->ears(1).frames().back().second == "three");
  }
  SUBCASE("the largest frame passes, a larger one is refused") {
    auto x = make();
    x->at(1);
    x->at(0).introduce(x->who(1));
    CHECK(x->at(0).send(x->who(1).id, std::string(max_frame_bytes + 1, 'x')) == sent::too_large);
    CHECK(x->at(0).send(x->who(1).id, std::string(max_frame_bytes, 'x')) == sent::queued);
    REQUIRE(x->until([&] { return x->ears(1).count() == 1; }));
    CHECK(x->ears(1).frames()[0].second.size() == max_frame_bytes);
  }
  SUBCASE("a peer that ends is down at once, one that comes back is up again") {
    auto x = make();
    x->at(1);
    x->at(0).introduce(x->who(1));
    REQUIRE(x->at(0).send(x->who(1).id, "hello") == sent::queued);
    REQUIRE(x->until([&] { return x->ears(1).count() == 1; }));
    x->kill(1);
    CHECK(x->until([&] { return x->ears(0).heard(x->who(1).id, down::closed); }));
    x->at(1);
    CHECK(x->until([&] {
      x->at(0).send(x->who(1).id, "again");
      return x->ears(1).count() != 0;
    }));
  }
  SUBCASE("a peer that ends and does not come back refuses: it has ended for certain") {
    auto x = make();
    x->at(1);
    x->at(0).introduce(x->who(1));
    REQUIRE(x->at(0).send(x->who(1).id, "hello") == sent::queued);
    REQUIRE(x->until([&] { return x->ears(1).count() == 1; }));
    CHECK_FALSE(x->ears(0).heard(x->who(1).id, down::refused));
    x->kill(1);
    CHECK(x->until([&] {
      x->at(0).send(x->who(1).id, "are you there?");
      return x->ears(0).heard(x->who(1).id, down::refused);
    }));
  }
  SUBCASE("nobody at the address: the peer is down, and then unreachable") {
    auto x = make();
    x->at(0).introduce(x->who(1));
    x->at(0).send(x->who(1).id, "hello");
    CHECK(x->until([&] { return x->ears(0).heard(x->who(1).id, down::refused); }));
    if (x->rests_after_refusal()) {
      CHECK(x->until([&] { return x->at(0).send(x->who(1).id, "hello") == sent::unreachable; }));
      return;
    }
    auto before = x->ears(0).lost().size();
    CHECK(x->at(0).send(x->who(1).id, "hello") == sent::queued);
    CHECK(x->until([&] { return x->ears(0).lost().size() == before + 1; }));
  }
  SUBCASE("a peer that does not read gets overloaded, and no other peer waits for it") {
    auto x = make();
    x->at(1);
    x->at(2);
    x->at(0).introduce(x->who(1));
    x->at(0).introduce(x->who(2));
    REQUIRE(x->at(0).send(x->who(1).id, "hello") == sent::queued);
    REQUIRE(x->until([&] { return x->ears(1).count() == 1; }));
    if (!x->stall(1))
      return;
    auto outcome = sent::queued;
    for (int i = 0; i < 2000 && outcome == sent::queued; ++i)
      outcome = x->at(0).send(x->who(1).id, std::string(256 * 1024, 'x'));
    CHECK(outcome == sent::overloaded);
    CHECK(x->at(0).send(x->who(2).id, "hello") == sent::queued);
    CHECK(x->until([&] { return x->ears(2).count() == 1; }));
  }
}

} // namespace legion::transport::contract
