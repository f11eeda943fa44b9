#pragma once

#include <map>
#include <optional>
#include <string>

#include "actors/gateway/inquiry.hpp"
#include "actors/gateway/survey.hpp"

namespace legion::gateway {

/// logs: finds the pod's node, or the node that it went from last, then reads one life's output from
/// it piece by piece; when following, until that life ends or nothing is left of the pod. Who began
/// at another node goes on where that one stopped.
///
/// Units: asks every 300 ms while lines flow, every second after 3 s of silence.
class reading_logs : public inquiry {
public:
  explicit reading_logs(logs_request what) : what_(std::move(what)) {}

  effects start(const surroundings& at) override;
  effects on(std::uint64_t id, const answer& what, const surroundings& at) override;
  effects on_wake(std::uint64_t id, const surroundings& at) override;

private:
  effects found(const surroundings& at);
  effects choose_container(const resource& of, std::string& note);
  effects look_for_gone(const surroundings& at);
  effects on_looked(std::uint64_t id, const answer& what, const surroundings& at);
  effects looked_everywhere(const surroundings& at);
  effects ask_on();
  effects on_lines(const log_lines& x);
  effects on_error(const log_lines& x);
  effects on_fault(const fault& x, const surroundings& at);

  logs_request what_;
  id_sequence ids_;
  std::optional<survey> survey_;
  node_id node_;
  std::map<std::uint64_t, node_id> looked_; // who is asked for a pod that is gone
  std::int64_t gone_ms_ = 0;
  int silent_ = 0;
  int silent_rounds_ = 0;
  int failures_ = 0;
  bool spoke_ = false;
  std::string note_; // for the next reply
};

} // namespace legion::gateway
