#include "runtime/console/conversation.hpp"

#include <algorithm>
#include <optional>
#include <random>

#include "runtime/api/api.hpp"
#include "runtime/api/client.hpp"
#include "runtime/console/words.hpp"

namespace legion::console {

namespace {

constexpr std::chrono::milliseconds connect_timeout{3'000};
constexpr std::chrono::milliseconds look_for_reader{1'000};

/// 16 random bytes: a repeated request is recognised by them.
std::string random_id() {
  std::random_device random;
  std::string id;
  while (id.size() < 16)
    id += static_cast<char>(random() & 0xff);
  return id;
}

bool changes(const api_request& x) {
  return x.has_delete_() || x.has_scale() || x.has_cordon() || x.has_rebuild_charter()
         || (x.has_apply() && !x.apply().dry_run()) || (x.has_restore() && !x.restore().dry_run())
         || (x.has_rebuild() && !x.rebuild().dry_run());
}

/// Another node may reach who decides, and nothing is done twice by that. A raise or a restore says in
/// its refusal what it did.
bool may_be_asked_elsewhere(const api_request& x) {
  return x.has_apply() || x.has_delete_() || x.has_scale() || x.has_cordon() || x.has_get()
         || x.has_why();
}

/// Lines of a stranger, each safe, the line breaks kept.
std::string plain_lines(const std::string& text) {
  std::string result;
  std::size_t from = 0;
  for (;;) {
    auto end = text.find('\n', from);
    result += plain(std::string_view{text}.substr(from, end - from));
    if (end == std::string::npos)
      return result;
    result += '\n';
    from = end + 1;
  }
}

} // namespace

int exit_code_of(refusal_code x) {
  switch (x) {
    case refusal_deadline:
      return exit_unknown;
    case refusal_unreachable:
      return exit_unreachable;
    default:
      return exit_refused;
  }
}

void conversation::print_error(const std::string& text) {
  auto line = "error: " + plain_lines(text);
  with_.err << (with_.err_is_tty ? folded(line) : line) << '\n' << std::flush;
}

void conversation::print_notes(const api_reply& x) {
  for (const auto& note : x.notes())
    if (noted_.insert(note).second) {
      auto line = "note: " + plain(note);
      with_.err << (with_.err_is_tty ? folded(line) : line) << '\n';
    }
  with_.err << std::flush;
}

int conversation::ask(api_request what, const listener& heard, const flow& comes) {
  what.set_version(api::version);
  what.set_request_id(random_id());
  std::string tried, overloaded;
  auto code = static_cast<int>(exit_unreachable);
  auto unknown = false;             // a silent node may have done it, or will
  auto went_silent = false;         // and said not even that
  std::optional<api_reply> cut_off; // what the first said that could reach nobody who decides
  auto addresses = to_.addresses;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto& address = addresses[i];
    auto is_last = i + 1 == addresses.size();
    doubted_ = unknown;
    auto result = ask_one(address, what, heard, comes, is_last);
    if (result.why.empty() && unknown && result.code != exit_done) {
      with_.err << "note: that is what " << address << " can say; one that was asked before "
                << (went_silent ? "said nothing" : "could not")
                << ": whether it was done is unknown; look with `legionctl get` before you repeat "
                   "it\n"
                << std::flush;
      return exit_unknown;
    }
    if (result.why.empty()) {
      if (result.code == exit_unreachable || result.code == exit_unknown)
        ask_last(address);
      return result.code;
    }
    auto passed_over = result.cut_off.has_refused();
    if (passed_over && !cut_off)
      cut_off = std::move(result.cut_off);
    code = unknown ? static_cast<int>(exit_unknown) : result.code;
    // Under the same id it is done once, whoever is asked next.
    unknown = unknown || (changes(what) && result.code == exit_unknown);
    went_silent = went_silent || (result.code == exit_unknown && !passed_over);
    if (!is_last && result.try_next
        && (result.silent || result.broke_off || passed_over || result.code == exit_unknown)) {
      with_.err << "note: " << address
                << (result.silent      ? " says nothing"
                    : result.broke_off ? " broke off"
                    : passed_over      ? " can reach nobody who decides"
                                       : " has gone silent")
                << "; asking " << addresses[i + 1] << '\n'
                << std::flush;
      if (result.broke_off)
        comes.go_on(what);
      ask_last(address);
    } else if (!result.try_next
               || (is_last && !cut_off && tried.empty()
                   && (result.code == exit_unknown || result.broke_off))) {
      print_error(result.why);
      return code;
    }
    auto names_itself = result.why.starts_with(address + " ");
    tried += "\n  " + (names_itself ? std::string{} : address + ": ") + result.why;
    if (result.code == exit_refused)
      overloaded = result.why;
  }
  if (cut_off) {
    doubted_ = unknown;
    auto said = refuse(*cut_off, heard);
    if (unknown && went_silent)
      with_.err << "note: another one that was asked has gone silent: whether it was done is "
                   "unknown; look with `legionctl get` before you repeat it\n"
                << std::flush;
    return unknown ? static_cast<int>(exit_unknown) : said;
  }
  if (!overloaded.empty()) { // somebody is there, after all
    print_error(overloaded);
    return unknown ? exit_unknown : exit_refused;
  }
  print_error("no node answers (targets from " + to_.named_by + "):" + tried
              + "\nname one with --target HOST:PORT or --target SOCKET, or start one: legion-node");
  return code;
}

void conversation::ask_last(const std::string& address) {
  std::erase(to_.addresses, address);
  to_.addresses.push_back(address);
}

int conversation::refuse(const api_reply& x, const listener& heard) {
  heard(x);
  // Another node, which said nothing, may have done it: this one can't say that nobody did.
  const auto& text = x.refused().detail();
  print_error(doubted_ ? text.substr(0, text.find("; nothing was changed")) : text);
  return exit_code_of(x.refused().code());
}

conversation::outcome conversation::ask_one(const std::string& address, const api_request& what,
                                            const listener& heard, const flow& comes,
                                            bool is_last) {
  auto client = api::client::connect({{address}, {}}, connect_timeout);
  if (!client) {
    // The client's own list has this one address in it: its reason is what follows.
    auto text = client.why().detail;
    auto reason = text.find(address + ": ");
    return {exit_unreachable, true, false,
            reason == std::string::npos ? text : text.substr(reason + address.size() + 2)};
  }
  using clock = api::client::clock;
  auto anything_heard = false; // be it only that the node is at it
  auto answered = false;       // in part
  auto failed = [&](const fault& why) -> outcome {
    auto silent = why.code == errc::deadline && !anything_heard;
    if (changes(what))
      return {exit_unknown, true, silent,
              why.detail
                  + ": whether it was done is unknown; look with `legionctl get` before you "
                    "repeat it"};
    // What changes nothing is never in doubt.
    return {exit_unreachable, !answered || comes.go_on, silent, why.detail, answered};
  };
  if (auto sent = client->send(what, clock::now() + timeout_); !sent) {
    // Who turns a client away says why, then closes: that may come before the request is sent.
    auto word = client->receive(clock::now() + patience);
    if (!word || !word->has_refused())
      return failed(sent.why());
    return {exit_refused, true, false, word->refused().detail()};
  }
  auto first_reply = is_last ? timeout_ : std::min(timeout_, patience);
  for (;; anything_heard = true) {
    auto endless = comes.endless && answered;
    auto silent_at = is_last ? clock::time_point::max() : clock::now() + stream_patience;
    while (endless && clock::now() < silent_at && !client->has_news(clock::now() + look_for_reader))
      if (with_.is_unread && with_.is_unread())
        return {};
    auto deadline = endless ? silent_at : clock::now() + (anything_heard ? timeout_ : first_reply);
    auto reply = client->receive(deadline);
    if (!reply)
      return failed(reply.why());
    if (reply->under_way())
      continue;
    // A reply to no request: this client was turned away before it was asked anything.
    auto turned_away = reply->refused().code() == refusal_overloaded && reply->request_id().empty();
    if (turned_away
        || (reply->refused().code() == refusal_overloaded && !answered && !changes(what)))
      return {exit_refused, true, false, reply->refused().detail()};
    auto code = exit_code_of(reply->refused().code());
    auto decides_not = code == exit_unreachable || code == exit_unknown;
    if (reply->has_refused() && decides_not && !is_last && !answered && passes_over_
        && may_be_asked_elsewhere(what))
      return {code, true, false, reply->refused().detail(), false, std::move(*reply)};
    if (reply->has_refused())
      return {refuse(*reply, heard), false, false, {}};
    answered = true;
    auto go_on = heard(*reply);
    if (reply->last() || !go_on)
      return {};
  }
}

} // namespace legion::console
