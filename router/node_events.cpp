#include "router/node_events.h"

#include <utility>

#include "dimse/base/log.h"
#include "dimse/service/listener.h"

namespace dr {

void NodeEvents::attach(journal::Journal& journal, Hooks hooks) {
  journal_ = &journal;
  hooks_ = std::move(hooks);
  attached_.store(true);
}

void NodeEvents::advanced(journal::Sequence watermark) {
  if (!attached_.load()) return;
  for (const Wake& wake : hooks_.advanced) wake(watermark);
}

void NodeEvents::synced(const journal::SyncStats& stats) {
  metrics_.synced(stats);
  if (attached_.load()) hooks_.synced(stats);
}

void NodeEvents::damaged(journal::Sequence record, const Error& why) {
  if (attached_.load()) hooks_.damaged(record, why);
}

void NodeEvents::fenced(const Error& why) {
  metrics_.fenced();
  log::event(log::Level::kError, "journal.fenced", {{"error", why.to_string()}});
}

std::uint64_t NodeEvents::next_association_number() { return service::next_association_number(); }

void NodeEvents::association_ended(const journal::AssociationRecord& record) {
  log::event(log::Level::kInfo, "association.out",
             {{"association", record.number},
              {"destination", record.listener_or_destination},
              {"outcome", record.outcome},
              {"reason", record.reason},
              {"objects", record.objects},
              {"octets", record.octets}});
  if (!attached_.load()) return;
  journal::AssociationRecord complete = record;
  complete.process_start = process_start_;
  if (const auto appended = journal_->append(complete); !appended) {
    log::event(log::Level::kError, "audit.lost",
               {{"association", record.number}, {"error", appended.error().to_string()}});
  }
}

void NodeEvents::attempted(const delivery::AttemptReport& report) {
  metrics_.delivery_ended(report);
  const journal::OutcomeRecord& outcome = report.outcome;
  const bool done = journal::is_final(outcome.state);
  log::event(done ? log::Level::kDebug : log::Level::kWarning, "delivery.attempted",
             {{"sequence", value(outcome.instance)},
              {"destination", outcome.destination},
              {"state", journal::name(outcome.state)},
              {"outcome", outcome.outcome},
              {"status", outcome.status},
              {"attempt", outcome.attempt}});
}

void NodeEvents::queued(const std::string& /*destination*/, journal::Sequence /*instance*/) {}

void NodeEvents::destination_changed(const std::string& destination, bool up,
                                     const std::string& reason) {
  log::event(up ? log::Level::kInfo : log::Level::kWarning,
             up ? "destination.up" : "destination.down",
             {{"destination", destination}, {"reason", reason}});
}

}  // namespace dr
