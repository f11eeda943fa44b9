#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "actors/consensus/core.hpp"
#include "tests/simulation/consensus/history.hpp"
#include "tests/simulation/consensus/model_disk.hpp"

namespace legion::proof {

/// The invariants of figure 3.2 of the dissertation, and a few of our own; each says what broke it, and begins
/// with the name of the invariant and a colon.
///
/// Shape: keeps every committed entry of the run, by index: the one log that all must agree on.
class checkers {
public:
  /// Empty: all is well. The first that broke.
  std::string broken;

  void leads(const consensus::member_id& who, consensus::term_number term, const model_disk& disk);
  void commits(const consensus::member_id& who, consensus::log_index before,
               consensus::log_index now);
  void hands_out(const consensus::member_id& who, const consensus::entry_ref& x);
  void restores(const consensus::member_id& who, const consensus::snapshot_head& x);
  void begins_change(const consensus::core& leader);
  void takes_effect(std::uint64_t command, consensus::log_index index);
  void logs_match(const model_disk& a, const model_disk& b);
  void linearizes(const history& x);
  void fail(std::string what);

  /// Of the entries committed so far.
  consensus::log_index last() const { return log_.size(); }
  const consensus::entry& at(consensus::log_index i) const { return *log_[i - 1]; }
  const consensus::configuration& members() const { return members_; }
  consensus::log_index members_index() const { return members_index_; }
  void found(const consensus::snapshot_head& x);

private:
  std::vector<consensus::entry_ref> log_;
  consensus::configuration members_;
  consensus::log_index members_index_ = 0;
  std::map<consensus::term_number, consensus::member_id> leaders_;
  std::map<std::uint64_t, consensus::log_index> effects_;
};

} // namespace legion::proof
