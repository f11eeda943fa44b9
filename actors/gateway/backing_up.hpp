#pragma once

#include <map>
#include <string>
#include <vector>

#include "actors/gateway/errand.hpp"
#include "actors/gateway/inquiry.hpp"

namespace legion::gateway {

/// backup: the state of keeper groups, each as its leader has it by a linearizable read, piece by
/// piece of one state; or only how large each is.
///
/// Shape:  at most 64 groups at a time for their sizes and 4 for their states; one reply per state.
/// Errors: when a group does not answer, all fails, and says which and why.
class backing_up : public inquiry {
public:
  explicit backing_up(backup_request what) : what_(std::move(what)) {}

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;
  effects on_wake(std::uint64_t id, const surroundings& at) override;

private:
  /// One group's state on its way here.
  struct reading {
    group_id group{};
    errand first; // asks for the first piece
    node_id from; // of which the others are asked
    std::uint64_t number = 0;
    std::string bytes;
    int begun = 1; // how often
    bool done = false;
  };

  bool sizes_only() const { return what_.groups().empty(); }
  effects begin(group_id group, const surroundings& at);
  effects go_on(reading& x, const surroundings& at);
  effects take(reading& x, const state_piece& piece, const surroundings& at);
  effects whole(reading& x, const surroundings& at);
  effects again(reading& x, std::string why, const surroundings& at);
  effects finish_if_done(const surroundings& at);
  effects fail();
  errand first_of(group_id group);
  reading* find(std::uint64_t id);

  backup_request what_;
  id_sequence ids_;
  std::vector<group_id> waiting_; // those that were not begun, the last first
  std::map<std::uint32_t, reading> readings_;
  std::map<std::uint64_t, std::uint32_t> by_id_;
  std::size_t under_way_ = 0;
  std::map<std::uint32_t, std::string> failed_; // group, and why
  api_reply reply_;
  bool ended_ = false;
};

/// "3, 17 and 20" of many groups only the first; for messages.
std::string list_of(const std::vector<std::uint32_t>& groups);

} // namespace legion::gateway
