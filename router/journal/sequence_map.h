#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <vector>

#include "router/journal/records.h"

namespace dr::journal {

/// Values by their member `instance`, in its order. They stand in chunks of some hundred, so that
/// each of a million costs little more than its own size. A reference lives until the next insert
/// or erase. Not thread-safe.
template <class T>
class SequenceMap {
 public:
  std::size_t size() const { return size_; }

  T* find(Sequence instance) {
    const auto chunk = chunk_of(instance);
    if (chunk == chunks_.end()) return nullptr;
    const auto at = lower_bound(chunk->second, instance);
    return at != chunk->second.end() && at->instance == instance ? &*at : nullptr;
  }
  const T* find(Sequence instance) const { return const_cast<SequenceMap*>(this)->find(instance); }

  /// There must be none with this instance yet.
  T& insert(T value) {
    ++size_;
    const Sequence instance = value.instance;
    auto chunk = chunk_of(instance);
    const bool at_end = chunk != chunks_.end() && std::next(chunk) == chunks_.end() &&
                        chunk->second.back().instance < instance;
    if (chunk == chunks_.end() || (at_end && chunk->second.size() >= kChunk)) {
      std::vector<T>& fresh = chunks_[instance];
      return fresh.emplace_back(std::move(value));
    }
    if (chunk->second.size() >= kChunk) {
      split(chunk);
      chunk = chunk_of(instance);
    }
    std::vector<T>& list = chunk->second;
    return *list.insert(lower_bound(list, instance), std::move(value));
  }

  void erase(Sequence instance) {
    const auto chunk = chunk_of(instance);
    if (chunk == chunks_.end()) return;
    std::vector<T>& list = chunk->second;
    const auto at = lower_bound(list, instance);
    if (at == list.end() || at->instance != instance) return;
    list.erase(at);
    --size_;
    if (list.empty()) {
      chunks_.erase(chunk);
    } else if (list.size() < kChunk / 4) {
      merge_with_next(chunk);
    }
  }

  /// Calls `visit(const T&)` for all from `first` on, as long as it answers true.
  template <class Visit>
  void each_from(Sequence first, Visit visit) const {
    auto chunk = chunks_.upper_bound(first);
    if (chunk != chunks_.begin()) --chunk;
    for (; chunk != chunks_.end(); ++chunk) {
      for (auto at = lower_bound(chunk->second, first); at != chunk->second.end(); ++at) {
        if (!visit(*at)) return;
      }
    }
  }

 private:
  using Chunks = std::map<Sequence, std::vector<T>>;  // by a key not above the first
  static constexpr std::size_t kChunk = 256;

  template <class List>
  static auto lower_bound(List& list, Sequence instance) {
    return std::lower_bound(list.begin(), list.end(), instance,
                            [](const T& t, Sequence s) { return t.instance < s; });
  }

  /// The chunk in which `instance` stands, or would: the first one where it is below all.
  typename Chunks::iterator chunk_of(Sequence instance) {
    auto after = chunks_.upper_bound(instance);
    if (after != chunks_.begin()) return std::prev(after);
    if (after == chunks_.end()) return after;
    auto node = chunks_.extract(after);
    node.key() = instance;
    return chunks_.insert(std::move(node)).position;
  }

  void split(typename Chunks::iterator chunk) {
    std::vector<T>& list = chunk->second;
    const auto middle = list.begin() + static_cast<std::ptrdiff_t>(list.size() / 2);
    std::vector<T> upper(std::make_move_iterator(middle), std::make_move_iterator(list.end()));
    list.erase(middle, list.end());
    const Sequence key = upper.front().instance;
    chunks_.emplace(key, std::move(upper));
  }

  /// Where most have gone, what is left moves together.
  void merge_with_next(typename Chunks::iterator chunk) {
    const auto next = std::next(chunk);
    if (next == chunks_.end()) return;
    std::vector<T>& list = chunk->second;
    if (list.size() + next->second.size() <= kChunk / 2) {
      std::vector<T> both;
      both.reserve(list.size() + next->second.size());
      std::move(list.begin(), list.end(), std::back_inserter(both));
      std::move(next->second.begin(), next->second.end(), std::back_inserter(both));
      list = std::move(both);
      chunks_.erase(next);
    } else if (list.capacity() > 4 * list.size()) {
      list.shrink_to_fit();
    }
  }

  Chunks chunks_;
  std::size_t size_ = 0;
};

}  // namespace dr::journal
