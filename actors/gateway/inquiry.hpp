#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "actors/gateway/zone_members.hpp"
#include "messages/api.pb.h"
#include "messages/charter.pb.h"
#include "messages/fault.hpp"
#include "messages/ids.hpp"
#include "messages/keeping.pb.h"
#include "messages/time.hpp"

namespace legion::gateway {

/// What an inquiry may look at while it decides; handed in with every event.
struct surroundings {
  zone_members& zone;
  node_id self;
  time_point now{};
  std::string version;
  std::string cluster; // 16 bytes; empty before this node has joined one
  std::string zone_path;
};

/// Asks "node" of a member, or this node's "charter". Answered by `on` under the same id, by a fault
/// at the latest after the time-out.
struct ask {
  std::uint64_t id = 0;
  node_id whom;
  std::variant<group_request, node_request, logs_request, charter_request> what;
  milliseconds timeout{};
};
/// Calls `on_wake` with this id, once.
struct wake {
  std::uint64_t id = 0;
  milliseconds after{};
};
/// Answers the user; a reply that is the last ends the inquiry. One of progress says only that it
/// goes on: it is nothing for programs that get one reply.
struct say {
  api_reply what;
  bool progress = false;
};
using effect = std::variant<ask, wake, say>;
using effects = std::vector<effect>;

/// What a member answered, or why it did not.
using answer = std::variant<group_reply, node_view, log_lines, charter_reply, fault>;

/// One request of a user, from its arrival to its last reply, as pure rules.
///
/// Shape:  at most 128 questions under way; ids of asks and wakes are its own.
/// Errors: those of the user end it with `refused` in the last reply; a member that does not answer
///         is named in a note.
class inquiry {
public:
  virtual ~inquiry() = default;
  virtual effects start(const surroundings& at) = 0;
  virtual effects on(std::uint64_t id, const answer& what, const surroundings& at) = 0;
  virtual effects on_wake(std::uint64_t id, const surroundings& at);
};

/// The rules for this request; one that makes no sense is answered so at its start.
std::unique_ptr<inquiry> make_inquiry(const api_request& what);

/// Ids for asks and wakes: one sequence per inquiry.
class id_sequence {
public:
  std::uint64_t next() { return ++last_; }

private:
  std::uint64_t last_ = 0;
};

// -- what all inquiries say -----------------------------------------------------------------------

say still_at_it();
refusal make_refusal(refusal_code code, std::string detail);
effects refuse(refusal_code code, std::string detail);
void append(effects& to, effects more);
/// The same for the same part of the same request, so that a repeated one is recognised.
std::string part_id(std::string request_id, std::size_t part);

/// For messages: "group 7 has no leader" is "no leader", "group 7 is not kept" is "it is not kept", so
/// that groups with the same trouble are told of once.
std::string without_number(std::uint32_t group, const std::string& why);

/// For messages: `deployment default/web`.
std::string shown(const resource_name& x);
resource_name name_of(const resource& x);
resource_name make_name(std::string kind, std::string ns, std::string name);
/// "Deployment" for deployments, deployment, deploy...; empty for what is not a resource.
std::string kind_of(std::string_view word);

/// The resources that may have a pod of this name: its Deployment, if the name has that form, and
/// the bare Pod.
std::vector<resource_name> owners_of_pod(const std::string& ns, const std::string& pod);

} // namespace legion::gateway
