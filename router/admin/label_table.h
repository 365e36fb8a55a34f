#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace dr::admin {

/// What was counted under a label's value, found without a lock: values are added and never taken
/// away, and they are few. Above Capacity / 2 of them everything new counts as "other", so that no
/// mistake elsewhere can fill the memory or the metrics of a node. Any thread.
template <class T, std::size_t Capacity>
class LabelTable {
  static_assert((Capacity & (Capacity - 1)) == 0, "slots are chosen by masking the hash");

 public:
  /// `make(value)` is called once for each new value, with the table's lock held.
  template <class Make>
  T& get(std::string_view value, const Make& make) {
    const auto hash = std::hash<std::string_view>{}(value);
    if (auto* found = find(value, hash)) return found->what;
    const std::lock_guard lock(mutex_);
    if (auto* found = find(value, hash)) return found->what;  // another thread was first
    if (owned_.size() >= Capacity / 2) {
      if (!other_) other_ = std::make_unique<Entry>("other", make(std::string("other")));
      return other_->what;
    }
    owned_.push_back(std::make_unique<Entry>(std::string(value), make(std::string(value))));
    auto slot = hash & (Capacity - 1);
    while (slots_[slot].load(std::memory_order_relaxed) != nullptr) {
      slot = (slot + 1) & (Capacity - 1);
    }
    slots_[slot].store(owned_.back().get(), std::memory_order_release);
    return owned_.back()->what;
  }

 private:
  struct Entry {
    Entry(std::string v, T w) : value(std::move(v)), what(std::move(w)) {}
    const std::string value;
    T what;
  };

  /// Half of the slots stay empty, so this always ends.
  Entry* find(std::string_view value, std::size_t hash) const {
    for (auto slot = hash & (Capacity - 1);; slot = (slot + 1) & (Capacity - 1)) {
      auto* entry = slots_[slot].load(std::memory_order_acquire);
      if (entry == nullptr || entry->value == value) return entry;
    }
  }

  std::array<std::atomic<Entry*>, Capacity> slots_{};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Entry>> owned_;
  std::unique_ptr<Entry> other_;
};

}  // namespace dr::admin
