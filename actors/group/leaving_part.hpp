#pragma once

#include <caf/send.hpp>

#include "actors/bridge/directory.hpp"
#include "actors/group/leaving.hpp"

/// The part of an actor whose node drains: a group's, and the charter's.

namespace legion::group {

/// Takes a step, and what follows from the leader's answer. `Hands`, of that actor:
///   door           the handle under which a leader is asked, at `path`
///   group(self)    whose member leaves
///   go(self, stuck), judge(self) -> departure, again(self, pause)
template <class Hands, class Pointer>
void take(Pointer self, leaving::step what) {
  constexpr auto answer_time = seconds{2};
  constexpr auto pause = milliseconds{250};
  auto& s = self->state;
  switch (what) {
    case leaving::step::go:
    case leaving::step::stuck:
      return Hands::go(self, what == leaving::step::stuck);
    case leaving::step::judge:
      return take<Hands>(self, s.leaving.on(Hands::judge(self)));
    case leaving::step::again:
      return Hands::again(self, pause);
    case leaving::step::ask:
      self->request(s.context->directory->template at<typename Hands::door>(s.core()->leader().node,
                                                                            Hands::path),
                    answer_time, leave_request(Hands::group(self), s.core()->self()))
          .then([self](const group_reply& x) { take<Hands>(self, self->state.leaving.on(x)); },
                [self](const caf::error&) { take<Hands>(self, leaving::step::again); });
  }
}

} // namespace legion::group
