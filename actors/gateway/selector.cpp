#include "actors/gateway/selector.hpp"

#include <algorithm>
#include <optional>

namespace legion::gateway {

namespace {

constexpr std::size_t most_terms = 64;
constexpr std::size_t most_values = 64;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
         || c == '_' || c == '.' || c == '/';
}

/// Reads one selector from left to right.
class scanner {
public:
  explicit scanner(std::string_view text) : text_(text) {}

  bool done() {
    skip();
    return at_ == text_.size();
  }
  bool take(std::string_view what) {
    skip();
    if (!text_.substr(at_).starts_with(what))
      return false;
    at_ += what.size();
    return true;
  }
  bool ahead(char c) {
    skip();
    return at_ < text_.size() && text_[at_] == c;
  }
  std::string word() {
    skip();
    auto from = at_;
    while (at_ < text_.size() && is_word(text_[at_]))
      ++at_;
    return std::string{text_.substr(from, at_ - from)};
  }
  fault wrong(const std::string& allowed) const {
    auto rest = text_.substr(at_, 20);
    auto found = rest.empty() ? std::string{"the end"} : "'" + std::string{rest} + "'";
    return {errc::invalid, "selector '" + std::string{text_} + "', column "
                               + std::to_string(at_ + 1) + ": found " + found + ", expected "
                               + allowed};
  }

private:
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ')
      ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

/// `(a, b)`; nothing if it is not one.
std::optional<std::vector<std::string>> value_list(scanner& in) {
  std::vector<std::string> values;
  if (!in.take("("))
    return {};
  do
    values.push_back(in.word());
  while (in.take(",") && values.size() < most_values);
  if (!in.take(")"))
    return {};
  return values;
}

} // namespace

result<selector> selector::parse(std::string_view text) {
  selector parsed;
  scanner in{text};
  while (!in.done()) {
    if (parsed.terms_.size() == most_terms)
      return in.wrong("at most 64 terms");
    term x;
    auto absent = in.take("!");
    x.key = in.word();
    if (x.key.empty())
      return in.wrong("a label's key");
    if (absent) {
      x.wants_key = false;
    } else if (in.take("!=")) {
      x.wants_key = false;
      x.values.push_back(in.word());
    } else if (in.take("==") || in.take("=")) {
      x.values.push_back(in.word());
    } else if (!in.done() && !in.ahead(',')) {
      auto word = in.word();
      auto values = word == "in" || word == "notin" ? value_list(in) : std::nullopt;
      if (!values)
        return in.wrong("one of = == != , in (A,B) notin (A,B)");
      x.wants_key = word == "in";
      x.values = std::move(*values);
    }
    parsed.terms_.push_back(std::move(x));
    if (!in.take(",") && !in.done())
      return in.wrong("a comma or the end");
  }
  return parsed;
}

bool selector::matches(const labels& of) const {
  return std::all_of(terms_.begin(), terms_.end(), [&](const term& x) {
    auto found =
        std::find_if(of.begin(), of.end(), [&](const label& y) { return y.key() == x.key; });
    auto holds =
        found != of.end()
        && (x.values.empty()
            || std::find(x.values.begin(), x.values.end(), found->value()) != x.values.end());
    return holds == x.wants_key;
  });
}

} // namespace legion::gateway
