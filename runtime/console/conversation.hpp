#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>

#include "messages/api.pb.h"
#include "runtime/api/target.hpp"
#include "runtime/console/terminal.hpp"

namespace legion::console {

/// Asks a node, the next one where the first cannot be reached, and turns what goes wrong into
/// words and an exit code.
///
/// Shape:  one connection per request. A node that says nothing for `patience` is passed over while
///         there is another, and asked last from then on; also with a change, which is done once
///         whoever does it: all nodes are told the same request id. So is one that could reach nobody
///         who decides: another may. What it said is shown if no other says anything better.
/// Units:  `timeout` is from the request to the last node's first reply, and between replies; in a
///         stream there is no limit between replies, but for `stream_patience` while there is another
///         node: one that lives says so every five seconds.
class conversation {
public:
  /// For a node's first word, while there are others to ask.
  static constexpr std::chrono::milliseconds patience{2'000};
  static constexpr std::chrono::seconds stream_patience{15};

  /// False: enough was heard.
  using listener = std::function<bool(const api_reply&)>;

  /// How an answer comes that may be long.
  struct flow {
    bool endless = false; // replies come when there is news
    /// Given: what the next node is asked where one broke off, of the request that it was asked.
    std::function<void(api_request&)> go_on;
  };

  conversation(api::targets to, std::chrono::milliseconds timeout, terminal& with)
      : to_(std::move(to)), timeout_(timeout), with_(with) {}

  /// The exit code; `heard` gets every reply, one that refuses included, which is also printed.
  int ask(api_request what, const listener& heard) { return ask(std::move(what), heard, {}); }
  int ask(api_request what, const listener& heard, const flow& comes);

  terminal& with() { return with_; }
  /// The same targets, another terminal; for looks that are repeated: each takes the word of the first
  /// that answers, and one that could reach nobody who decides is asked last from then on.
  conversation speaking_to(terminal& other) const {
    conversation result{to_, timeout_, other};
    result.passes_over_ = false;
    return result;
  }
  /// Notes are printed once each.
  void print_notes(const api_reply& x);
  void print_error(const std::string& text);

private:
  struct outcome {
    int code = exit_done;
    bool try_next = false;
    bool silent = false; // it took the request, and said nothing
    std::string why;
    bool broke_off = false; // in the middle of a stream
    api_reply cut_off{};    // it could reach nobody who decides, and said so
  };

  outcome ask_one(const std::string& address, const api_request& what, const listener& heard,
                  const flow& comes, bool is_last);
  /// From the next request on.
  void ask_last(const std::string& address);
  /// What one that refuses says, and the exit code.
  int refuse(const api_reply& x, const listener& heard);

  api::targets to_;
  std::chrono::milliseconds timeout_;
  terminal& with_;
  std::set<std::string> noted_;
  bool passes_over_ = true; // who can reach nobody who decides
  bool doubted_ = false;    // a node that was asked before said nothing, and may have done it
};

/// What a refusal means for the exit code.
int exit_code_of(refusal_code x);

} // namespace legion::console
