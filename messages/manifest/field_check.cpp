#include "messages/manifest/field_check.hpp"

#include <cstdint>
#include <limits>
#include <set>

#include "messages/manifest/quantity.hpp"
#include "messages/manifest/scalar.hpp"

namespace legion::manifest {

namespace {

struct bounds {
  std::int64_t least;
  std::int64_t most;
  bool low = true;  // no lower limit but the type's
  bool open = true; // no upper limit but the type's
};

bounds bounds_of(std::string_view type, std::string_view range) {
  bounds x{std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
  if (type == "int64")
    x = {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  auto dots = range.find("..");
  if (dots == std::string_view::npos)
    return x;
  x.least = to_integer(range.substr(0, dots)).value_or(x.least);
  x.low = false;
  x.open = dots + 2 == range.size();
  if (!x.open)
    x.most = to_integer(range.substr(dots + 2)).value_or(x.most);
  return x;
}

std::string whole_number(bounds x) {
  std::string words = "a whole number";
  if (x.low && x.open)
    return x.most > std::numeric_limits<std::int32_t>::max() ? words + " of 64 bits"
                                                             : words + " of 32 bits";
  if (x.open)
    return words + " of " + std::to_string(x.least) + " or more";
  return words + " from " + std::to_string(x.least) + " to " + std::to_string(x.most);
}

bool known(std::string_view text, std::string_view values) {
  for (;;) {
    auto bar = values.find('|');
    auto value = values.substr(0, bar);
    if (!value.empty() && value.back() == '*' ? text.starts_with(value.substr(0, value.size() - 1))
                                              : text == value)
      return true;
    if (bar == std::string_view::npos)
      return false;
    values.remove_prefix(bar + 1);
  }
}

std::string listed(std::string_view values) {
  std::string out;
  for (char c : values) {
    if (c != '|')
      out += c;
    else if (!out.empty())
      out += ", ";
  }
  return out;
}

/// Known resource names come first, then those with a domain: every other one is a typing error.
bool resource_name(std::string_view name) {
  return name == "cpu" || name == "memory" || name == "ephemeral-storage" || name == "storage"
         || name.starts_with("hugepages-") || name.find('/') != std::string_view::npos;
}

/// Makes the path longer for as long as it lives.
class step {
public:
  step(std::string& path, std::string_view name) : path_(path), size_(path.size()) {
    if (!path.empty() && name[0] != '[')
      path += '.';
    path += name;
  }
  step(const step&) = delete;
  ~step() { path_.resize(size_); }

private:
  std::string& path_;
  std::size_t size_;
};

class checker {
public:
  checker(std::string path, complaints& to) : path_(std::move(path)), to_(to) {}

  void map_of(const node& x, const type_rule& type) {
    if (x.kind != node_kind::map)
      return to_.error(x.at, path_, shown(x), "a map");
    for (const auto& e : x.entries) {
      const auto* rule = type.find(e.key->text);
      step into(path_, e.key->text.empty() ? std::string_view("\"\"") : e.key->text);
      if (!rule)
        unknown(*e.key, type);
      else if (e.value->kind != node_kind::null)
        field(*e.key, *e.value, *rule);
    }
    for (const auto& rule : type.fields)
      if (rule.required && !x.get(rule.name)) {
        step into(path_, rule.name);
        to_.error(x.at, path_, "nothing", allowed_by(rule) + " (this field is required)");
      }
  }

private:
  void unknown(const node& key, const type_rule& type) {
    to_.error(key.at, path_, "an unknown field of " + std::string(type.name),
              "its known fields, of which \"" + std::string(type.nearest(key.text).name)
                  + "\" is the nearest");
  }

  static std::string allowed_by(const field_rule& rule) {
    if (!rule.known_values.empty())
      return listed(rule.known_values);
    if (rule.value.starts_with("[]"))
      return "a list";
    if (rule.value == "int32" || rule.value == "int64")
      return whole_number(bounds_of(rule.value, rule.range));
    if (rule.value == "string")
      return "a string";
    if (rule.value == "IntOrString")
      return "a whole number or a string";
    return "a map";
  }

  void field(const node& key, const node& x, const field_rule& rule) {
    // Of the cluster, which sets it; ours hold what no table knows.
    if (!later_ && rule.name == "status")
      return only_kind(x, node_kind::map, "a map");
    if (!later_ && rule.name == "managedFields")
      return only_kind(x, node_kind::list, "a list");
    if (!rule.honoured && !later_) {
      to_.warning(key.at, path_, "not yet honoured");
      later_ = true;
      value(x, rule.value, rule);
      later_ = false;
    } else {
      value(x, rule.value, rule);
    }
  }

  void only_kind(const node& x, node_kind kind, const char* words) {
    if (x.kind != kind)
      to_.error(x.at, path_, shown(x), words);
  }

  void value(const node& x, std::string_view type, const field_rule& rule) {
    if (type.starts_with("[]"))
      list(x, type.substr(2), rule);
    else if (type.starts_with("map["))
      strings(x, rule);
    else if (type == "ResourceList")
      amounts(x);
    else if (const auto* known_type = find_type(type))
      map_of(x, *known_type);
    else
      scalar(x, type, rule);
  }

  void list(const node& x, std::string_view type, const field_rule& rule) {
    if (x.kind != node_kind::list)
      return to_.error(x.at, path_, shown(x), "a list");
    for (std::size_t i = 0; i < x.items.size(); ++i) {
      step into(path_, '[' + std::to_string(i) + ']');
      if (x.items[i]->kind == node_kind::null)
        to_.error(x.items[i]->at, path_, "null", "an item");
      else
        value(*x.items[i], type, rule);
    }
    if (rule.merge_key == "name" && type != "LocalObjectReference")
      unique_names(x, type == "EnvVar");
  }

  /// Lists that merge by name hold each name once; of environment variables the last one counts.
  void unique_names(const node& x, bool last_counts) {
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < x.items.size(); ++i) {
      const auto* name = x.items[i]->get("name");
      if (!name || seen.insert(name->text).second)
        continue;
      step into(path_, '[' + std::to_string(i) + "].name");
      if (!last_counts)
        to_.error(name->at, path_, shown(*name) + " again", "each name once");
      else if (!later_)
        to_.warning(name->at, path_, shown(*name) + " is here twice: the last one counts");
    }
  }

  void strings(const node& x, const field_rule& rule) {
    if (x.kind != node_kind::map)
      return to_.error(x.at, path_, shown(x), "a map of strings");
    for (const auto& e : x.entries) {
      step into(path_, e.key->text.empty() ? std::string_view("\"\"") : e.key->text);
      if (e.value->kind == node_kind::null)
        to_.error(e.key->at, path_, "null", "a string; \"\" for an empty one");
      else
        scalar(*e.value, "string", rule);
    }
  }

  void amounts(const node& x) {
    if (x.kind != node_kind::map)
      return to_.error(x.at, path_, shown(x), "a map of quantities");
    for (const auto& e : x.entries) {
      step into(path_, e.key->text.empty() ? std::string_view("\"\"") : e.key->text);
      std::string_view name = e.key->text;
      if (!resource_name(name))
        to_.error(e.key->at, path_, "an unknown resource",
                  "cpu, memory, ephemeral-storage, hugepages-SIZE, or a name with a domain");
      else if (name != "cpu" && name != "memory" && !later_)
        to_.warning(e.key->at, path_, "not yet honoured");
      if (e.value->kind != node_kind::null)
        quantity(*e.value);
    }
  }

  void quantity(const node& x) {
    bool text =
        x.kind != node_kind::list && x.kind != node_kind::map && x.kind != node_kind::boolean;
    auto amount = text ? parse_quantity(quantity_text(x), unit::thousandths) : std::nullopt;
    if (!amount || *amount < 0)
      to_.error(x.at, path_, shown(x), "a quantity of 0 or more, as 250m, 2, 1e3, 100M or 1.5Gi");
  }

  void scalar(const node& x, std::string_view type, const field_rule& rule) {
    if (type == "bool")
      boolean(x);
    else if (type == "int32" || type == "int64")
      integer(x, bounds_of(type, rule.range));
    else if (type == "IntOrString")
      int_or_string(x);
    else if (type == "Quantity")
      quantity(x);
    else if (type == "Time")
      time(x);
    else if (type != "any" && type != "object")
      string(x, rule);
  }

  void boolean(const node& x) {
    if (x.kind == node_kind::boolean)
      return;
    if (x.kind == node_kind::string && !x.quoted && was_boolean(x.text))
      to_.error(x.at, path_, x.text,
                "true or false (the other booleans of YAML 1.1, such as yes and on, are not read)");
    else if (x.kind == node_kind::string && (x.text == "true" || x.text == "false"))
      to_.error(x.at, path_, "the string " + shown(x), "true or false, without quotes");
    else
      to_.error(x.at, path_, shown(x), "true or false");
  }

  void integer(const node& x, bounds range) {
    auto number = x.kind == node_kind::integer ? to_integer(x.text) : std::nullopt;
    if (number && *number >= range.least && *number <= range.most)
      return;
    bool text = x.kind == node_kind::string && resolve_plain(x.text) == node_kind::integer;
    to_.error(x.at, path_, text ? "the string " + shown(x) : shown(x),
              whole_number(range) + (text ? ", without quotes" : ""));
  }

  void int_or_string(const node& x) {
    auto number = x.kind == node_kind::integer ? to_integer(x.text) : std::nullopt;
    bool fits = number && *number >= std::numeric_limits<std::int32_t>::min()
                && *number <= std::numeric_limits<std::int32_t>::max();
    if (!fits && x.kind != node_kind::string)
      to_.error(x.at, path_, shown(x), "a whole number of 32 bits, or a string");
  }

  void time(const node& x) {
    if (x.kind != node_kind::string || !is_time(x.text))
      to_.error(x.at, path_, shown(x), "a time of RFC 3339, as 2026-11-27T18:02:08Z");
  }

  void string(const node& x, const field_rule& rule) {
    if (x.kind == node_kind::list || x.kind == node_kind::map)
      return to_.error(x.at, path_, shown(x), "a string");
    if (x.kind != node_kind::string)
      return to_.error(x.at, path_,
                       "the " + std::string(x.kind == node_kind::boolean ? "boolean " : "number ")
                           + shown(x),
                       "a string: put it in quotes, \"" + x.text + "\"");
    if (!rule.known_values.empty() && !known(x.text, rule.known_values))
      to_.error(x.at, path_, shown(x), listed(rule.known_values));
  }

  std::string path_;
  complaints& to_;
  bool later_ = false;
};

} // namespace

void check_fields(const node& document, const type_rule& type, const std::string& path,
                  complaints& to) {
  checker(path, to).map_of(document, type);
}

} // namespace legion::manifest
