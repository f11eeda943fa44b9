#include "runtime/store/memory/disk.hpp"

#include <utility>

namespace legion::store::memory {

namespace {

constexpr std::size_t most_waiting = 4096;
constexpr auto least_sync = std::chrono::microseconds{200};
constexpr std::uint64_t sync_spread_us = 1800;

} // namespace

struct disk::content {
  struct waiting_batch {
    std::uint64_t correlation;
    record_batch batch;
  };

  std::minstd_rand random; // small: there may be 10,000 disks
  run_later later;
  watcher watch;
  std::string id;
  record_table records;
  row_count rows = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::list<waiting_batch> waiting;
  sink* owner = nullptr;
  std::uint64_t life = 0; // counts openings and crashes: completions of an older one are not told
  bool syncing = false;
  std::size_t in_sync = 0; // of those that wait, the first: they share the sync under way
  bool full = false;
  int ballast = ballast_batches; // batches that still fit when it is full

  void make_id() {
    id.resize(16);
    for (auto& x : id)
      x = static_cast<char>(random() >> 8);
  }

  bool takes(const record_batch& x) {
    return !full || (may_take_ballast(x) && ballast > 0 && ballast-- > 0);
  }

  void keep(const record_batch& batch) {
    for (auto& x : batch.records())
      records.put(x.key(), x.value());
    ++*rows;
    if (watch)
      watch(batch);
  }

  static void sync(const std::shared_ptr<content>& self) {
    self->syncing = true;
    auto delay = least_sync + std::chrono::microseconds{self->random() % sync_spread_us};
    self->in_sync = self->waiting.size();
    self->later(delay, [weak = std::weak_ptr<content>(self), life = self->life] {
      if (auto self = weak.lock(); self && self->life == life)
        synced(self);
    });
  }

  // One sync covers all that waited when it began.
  static void synced(const std::shared_ptr<content>& self) {
    self->syncing = false;
    for (; self->in_sync > 0; --self->in_sync) {
      auto x = std::move(self->waiting.front());
      self->waiting.pop_front();
      if (!self->takes(x.batch)) {
        self->owner->failed(x.correlation, {errc::disk_full, "the simulated disk is full"});
        continue;
      }
      self->keep(x.batch);
      self->owner->written(x.correlation);
    }
    if (!self->waiting.empty())
      sync(self);
  }

  void end_life() {
    ++life;
    owner = nullptr;
    auto whole = syncing && random() % 2 == 0;
    for (auto& x : waiting)
      if (whole && in_sync > 0 && in_sync-- > 0 && takes(x.batch))
        keep(x.batch);
    waiting.clear();
    in_sync = 0;
    syncing = false;
  }

  void tell_health() {
    if (owner)
      owner->health_changed({full, full ? "the simulated disk is full" : ""});
  }
};

class disk::writer : public store {
public:
  writer(std::shared_ptr<content> where, std::uint64_t life)
      : content_(std::move(where)), life_(life) {}

  ~writer() override {
    if (content_->life == life_)
      content_->end_life();
  }

  void append(std::uint64_t correlation, record_batch batch) override {
    if (content_->life != life_)
      return;
    if (content_->waiting.size() >= most_waiting || batch.ByteSizeLong() > max_batch_bytes) {
      auto code = content_->waiting.size() >= most_waiting ? errc::overloaded : errc::too_large;
      // Told later, as all completions are.
      content_->later(least_sync,
                      [weak = std::weak_ptr<content>(content_), life = life_, correlation, code] {
                        if (auto x = weak.lock(); x && x->life == life)
                          x->owner->failed(correlation, {code, "the simulated disk takes no more"});
                      });
      return;
    }
    content_->waiting.push_back({correlation, std::move(batch)});
    if (!content_->syncing)
      content::sync(content_);
  }

private:
  std::shared_ptr<content> content_;
  std::uint64_t life_;
};

disk::disk(std::uint64_t seed, run_later later, record_shelf_ptr shelf)
    : content_(std::make_shared<content>()) {
  content_->records = record_table{std::move(shelf)};
  content_->random.seed(static_cast<std::uint32_t>(seed ^ (seed >> 32)));
  content_->later = std::move(later);
  content_->make_id();
}

opened disk::open() {
  content_->end_life();
  opened result;
  result.id = content_->id;
  result.rows = content_->rows;
  for (auto& kept : content_->records) {
    auto& x = result.records.emplace_back();
    x.set_key(std::string{kept.key()});
    x.set_value(std::string{kept.value()});
  }
  result.start = [content = content_, life = content_->life](sink& owner) {
    if (content->life == life) {
      content->owner = &owner;
      if (content->full)
        content->tell_health();
    }
    return std::unique_ptr<store>(std::make_unique<writer>(content, life));
  };
  return result;
}

void disk::crash() {
  content_->end_life();
}

void disk::wipe() {
  content_->end_life();
  content_->records.clear();
  content_->rows->store(0);
  content_->make_id();
}

disk::copy disk::copied() const {
  return {content_->id, content_->records, content_->rows->load()};
}

void disk::put_back(const copy& x) {
  content_->end_life();
  content_->id = x.id;
  content_->records = x.records;
  content_->rows->store(x.rows);
}

void disk::set_full(bool x) {
  if (content_->full == x)
    return;
  content_->full = x;
  content_->ballast = ballast_batches;
  content_->tell_health();
}

const std::string& disk::id() const {
  return content_->id;
}

void disk::set_watcher(watcher x) {
  content_->watch = std::move(x);
}

const record_table& disk::records() const {
  return content_->records;
}

} // namespace legion::store::memory
