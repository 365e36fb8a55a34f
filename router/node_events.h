#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "router/admin/metrics.h"
#include "router/delivery/observer.h"
#include "router/journal/journal.h"

namespace dr {

/// What happens inside the node, made visible: to logs, metrics and association records; and the
/// journal's consumers are woken. Lives as long as the node.
class NodeEvents final : public journal::Listener, public delivery::Observer {
 public:
  NodeEvents(admin::Metrics& metrics, std::uint64_t process_start)
      : metrics_(metrics), process_start_(process_start) {}

  using Wake = std::function<void(journal::Sequence)>;
  struct Hooks {
    std::vector<Wake> advanced;
    std::function<void(const journal::SyncStats&)> synced;
    std::function<void(journal::Sequence, const Error&)> damaged;
  };
  /// From now on what the journal tells goes to `hooks`, and records to `journal`; called once.
  void attach(journal::Journal& journal, Hooks hooks);
  /// From now on nobody is woken. Calls that are under way may still end.
  void detach() { attached_.store(false); }

  // journal::Listener, on the writer's thread
  void advanced(journal::Sequence watermark) override;
  void synced(const journal::SyncStats& stats) override;
  void fenced(const Error& why) override;
  void damaged(journal::Sequence record, const Error& why) override;  // on any thread

  // delivery::Observer
  std::uint64_t next_association_number() override;
  void association_ended(const journal::AssociationRecord& record) override;
  void attempted(const delivery::AttemptReport& report) override;
  void queued(const std::string& destination, journal::Sequence instance) override;
  void destination_changed(const std::string& destination, bool up,
                           const std::string& reason) override;

 private:
  admin::Metrics& metrics_;
  const std::uint64_t process_start_;
  journal::Journal* journal_ = nullptr;
  Hooks hooks_;
  std::atomic<bool> attached_{false};
};

}  // namespace dr
