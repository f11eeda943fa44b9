#include "actors/census/census.hpp"

#include <algorithm>

namespace legion {

void census::enrol(std::string path, caf::actor_addr who) {
  std::lock_guard guard{mutex_};
  rows_.push_back({std::move(path), std::move(who)});
}

void census::leave(const caf::actor_addr& who) {
  std::lock_guard guard{mutex_};
  auto i = std::find_if(rows_.begin(), rows_.end(), [&](const row& x) { return x.who == who; });
  if (i == rows_.end())
    return;
  std::swap(*i, rows_.back());
  rows_.pop_back();
}

std::vector<census::row> census::rows() const {
  std::lock_guard guard{mutex_};
  auto result = rows_;
  std::sort(result.begin(), result.end(),
            [](const row& a, const row& b) { return a.path < b.path; });
  return result;
}

} // namespace legion
