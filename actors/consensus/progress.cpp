#include "actors/consensus/progress.hpp"

#include <algorithm>

namespace legion::consensus {

bool progress::full(const options& limits) const {
  switch (now) {
    case mode::probe:
      return !window_.empty();
    case mode::replicate:
      return window_.size() >= limits.window_messages || window_bytes_ >= limits.window_bytes;
    case mode::snapshot:
      break;
  }
  if (!sending || !opened)
    return !sending;
  return chunk_sent >= sending->state->size()
         || chunk_sent - chunk_received >= limits.window_chunks * limits.chunk_bytes;
}

void progress::sent(log_index last, std::size_t bytes, time_point again) {
  window_.push_back({last, bytes});
  window_bytes_ += bytes;
  if (resend_at == time_point::max())
    resend_at = again;
  if (now == mode::replicate)
    next = last + 1;
}

void progress::accepted(log_index index, time_point again) {
  match = std::max(match, index);
  if (now == mode::snapshot)
    return;
  if (now == mode::probe) { // found where the logs agree
    begin_probe();
    now = mode::replicate;
  }
  while (!window_.empty() && window_.front().last <= index) {
    window_bytes_ -= window_.front().bytes;
    window_.pop_front();
  }
  next = std::max(next, match + 1);
  resend_at = window_.empty() ? time_point::max() : again;
}

void progress::probe_again() {
  auto guess = now == mode::probe ? next : match + 1;
  begin_probe();
  next = guess;
}

void progress::begin_anew() {
  match = commit_sent = 0;
  begin_probe();
}

void progress::begin_probe() {
  now = mode::probe;
  next = match + 1;
  window_.clear();
  window_bytes_ = 0;
  sending.reset();
  head.reset();
  resend_at = time_point::max();
  parked = false;
}

void progress::begin_snapshot(std::shared_ptr<const snapshot> what) {
  begin_probe();
  now = mode::snapshot;
  sending = std::move(what);
  if (sending)
    head = std::make_shared<const snapshot_head>(sending->head);
  chunk_sent = chunk_received = 0;
  opened = false;
}

} // namespace legion::consensus
