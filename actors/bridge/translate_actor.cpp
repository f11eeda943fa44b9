#include "actors/bridge/translate_actor.hpp"

#include <algorithm>
#include <array>
#include <typeinfo>

#include <caf/error.hpp>
#include <caf/sec.hpp>

#include "actors/message_types.hpp"
#include "messages/vocabulary.hpp"

namespace legion::bridge {
namespace {

// -- who sent it: proved by the connection, never taken from the wire ----------------------------

template <class T>
bool prove(T&, const node_id&) {
  return true;
}

bool prove(swim_packet& x, const node_id& from) {
  x.set_from(from.bytes());
  return true;
}

bool prove(consensus_batch& x, const node_id& from) {
  x.set_from(from.bytes());
  return true;
}

bool prove(consensus_beat& x, const node_id& from) {
  x.set_from(from.bytes());
  return true;
}

bool prove(report& x, const node_id& from) {
  return node_id::from_bytes(x.node()) == from;
}

bool prove(call& x, const node_id& from) {
  return node_id::from_bytes(x.keeper()) == from;
}

bool prove(accept& x, const node_id& from) {
  return node_id::from_bytes(x.keeper()) == from;
}

bool prove(release& x, const node_id& from) {
  return node_id::from_bytes(x.keeper()) == from;
}

bool prove(join_request& x, const node_id& from) {
  return node_id::from_bytes(x.who().id()) == from;
}

template <class T>
caf::mailbox_element_ptr decode_as(std::string_view body, const node_id& from,
                                   caf::strong_actor_ptr sender, caf::message_id id,
                                   spoken_failure& refusal) {
  T x;
  if (!x.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    refusal = {failure_refused, static_cast<std::uint32_t>(errc::damaged),
               "the message's bytes are no " + x.GetTypeName()};
    return nullptr;
  }
  if (!prove(x, from)) {
    refusal = {failure_refused, static_cast<std::uint32_t>(errc::refused),
               x.GetTypeName() + " speaks for another node than the one that sent it"};
    return nullptr;
  }
  return caf::make_mailbox_element(std::move(sender), id, {}, std::move(x));
}

template <class T>
bool encode_as(const void* what, std::string& body) {
  return static_cast<const T*>(what)->SerializeToString(&body);
}

struct word {
  std::uint32_t kind;
  const std::type_info* type;
  bool (*encode)(const void*, std::string&);
  caf::mailbox_element_ptr (*decode)(std::string_view, const node_id&, caf::strong_actor_ptr,
                                     caf::message_id, spoken_failure&);
};

#define LEGION_WORD(number, type) word{number, &typeid(type), &encode_as<type>, &decode_as<type>},
const std::array words{LEGION_REMOTE_MESSAGES(LEGION_WORD)};
#undef LEGION_WORD

/// The words by the address of their type, for a look-up without comparing names.
const std::array<const word*, words.size()>& by_type() {
  static const auto result = [] {
    std::array<const word*, words.size()> sorted;
    for (std::size_t i = 0; i < words.size(); ++i)
      sorted[i] = &words[i];
    std::sort(sorted.begin(), sorted.end(), [](auto* x, auto* y) { return x->type < y->type; });
    return sorted;
  }();
  return result;
}

const word* find(const std::type_info* type) {
  auto& sorted = by_type();
  auto i = std::lower_bound(sorted.begin(), sorted.end(), type,
                            [](const word* x, const std::type_info* y) { return x->type < y; });
  return i != sorted.end() && (*i)->type == type ? *i : nullptr;
}

const word* find(std::uint32_t kind) {
  auto i = std::lower_bound(words.begin(), words.end(), kind,
                            [](const word& x, std::uint32_t y) { return x.kind < y; });
  return i != words.end() && i->kind == kind ? &*i : nullptr;
}

} // namespace

bool encode(const caf::type_erased_tuple& content, std::uint32_t& kind, std::string& body) {
  if (content.size() != 1)
    return false;
  auto* known = find(content.type(0).second);
  if (known == nullptr)
    return false;
  kind = known->kind;
  return known->encode(content.get(0), body);
}

spoken_failure speak(const fault& why) {
  auto code = static_cast<std::uint32_t>(why.code);
  switch (why.code) {
    case errc::overloaded:
      return {failure_overloaded, code, why.detail};
    case errc::unreachable:
      return {failure_unreachable, code, why.detail};
    case errc::deadline:
      return {failure_deadline, code, why.detail};
    case errc::unknown_message:
      return {failure_unknown_message, code, why.detail};
    case errc::unknown_actor:
      return {failure_unknown_actor, code, why.detail};
    default:
      return {failure_refused, code, why.detail};
  }
}

spoken_failure speak(const caf::error& error) {
  if (error == caf::sec::unexpected_message)
    return speak(fault{errc::refused, "the actor does not accept this kind of message"});
  if (error == caf::sec::runtime_error)
    return speak(fault{errc::refused, "the actor failed on this message"});
  return speak(fault_of(error));
}

fault understand(failure why, std::uint32_t code, std::string_view detail) {
  auto text = std::string{detail};
  switch (why) {
    case failure_overloaded:
      return {errc::overloaded, text};
    case failure_unreachable:
      return {errc::unreachable, text};
    case failure_deadline:
      return {errc::deadline, text};
    case failure_unknown_message:
      return {errc::unknown_message, text};
    case failure_unknown_actor:
      return {errc::unknown_actor, text};
    default:
      bool known = code != 0 && code <= static_cast<std::uint32_t>(last_errc);
      return {known ? static_cast<errc>(code) : errc::refused, text};
  }
}

caf::mailbox_element_ptr decode(std::uint32_t kind, std::string_view body, const node_id& from,
                                caf::strong_actor_ptr sender, caf::message_id id,
                                spoken_failure& refusal) {
  auto* known = find(kind);
  if (known == nullptr) {
    refusal = {failure_unknown_message, static_cast<std::uint32_t>(errc::unknown_message),
               "the version of the node that was asked does not know messages of kind "
                   + std::to_string(kind)};
    return nullptr;
  }
  return known->decode(body, from, std::move(sender), id, refusal);
}

} // namespace legion::bridge
