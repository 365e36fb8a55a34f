#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "router/journal/journal.h"
#include "router/journal/log_format.h"

namespace dr::journal {

/// The consumers' places, each a small file `cursors/<hexadecimal name>`: magic, epoch, sequence,
/// checksum. Written aside, synced and renamed, so that a crash leaves the old or the new one; an
/// old one only repeats. Thread-safe.
class CursorStore {
 public:
  /// `changed` is called from any thread when the first advance since the last store() happens.
  CursorStore(FileSystem& files, std::function<void()> changed);

  /// Reads what is there. kFenced: a cursor stands beyond `tail`, so the journal has lost records
  /// that were durable. A file that is damaged starts from the beginning again, with a finding.
  Result<void> load(Sequence tail, std::vector<std::string>& findings);
  Cursor& get(const std::string& name, Epoch epoch);
  void drop(const std::string& name);
  /// Writes those that have advanced.
  Result<void> store(Epoch epoch);
  /// What every cursor has passed; nullopt without cursors.
  std::optional<Sequence> lowest() const;
  bool dirty() const { return dirty_.load(std::memory_order_acquire); }

 private:
  class Place final : public Cursor {
   public:
    Place(CursorStore& store, std::string name, Sequence position)
        : store_(store), name_(std::move(name)), position_(value(position)) {}
    const std::string& name() const override { return name_; }
    Sequence position() const override { return Sequence{position_.load()}; }
    void advance(Sequence done) override;

   private:
    friend class CursorStore;
    CursorStore& store_;
    const std::string name_;
    std::atomic<std::uint64_t> position_;
    std::uint64_t stored_ = ~0ULL;
    bool dropped_ = false;
  };

  Result<void> write(Place& place, Epoch epoch);

  FileSystem& files_;
  std::function<void()> changed_;
  std::atomic<bool> dirty_{false};
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Place>> places_;
};

}  // namespace dr::journal
