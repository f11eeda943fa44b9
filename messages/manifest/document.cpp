#include "messages/manifest/document.hpp"

#include "messages/manifest/scalar.hpp"

namespace legion::manifest {

namespace {

/// JSON knows no .5, 5., +5, 05.5, .inf or .nan: what it can't write as a number is a string.
bool json_number(const std::string& text) {
  std::size_t i = text[0] == '-' ? 1 : 0;
  auto digit = [&](std::size_t k) { return k < text.size() && text[k] >= '0' && text[k] <= '9'; };
  if (!digit(i) || (text[i] == '0' && digit(i + 1)))
    return false;
  while (digit(i))
    ++i;
  return i == text.size() || text[i] == 'e' || text[i] == 'E' || (text[i] == '.' && digit(i + 1));
}

void append(std::string& out, const node& x) {
  switch (x.kind) {
    case node_kind::null:
      out += "null";
      return;
    case node_kind::boolean:
      out += x.text;
      return;
    case node_kind::integer:
      if (auto number = to_integer(x.text))
        out += std::to_string(*number);
      else
        append_quoted(out, x.text);
      return;
    case node_kind::real:
      if (json_number(x.text))
        out += x.text;
      else
        append_quoted(out, x.text);
      return;
    case node_kind::string:
      append_quoted(out, x.text);
      return;
    case node_kind::list:
      out += '[';
      for (const auto* item : x.items) {
        if (item != x.items.front())
          out += ',';
        append(out, *item);
      }
      out += ']';
      return;
    case node_kind::map:
      break;
  }
  out += '{';
  bool first = true;
  for (const auto& e : x.entries) {
    if (e.value->kind == node_kind::null)
      continue;
    if (!first)
      out += ',';
    first = false;
    append_quoted(out, e.key->text);
    out += ':';
    append(out, *e.value);
  }
  out += '}';
}

} // namespace

std::string to_json(const node& document) {
  std::string out;
  append(out, document);
  return out;
}

} // namespace legion::manifest
