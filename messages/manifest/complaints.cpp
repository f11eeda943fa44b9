#include "messages/manifest/complaints.hpp"

#include <algorithm>
#include <tuple>

namespace legion::manifest {

namespace {
constexpr unsigned most = 1000;
}

bool complaints::full() const {
  return errors_ > most;
}

diagnostic& complaints::add(place at, const std::string& field) {
  auto& d = all_.emplace_back();
  d.set_file(file_);
  d.set_line(at.line);
  d.set_column(at.column);
  d.set_field(field);
  auto& text = *d.mutable_text();
  text = file_ + ':' + std::to_string(at.line) + ':' + std::to_string(at.column) + ": ";
  if (!field.empty())
    text += field + ": ";
  return d;
}

void complaints::error(place at, const std::string& field, const std::string& found,
                       const std::string& allowed) {
  if (++errors_ > most)
    return;
  auto& d = add(at, field);
  d.set_found(found);
  d.set_allowed(allowed);
  *d.mutable_text() += "found " + found + ", allowed: " + allowed;
}

void complaints::warning(place at, const std::string& field, const std::string& text) {
  if (!strict_)
    return remark(at, field, text);
  if (++errors_ > most)
    return;
  auto& d = add(at, field);
  d.set_found(text);
  *d.mutable_text() += text + " (an error, because of strict)";
}

void complaints::remark(place at, const std::string& field, const std::string& text) {
  if (++warnings_ > most)
    return;
  auto& d = add(at, field);
  d.set_warning(true);
  d.set_found(text);
  *d.mutable_text() += text;
}

std::vector<diagnostic> complaints::take() {
  std::stable_sort(all_.begin(), all_.end(), [](const diagnostic& a, const diagnostic& b) {
    return std::tuple(a.line(), a.column()) < std::tuple(b.line(), b.column());
  });
  for (bool warning : {false, true})
    if ((warning ? warnings_ : errors_) > most) {
      auto& d = all_.emplace_back();
      d.set_file(file_);
      d.set_warning(warning);
      d.set_text(file_ + ": more " + (warning ? "warnings" : "errors") + " than the "
                 + std::to_string(most) + " told");
    }
  return std::move(all_);
}

} // namespace legion::manifest
