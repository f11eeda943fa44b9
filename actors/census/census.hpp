#pragma once

#include <mutex>
#include <string>
#include <vector>

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>

#include "actors/node_context.hpp"

namespace legion {

/// Who lives on this node: every actor enrols at its spawn and leaves at its end.
///
/// Shape: one row per living actor, weak pointers only; safe from any thread.
class census {
public:
  struct row {
    std::string path; // as in "group/12/keeper/default/web"
    caf::actor_addr who;
  };

  void enrol(std::string path, caf::actor_addr who);
  void leave(const caf::actor_addr& who);
  std::vector<row> rows() const;

private:
  mutable std::mutex mutex_;
  std::vector<row> rows_;
};

/// The one way to spawn an actor: it is in the census from its first message to its end.
template <class F, class... Ts>
auto spawn_enrolled(caf::actor_system& system, const context_ptr& context, std::string path, F f,
                    Ts&&... xs) {
  auto handle = system.spawn(f, std::forward<Ts>(xs)...);
  auto who = caf::actor_cast<caf::actor_addr>(handle);
  context->census->enrol(std::move(path), who);
  auto* self = caf::actor_cast<caf::abstract_actor*>(handle);
  static_cast<caf::monitorable_actor*>(self)->attach_functor(
      [census = context->census, who](const caf::error&) { census->leave(who); });
  return handle;
}

} // namespace legion
