#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/group/member_plan.hpp"
#include "messages/ids.hpp"

namespace legion::group {

/// Who of the zone is asked what it holds of a group that was raised anew.
///
/// Shape:  each node is asked for page after page, one at a time, and at most `most_tries` times in
///         a row in vain. A node that is dead, or says nothing, is `silent`; it is asked again once
///         it is alive.
class gathering {
public:
  static constexpr int most_tries = 3;

  struct ask {
    node_id whom;
    std::string after; // where the page begins

    friend bool operator==(const ask&, const ask&) = default;
  };

  /// A node of the zone, as it is now. What is to be asked of it, if anything is.
  std::vector<ask> on_resident(const resident& x);
  /// It has told of a page, which ends here; empty: that was the last.
  std::vector<ask> on_page(const node_id& from, const std::string& next);
  /// True: it is to be asked again, after a while.
  bool on_failed(const node_id& from);
  /// What was failed is asked again.
  std::vector<ask> again(const node_id& whom);
  /// What it holds is known: it is asked no more.
  void know(const node_id& x) { nodes_[x].state = standing::told; }

  /// Nobody is being asked.
  bool over() const;
  std::vector<node_id> silent() const;

private:
  enum class standing { asked, told, silent };
  struct node {
    standing state = standing::silent;
    std::string after;
    int tries = 0;
  };

  std::map<node_id, node> nodes_;
};

} // namespace legion::group
