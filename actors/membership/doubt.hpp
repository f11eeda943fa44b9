#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "messages/time.hpp"

namespace legion::membership {

/// Whether this node's journal may be an old copy: a node that has one asks others before it takes
/// part in what they decide. Two nodes whose disks went back in time together would believe each
/// other, and be a quorum.
///
/// Shape:  at most `most_asked` contacts are asked, all at once, and again until they answer.
/// Units:  over once a node that is in no doubt itself has let this one in, or all that were asked
///         have, or after `patience`; but not while one of them says that it knows a later life of
///         this node, and never after one knew that to be over.
/// Source: docs/consensus.md.
class doubt {
public:
  static constexpr std::size_t most_asked = 16;
  static constexpr auto patience = seconds{2};
  static constexpr auto pause = milliseconds{250}; // before one that did not answer is asked again

  doubt(std::vector<std::size_t> asked, time_point now);

  /// `certain`: whoever let this node in is in no doubt.
  void let_in(std::size_t contact, bool certain);
  /// `disputed`: it knows a later life of this node, and does not know that it is over.
  void no_answer(std::size_t contact, bool disputed, time_point now);
  /// The journal is an old copy.
  void confirm() { confirmed_ = true; }

  bool over(time_point now) const;
  /// Whom to ask by now; each is under way from then on.
  std::vector<std::size_t> due(time_point now);
  time_point wakes_at() const;

private:
  struct contact {
    std::size_t index = 0;
    std::optional<time_point> ask_at; // none: it is being asked, or has let this node in
    bool let_in = false;
    bool disputes = false;
  };
  contact* find(std::size_t index);

  std::vector<contact> contacts_;
  time_point until_;
  bool vouched_ = false;
  bool confirmed_ = false;
};

} // namespace legion::membership
