#include "actors/group/answers.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

namespace legion::group {

namespace {

constexpr std::size_t least_remembered = 256;
constexpr std::size_t most_remembered = 16384;
constexpr wall_ms remembered_for_ms = 120'000;

} // namespace

void answers::remember(const remembered_request& x) {
  auto [i, fresh] = by_id_.try_emplace(x.id());
  if (!fresh)
    return;
  i->second = {x.SerializeAsString(), x.time_ms()};
  ids_.push_back(x.id());
  auto over = [&] {
    if (ids_.size() <= least_remembered)
      return false;
    return ids_.size() > most_remembered
           || by_id_.at(ids_.front()).time < x.time_ms() - remembered_for_ms;
  };
  while (over()) {
    by_id_.erase(ids_.front());
    ids_.pop_front();
  }
}

std::optional<remembered_request> answers::find(const std::string& request_id) const {
  auto i = by_id_.find(request_id);
  remembered_request result;
  if (i == by_id_.end() || !result.ParseFromString(i->second.encoded))
    return std::nullopt;
  return result;
}

/// Protocol buffers allow a repeated field's elements anywhere in a message.
void answers::append_to(std::string& encoded_state) const {
  using google::protobuf::internal::WireFormatLite;
  google::protobuf::io::StringOutputStream raw{&encoded_state};
  google::protobuf::io::CodedOutputStream out{&raw};
  for (const auto& id : ids_) {
    out.WriteTag(WireFormatLite::MakeTag(group_state::kRequestsFieldNumber,
                                         WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    const auto& encoded = by_id_.at(id).encoded;
    out.WriteVarint32(static_cast<std::uint32_t>(encoded.size()));
    out.WriteString(encoded);
  }
}

} // namespace legion::group
