#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "messages/fault.hpp"
#include "messages/time.hpp"

namespace legion::membership {

/// Whether this node's journal may be an old copy: a node that has one asks others before it takes
/// part in what they decide. Two nodes whose disks went back in time together would believe each
/// other, and be a quorum.
///
/// Shape:  at most `most_asked` contacts are asked, all at once, and again until they answer.
/// Units:  over once a node that is certain itself has let this one in and all that were asked have
///         answered or had `at_once` to do so, or once all have let it in, or after `patience`, or
///         `silent_patience` while one is silent instead of gone; but not while one of them says
///         that it knows a later life of this node, nor for `dispute_lasts` after it said so last,
///         unless it let this one in since; and never after one knew that life to be over.
/// Source: docs/consensus.md.
class journal_trial {
public:
  static constexpr std::size_t most_asked = 24;
  /// The first contacts, who share groups with this node: only they heard how far its journal was.
  static constexpr std::size_t mates_asked = 16;
  static constexpr auto patience = seconds{2};
  static constexpr auto silent_patience = seconds{5};
  /// Who is gone refuses a connection at once; who stands still, or is cut off, says nothing at all.
  static constexpr auto at_once = seconds{1};
  static constexpr auto first_pause = milliseconds{250}; // before one that failed is asked again
  static constexpr auto last_pause = seconds{4};
  static constexpr auto dispute_lasts = seconds{12}; // longer than a death takes to be known
  /// Of a node that nobody disputes for so long, who had been wrong would be known by now.
  static constexpr auto certain_after = seconds{30};

  journal_trial(const std::vector<std::size_t>& asked, time_point now);

  /// `certain`: whoever let this node in is so itself.
  void let_in(std::size_t contact, bool certain);
  void no_answer(std::size_t contact, errc why, time_point now);
  /// The journal is an old copy.
  void lost() { lost_ = true; }
  /// This process stood still: nobody could be heard.
  void postpone(time_point::duration lag);

  bool over(time_point now) const;
  bool vouched() const { return vouched_; }
  /// Who has not let this node in.
  std::vector<std::size_t> unheard() const;
  /// Whom to ask by now; each is under way from then on.
  std::vector<std::size_t> due(time_point now);
  time_point wakes_at() const;

private:
  struct contact {
    std::size_t index = 0;
    std::optional<time_point> ask_at; // none: it is being asked, or has let this node in
    std::optional<time_point> disputed_until;
    milliseconds pause = first_pause;
    time_point asked_at;
    bool answered = false; // or was found gone, at least once
    bool let_in = false;
    bool gone = false; // nobody listens there, or says no
  };
  contact* find(std::size_t index);
  time_point earliest_end() const;

  std::vector<contact> contacts_;
  time_point began_;
  bool vouched_ = false;
  bool lost_ = false;
};

} // namespace legion::membership
