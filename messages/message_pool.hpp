#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace legion {

/// Keeps one copy of equal messages, however many nodes of one process hold them.
///
/// Shape:  a message lives as long as somebody holds it. For one thread at a time.
template <class Message>
class message_pool {
public:
  using kept = std::shared_ptr<const Message>;

  kept keep(Message x) {
    auto bytes = x.SerializeAsString();
    if (auto i = shelf_->find(bytes); i != shelf_->end())
      return i->second.lock();
    auto fresh = std::make_unique<entry>(entry{std::move(bytes), std::move(x)});
    std::string_view key = fresh->bytes;
    auto forget = [shelf = std::weak_ptr{shelf_}](const entry* old) {
      if (auto s = shelf.lock())
        s->erase(old->bytes);
      delete old;
    };
    std::shared_ptr<const entry> owner{fresh.release(), std::move(forget)};
    kept result{owner, &owner->what};
    shelf_->emplace(key, result);
    return result;
  }

  std::size_t size() const { return shelf_->size(); }

private:
  struct entry {
    std::string bytes;
    Message what;
  };
  // The keys are views of the entries' own bytes.
  std::shared_ptr<std::unordered_map<std::string_view, std::weak_ptr<const Message>>> shelf_ =
      std::make_shared<std::unordered_map<std::string_view, std::weak_ptr<const Message>>>();
};

} // namespace legion
