#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace legion {

/// A record of a journal in one piece, which copies share.
///
/// Shape: never changed; empty, it has no key and no value. Safe from any thread.
class shared_record {
public:
  shared_record() = default;
  shared_record(std::string_view key, std::string_view value)
      : bytes_(std::make_shared<const std::string>(joined(key, value))) {}

  std::string_view key() const { return whole().substr(head, key_size()); }
  std::string_view value() const { return whole().substr(head + key_size()); }

private:
  friend class record_shelf;
  static constexpr std::size_t head = sizeof(std::uint32_t); // the key's size, before the key

  explicit shared_record(std::shared_ptr<const std::string> x) : bytes_(std::move(x)) {}

  static std::string joined(std::string_view key, std::string_view value) {
    std::string result;
    result.reserve(head + key.size() + value.size());
    auto size = static_cast<std::uint32_t>(key.size());
    for (std::size_t i = 0; i < head; ++i)
      result += static_cast<char>(size >> (8 * i));
    return result.append(key).append(value);
  }
  std::string_view whole() const {
    static constexpr std::string_view nothing{"\0\0\0\0", head};
    return bytes_ ? std::string_view{*bytes_} : nothing;
  }
  std::size_t key_size() const {
    std::size_t result = 0;
    for (std::size_t i = 0; i < head; ++i)
      result |= std::size_t{static_cast<unsigned char>(whole()[i])} << (8 * i);
    return result;
  }

  std::shared_ptr<const std::string> bytes_;
};

/// Keeps one copy of equal records, however many nodes of one process have them: members of a group
/// write the same log, and followers the same roster.
///
/// Shape: a record lives as long as somebody holds it. For one thread at a time.
class record_shelf {
public:
  shared_record keep(std::string_view key, std::string_view value) {
    auto bytes = shared_record::joined(key, value);
    if (auto i = all_->find(bytes); i != all_->end())
      return shared_record{i->second.lock()};
    auto forget = [all = std::weak_ptr{all_}](const std::string* old) {
      if (auto x = all.lock())
        x->erase(*old);
      delete old;
    };
    std::shared_ptr<const std::string> kept{new std::string(std::move(bytes)), std::move(forget)};
    all_->emplace(*kept, kept);
    return shared_record{std::move(kept)};
  }

  std::size_t size() const { return all_->size(); }

private:
  // The keys are views of the records' own bytes.
  using shelf = std::unordered_map<std::string_view, std::weak_ptr<const std::string>>;
  std::shared_ptr<shelf> all_ = std::make_shared<shelf>();
};
using record_shelf_ptr = std::shared_ptr<record_shelf>;

/// What a journal holds: the newest record of each key, in the order of the keys.
///
/// Shape: `shelf`: where equal records are found; null: each table has its own.
class record_table {
public:
  explicit record_table(record_shelf_ptr shelf = nullptr) : shelf_(std::move(shelf)) {}

  /// An empty value removes the key.
  void put(std::string_view key, std::string_view value) {
    auto i = place_of(key);
    auto known = i != all_.end() && i->key() == key;
    if (value.empty()) {
      if (known)
        all_.erase(i);
      return;
    }
    auto made = shelf_ ? shelf_->keep(key, value) : shared_record{key, value};
    if (known)
      *i = std::move(made);
    else
      all_.insert(i, std::move(made));
  }

  bool contains(std::string_view key) const {
    auto i = const_cast<record_table*>(this)->place_of(key);
    return i != all_.end() && i->key() == key;
  }
  /// Empty: there is none.
  std::string_view at(std::string_view key) const {
    auto i = const_cast<record_table*>(this)->place_of(key);
    return i != all_.end() && i->key() == key ? i->value() : std::string_view{};
  }

  void clear() { all_.clear(); }
  std::size_t size() const { return all_.size(); }
  auto begin() const { return all_.begin(); }
  auto end() const { return all_.end(); }

private:
  std::vector<shared_record>::iterator place_of(std::string_view key) {
    return std::lower_bound(all_.begin(), all_.end(), key,
                            [](const shared_record& x, std::string_view y) { return x.key() < y; });
  }

  std::vector<shared_record> all_;
  record_shelf_ptr shelf_;
};

} // namespace legion
