#include "messages/manifest/fields.hpp"

#include <algorithm>

namespace legion::manifest {

namespace {

struct row {
  std::string_view type, field, value, merge_key, known_values, range;
  bool required, honoured;
};

constexpr row table[] = {
#include "messages/manifest/fields_table.inc"
};

using type_index = std::map<std::string_view, type_rule>;

void add_fields(type_rule& into, std::string_view type) {
  for (const auto& r : table)
    if (r.type == type) {
      if (r.field == "(inline)")
        add_fields(into, r.value);
      else
        into.fields.push_back(
            {r.field, r.value, r.merge_key, r.known_values, r.range, r.required, r.honoured});
    }
}

type_index make_index() {
  type_index x;
  for (const auto& r : table)
    if (auto [at, fresh] = x.try_emplace(r.type); fresh) {
      at->second.name = r.type;
      add_fields(at->second, r.type);
    }
  return x;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

const type_rule* find_type(std::string_view name) {
  static const type_index index = make_index();
  auto at = index.find(name);
  return at == index.end() ? nullptr : &at->second;
}

const field_rule* type_rule::find(std::string_view field) const {
  for (const auto& f : fields)
    if (f.name == field)
      return &f;
  return nullptr;
}

const field_rule& type_rule::nearest(std::string_view field) const {
  return *std::min_element(fields.begin(), fields.end(), [&](const auto& a, const auto& b) {
    return edit_distance(a.name, field) < edit_distance(b.name, field);
  });
}

unsigned edit_distance(std::string_view a, std::string_view b) {
  a = a.substr(0, 64);
  b = b.substr(0, 64);
  std::vector<unsigned> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  for (unsigned j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = static_cast<unsigned>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      bool same = lower(a[i - 1]) == lower(b[j - 1]);
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2])
          && lower(a[i - 2]) == lower(b[j - 1]))
        next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before.swap(row);
    row.swap(next);
  }
  return row[b.size()];
}

} // namespace legion::manifest
