#include "actors/bridge/route.hpp"

#include <algorithm>

#include "messages/vocabulary.hpp"

namespace legion::bridge {
namespace {

admission refuse(const envelope_view& x, failure why, std::string detail) {
  auto what = x.request != 0 ? admission::verdict::refuse : admission::verdict::drop;
  return {what, why, std::move(detail)};
}

bool says_foreign(const envelope_view& x) {
  return x.reply_to != 0
         && (x.failure == failure_wrong_cluster || x.failure == failure_wrong_version);
}

} // namespace

age age_of(const lifetime& said, const lifetime& known) {
  if (said.start != known.start)
    return said.start < known.start ? age::earlier : age::later;
  auto told = said.life != 0 && known.life != 0;
  return told && said.life != known.life ? age::earlier : age::same;
}

bool joins(std::uint32_t kind) {
  return kind == message_kind<join_request> || kind == message_kind<join_reply>;
}

admission admit(const frame_view& frame, const envelope_view& x, std::string_view own_cluster,
                start_number own_start) {
  if (says_foreign(x))
    return {};
  if (frame.version != wire_version)
    return refuse(x, failure_wrong_version,
                  "the node that was asked speaks version " + std::to_string(wire_version)
                      + " of the node communication interface, the message is of version "
                      + std::to_string(frame.version));
  bool stranger = frame.cluster.empty() || own_cluster.empty();
  if (stranger && !joins(x.kind) && !(x.reply_to != 0 && x.failure != failure_none))
    return refuse(x, failure_wrong_cluster,
                  own_cluster.empty() ? "the node that was asked has not joined a cluster yet"
                                      : "only joins are heard from a node without a cluster");
  if (!stranger && frame.cluster != own_cluster)
    return refuse(
        x, failure_wrong_cluster,
        "the node that was asked is of another cluster; a node joins one with an empty data "
        "folder only");
  if (x.to_start != 0 && x.to_start != value(own_start))
    return refuse(x, failure_unreachable, "the node has been started again since");
  return {};
}

order_of_arrival::verdict order_of_arrival::on(std::uint64_t sequence) {
  if (sequence <= newest_)
    return {};
  auto missing = newest_ == 0 ? 0 : sequence - newest_ - 1;
  newest_ = sequence;
  return {true, missing};
}

void loss_counters::add(failure why, std::uint64_t n) {
  if (n == 0)
    return;
  auto i = std::lower_bound(counts_.begin(), counts_.end(), why,
                            [](const auto& x, failure y) { return x.first < y; });
  if (i == counts_.end() || i->first != why)
    i = counts_.insert(i, {why, 0});
  i->second += n;
}

bool outbox::add(const envelope_view& x, std::string_view cluster, const lifetime& of,
                 const limits& most) {
  auto size = size_bound(x);
  auto room = most.waiting_bytes + (x.body.empty() ? most.frame_bytes : 0);
  if (bytes_ != 0 && bytes_ + size > room)
    return false;
  thread_local std::string header;
  header.clear();
  append_header(header, cluster, value(of.start), of.life);
  if (frames_.empty() || !frames_.back().bytes.starts_with(header)
      || frames_.back().bytes.size() + size > most.frame_bytes) {
    auto& frame = frames_.emplace_back();
    frame.bytes.reserve(header.size() + size);
    frame.bytes += header;
  }
  auto& frame = frames_.back();
  auto before = frame.bytes.size();
  append_envelope(frame.bytes, x);
  bytes_ += frame.bytes.size() - before;
  if (x.request != 0)
    frame.requests.push_back(x.request);
  else
    ++frame.one_ways;
  return true;
}

std::vector<outbox::packed> outbox::take() {
  bytes_ = 0;
  return std::exchange(frames_, {});
}

} // namespace legion::bridge
