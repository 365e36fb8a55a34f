#include "router/delivery/operations.h"

#include <algorithm>
#include <utility>

#include "dimse/base/log.h"
#include "router/delivery/reroute.h"

namespace dr::delivery {

using journal::DeliveryState;
using journal::Sequence;
using Op = OperationRequest::Kind;

namespace {

constexpr std::size_t kSlice = 4096;
constexpr std::chrono::milliseconds kDurable{30'000};

/// Calls `act` for slices of `all`, until one fails.
template <class Act>
Result<void> in_slices(std::span<const Sequence> all, Act act) {
  for (std::size_t at = 0; at < all.size(); at += kSlice) {
    const auto slice = all.subspan(at, std::min(kSlice, all.size() - at));
    if (Result<void> done = act(slice); !done) return done;
  }
  return {};
}

Error halted() {
  return {Errc::kFenced, "the journal takes no outcomes: nothing more was changed"};
}

/// What a retry changes: what is held, and what waits after an attempt or a fault.
bool may_retry(const Delivery& delivery) {
  return delivery.state != DeliveryState::kDamaged &&
         (delivery.state == DeliveryState::kHeld || delivery.attempts > 0 || delivery.reason != 0);
}

Result<journal::ObjectRecord> read_object(journal::Journal& journal, Sequence instance) {
  const auto record = journal.read(instance);
  if (!record) return record.error();
  return journal::decode_object(record->head);
}

std::string target(const Selection& selection) {
  std::string text;
  const auto add = [&](const char* what, std::string_view value) {
    if (value.empty()) return;
    if (!text.empty()) text += ' ';
    text += what;
    text += '=';
    text += value;
  };
  add("destination", selection.destination);
  if (selection.state) add("state", journal::name(*selection.state));
  if (selection.unrouted) add("state", "unrouted");
  if (selection.object) add("object", selection.object->view());
  if (selection.series) add("series", selection.series->view());
  if (selection.study) add("study", selection.study->view());
  return text.empty() ? "all" : text;
}

std::string detail(const OperationReport& report) {
  std::string text = "affected=" + std::to_string(report.affected);
  const auto add = [&](const char* what, std::uint64_t count) {
    if (count > 0) text += std::string(" ") + what + "=" + std::to_string(count);
  };
  add("damaged", report.damaged);
  add("unchanged", report.unchanged);
  add("unmatched", report.unmatched);
  add("busy", report.busy);
  return text;
}

std::string needs_selection(Op kind) {
  return std::string(name(kind)) +
         " needs a selection: a destination, a state, an object, series or study";
}

bool nothing(const OperationReport& report) {
  return report.affected + report.damaged + report.unchanged + report.unmatched + report.busy == 0;
}

}  // namespace

std::string_view name(Op kind) {
  switch (kind) {
    case Op::kRetry:
      return "retry";
    case Op::kDrop:
      return "drop";
    case Op::kPause:
      return "pause";
    case Op::kResume:
      return "resume";
    case Op::kReroute:
      return "reroute";
  }
  return "";
}

Operations::Operations(std::shared_ptr<Core> core, const Destinations& destinations)
    : core_(std::move(core)), destinations_(destinations), paused_(core_->context.spool) {}

void Operations::start() {
  const auto read = paused_.read();
  if (!read) {
    log::event(log::Level::kError, "delivery.paused_unreadable",
               {{"error", read.error().to_string()}});
    std::set<std::string> all;
    for (const auto& destination : destinations_) all.insert(destination->name());
    paused_.assume(std::move(all));
  }
  for (const auto& destination : destinations_) {
    if (paused_.names().contains(destination->name())) destination->pause(true);
  }
}

bool Operations::configured(const std::string& name) const {
  return std::ranges::any_of(destinations_, [&](const auto& d) { return d->name() == name; });
}

Result<OperationReport> Operations::operate(const OperationRequest& request) {
  const std::scoped_lock lock(mutex_);
  auto report = [&]() -> Result<OperationReport> {
    switch (request.kind) {
      case Op::kRetry:
        return retry(request);
      case Op::kDrop:
        return drop(request);
      case Op::kPause:
      case Op::kResume:
        return pause(request);
      case Op::kReroute:
        if (request.selection.empty()) return Error{Errc::kInvalid, needs_selection(request.kind)};
        return reroute(*core_, destinations_, request);
    }
    return Error{Errc::kInvalid, "no such operation"};
  }();
  if (!report) return report;
  if (request.selection.by_uid() && nothing(*report)) {
    return Error{Errc::kNotFound, "nothing that is open and selected has this UID"};
  }
  if (request.dry_run) return report;
  if (auto recorded = record(request, *report); !recorded) return std::move(recorded).error();
  return report;
}

Result<void> Operations::record(const OperationRequest& request, const OperationReport& report) {
  journal::OperatorRecord record;
  record.time = core_->now_utc();
  record.who = request.who;
  record.action = name(request.kind);
  record.target = target(request.selection);
  record.detail = detail(report);
  if (report.stopped) record.detail += " stopped: " + report.stopped->to_string();
  if (auto appended = core_->context.journal.append(record); !appended) return appended;
  log::event(log::Level::kInfo, "operator.action",
             {{"who", request.who},
              {"action", name(request.kind)},
              {"destination", request.selection.destination},
              {"affected", report.affected}});
  if (core_->context.journal.flush(kDurable)) return {};
  return Error{Errc::kTimeout, "it is done, but the disk has not confirmed it yet"};
}

std::vector<Sequence> Operations::chosen(const Destination& destination,
                                         const OperationRequest& request, bool gathered,
                                         const Which& which) const {
  const Selection& selection = request.selection;
  if (!selection.destination.empty() && selection.destination != destination.name()) return {};
  if (selection.unrouted) return {};
  auto found = destination.select(gathered, [&](const Delivery& delivery) {
    return which(delivery) && (!selection.state || delivery.state == *selection.state);
  });
  if (!selection.by_uid()) return found;
  // What can not be read has no UID that it could be known by.
  std::erase_if(found, [&](Sequence instance) {
    const auto object = read_object(core_->context.journal, instance);
    return !object || !selection.has_uids_of(*object);
  });
  return found;
}

Result<OperationReport> Operations::retry(const OperationRequest& request) {
  OperationReport report;
  for (const auto& destination : destinations_) {
    if (auto done = retry_all(*destination, request, report); !done) {
      report.stopped = done.error();
      break;
    }
  }
  return report;
}

Result<void> Operations::retry_all(Destination& destination, const OperationRequest& request,
                                   OperationReport& report) {
  const auto found = chosen(destination, request, false, may_retry);
  if (request.dry_run) {
    report.affected += found.size();
    return {};
  }
  if (found.empty()) return {};
  const std::string comment = "by " + request.who;
  auto done = in_slices(found, [&](std::span<const Sequence> slice) -> Result<void> {
    const auto taken = destination.withdraw(slice, false, may_retry);
    for (std::size_t i = 0; i < taken.size(); ++i) {
      const Delivery& delivery = taken[i].delivery;
      const auto object = read_object(core_->context.journal, delivery.instance);
      if (!object) {
        const Errc code = object.error().code;
        if (code != Errc::kCorrupt && code != Errc::kNotFound) {
          destination.restore(std::span(taken).subspan(i));
          return object.error();
        }
        destination.add_damaged(delivery, object.error());
        ++report.damaged;
      } else if (destination.retry(taken[i], *object, comment)) {
        ++report.affected;
      } else {
        destination.restore(std::span(taken).subspan(i + 1));
        return halted();
      }
    }
    destination.work();
    return {};
  });
  destination.ask_now();
  return done;
}

Result<OperationReport> Operations::drop(const OperationRequest& request) {
  OperationReport report;
  if (request.selection.empty()) {
    return Error{Errc::kInvalid, needs_selection(request.kind)};
  }
  for (const auto& destination : destinations_) {
    if (auto done = drop_all(*destination, request, report); !done) {
      report.stopped = done.error();
      return report;
    }
  }
  if (auto done = drop_unqueued(request, report); !done) report.stopped = done.error();
  return report;
}

Result<void> Operations::drop_all(Destination& destination, const OperationRequest& request,
                                  OperationReport& report) {
  const auto any = [](const Delivery&) { return true; };
  const auto found = chosen(destination, request, true, any);
  if (request.dry_run) {
    report.affected += found.size();
    return {};
  }
  const std::string reason = "by " + request.who;
  return in_slices(found, [&](std::span<const Sequence> slice) -> Result<void> {
    const auto taken = destination.withdraw(slice, true, [&](const Delivery& delivery) {
      return !request.selection.state || delivery.state == *request.selection.state;
    });
    for (std::size_t i = 0; i < taken.size(); ++i) {
      if (!destination.settle_withdrawn(taken[i], DeliveryState::kDropped, reason)) {
        destination.restore(std::span(taken).subspan(i + 1));
        return halted();
      }
      ++report.affected;
    }
    return {};
  });
}

/// What stands in no queue: objects that no rule matched, and deliveries to what is no longer
/// configured.
Result<void> Operations::drop_unqueued(const OperationRequest& request, OperationReport& report) {
  const Selection& selection = request.selection;
  if (!selection.destination.empty()) return {};
  journal::Journal& journal = core_->context.journal;
  const auto drop_one = [&](Sequence instance, const std::string& destination,
                            std::uint32_t attempts) -> Result<void> {
    if (selection.by_uid()) {
      const auto object = read_object(journal, instance);
      if (!object || !selection.has_uids_of(*object)) return {};
    }
    if (!request.dry_run) {
      journal::OutcomeRecord outcome;
      outcome.instance = instance;
      outcome.destination = destination;
      outcome.state = DeliveryState::kDropped;
      outcome.attempt = attempts;
      outcome.started = outcome.finished = core_->now_utc();
      outcome.outcome = journal::name(outcome.state);
      outcome.reason = "by " + request.who;
      if (auto appended = journal.append(outcome); !appended) return appended;
    }
    ++report.affected;
    return {};
  };
  if (!selection.state) {
    for (Sequence after{};;) {
      const auto some = journal.unrouted(after, kSlice);
      if (some.empty()) break;
      for (const Sequence instance : some) {
        if (auto done = drop_one(instance, "", 0); !done) return done;
      }
      after = some.back();
    }
  }
  if (selection.unrouted) return {};
  for (Sequence after{};;) {
    const auto some = journal.open_deliveries(after, kSlice);
    if (some.empty()) return {};
    for (const journal::OpenDelivery& open : some) {
      if (configured(open.destination)) continue;
      if (selection.state && open.state != *selection.state) continue;
      if (auto done = drop_one(open.instance, open.destination, open.attempts); !done) return done;
    }
    after = some.back().instance;
  }
}

Result<OperationReport> Operations::pause(const OperationRequest& request) {
  const Selection& selection = request.selection;
  if (selection.state || selection.unrouted || selection.by_uid()) {
    return Error{Errc::kInvalid, "a destination is paused and resumed as a whole"};
  }
  if (selection.destination.empty()) {
    return Error{Errc::kInvalid, std::string(name(request.kind)) + " needs a destination"};
  }
  const bool paused = request.kind == Op::kPause;
  OperationReport report;
  for (const auto& destination : destinations_) {
    if (destination->name() != selection.destination) continue;
    if (destination->status().paused != paused) ++report.affected;
    if (request.dry_run) continue;
    if (auto kept = paused_.set(destination->name(), paused); !kept) return std::move(kept).error();
    destination->pause(paused);
  }
  return report;
}

}  // namespace dr::delivery
