#include "actors/gateway/inquiry.hpp"

#include <array>

#include "actors/gateway/backing_up.hpp"
#include "actors/gateway/changing.hpp"
#include "actors/gateway/chartering.hpp"
#include "actors/gateway/explaining.hpp"
#include "actors/gateway/getting.hpp"
#include "actors/gateway/reading_logs.hpp"
#include "actors/gateway/rebuilding.hpp"
#include "actors/gateway/restoring.hpp"

namespace legion::gateway {

namespace {

/// Answers at once.
class answered : public inquiry {
public:
  effects start(const surroundings& at) override {
    api_reply what;
    what.set_version(at.version);
    what.set_last(true);
    return {say{std::move(what)}};
  }
  effects on(std::uint64_t, const answer&, const surroundings&) override { return {}; }
};

/// Refuses at once, in a sentence with the node's name in its middle.
class not_understood : public inquiry {
public:
  not_understood(std::string before, std::string after, refusal_code code = refusal_unsupported)
      : before_(std::move(before)), after_(std::move(after)), code_(code) {}
  effects start(const surroundings& at) override {
    return refuse(code_, before_ + at.zone.name_of(at.self) + after_);
  }
  effects on(std::uint64_t, const answer&, const surroundings&) override { return {}; }

private:
  std::string before_;
  std::string after_;
  refusal_code code_;
};

} // namespace

effects inquiry::on_wake(std::uint64_t, const surroundings&) {
  return {};
}

std::unique_ptr<inquiry> make_inquiry(const api_request& what) {
  if (what.version() != 1)
    return std::make_unique<not_understood>("the request speaks version "
                                                + std::to_string(what.version()) + " of the API, ",
                                            " speaks version 1");
  if (auto bytes = what.request_id().size(); bytes != 0 && bytes != 16)
    return std::make_unique<not_understood>(
        "", " takes a request_id of 16 bytes, or none: this one has " + std::to_string(bytes),
        refusal_invalid);
  switch (what.what_case()) {
    case api_request::kApply:
    case api_request::kDelete:
    case api_request::kScale:
      return std::make_unique<changing>(what);
    case api_request::kGet:
      return std::make_unique<getting>(what.get());
    case api_request::kLogs:
      return std::make_unique<reading_logs>(what.logs());
    case api_request::kWhy:
      return std::make_unique<explaining>(what.why());
    case api_request::kVersionOf:
      return std::make_unique<answered>();
    case api_request::kCordon:
    case api_request::kCharter:
    case api_request::kRebuildCharter:
      return std::make_unique<chartering>(what);
    case api_request::kBackup:
      return std::make_unique<backing_up>(what.backup());
    case api_request::kRestore:
      return std::make_unique<restoring>(what);
    case api_request::kRebuild:
      return std::make_unique<rebuilding>(what);
    case api_request::WHAT_NOT_SET:
      break;
  }
  return std::make_unique<not_understood>(
      "", " does not know what is asked of it: its version may be older than legionctl's");
}

say still_at_it() {
  api_reply reply;
  reply.set_under_way(true);
  return {std::move(reply), true};
}

std::string without_number(std::uint32_t group, const std::string& why) {
  std::string result;
  auto named = "group " + std::to_string(group) + " ";
  for (std::size_t from = 0; from < why.size();) { // one of another's words in its own, too
    auto at = why.find(named, from);
    result += why.substr(from, at - from);
    if (at == why.npos)
      break;
    from = at + named.size();
    if (why.compare(from, 4, "has ") == 0)
      from += 4;
    else
      result += "it ";
  }
  auto first = "group " + std::to_string(group) + ": ";
  return result.starts_with(first) ? result.substr(first.size()) : result;
}

refusal make_refusal(refusal_code code, std::string detail) {
  refusal x;
  x.set_code(code);
  x.set_detail(std::move(detail));
  return x;
}

effects refuse(refusal_code code, std::string detail) {
  api_reply reply;
  reply.set_last(true);
  *reply.mutable_refused() = make_refusal(code, std::move(detail));
  return {say{std::move(reply)}};
}

std::string part_id(std::string request_id, std::size_t part) {
  request_id.resize(16);
  for (std::size_t i = 0; i < 4; ++i)
    request_id[15 - i] = static_cast<char>(request_id[15 - i] ^ static_cast<char>(part >> (8 * i)));
  return request_id;
}

void append(effects& to, effects more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::string shown(const resource_name& x) {
  auto kind = x.kind() == "Deployment" ? std::string{"deployment"}
              : x.kind() == "Pod"      ? std::string{"pod"}
                                       : x.kind();
  return kind + " " + x.namespace_() + "/" + x.name();
}

resource_name name_of(const resource& x) {
  return make_name(x.kind(), x.metadata().namespace_(), x.metadata().name());
}

resource_name make_name(std::string kind, std::string ns, std::string name) {
  resource_name x;
  x.set_kind(std::move(kind));
  x.set_namespace_(ns.empty() ? "default" : std::move(ns));
  x.set_name(std::move(name));
  return x;
}

std::string kind_of(std::string_view word) {
  constexpr std::array<std::string_view, 4> deployments{"deployments", "deployment", "deploy",
                                                        "Deployment"};
  constexpr std::array<std::string_view, 4> pods{"pods", "pod", "po", "Pod"};
  for (auto x : deployments)
    if (word == x)
      return "Deployment";
  for (auto x : pods)
    if (word == x)
      return "Pod";
  return {};
}

std::vector<resource_name> owners_of_pod(const std::string& ns, const std::string& pod) {
  std::vector<resource_name> result;
  auto last = pod.rfind('-');
  auto before = last == std::string::npos || last == 0 ? last : pod.rfind('-', last - 1);
  if (last != std::string::npos && last != 0 && before != std::string::npos && before != 0)
    result.push_back(make_name("Deployment", ns, pod.substr(0, before)));
  result.push_back(make_name("Pod", ns, pod));
  return result;
}

} // namespace legion::gateway
