#include "router/delivery/engine.h"

#include <utility>

#include "router/delivery/dimse_destination.h"
#include "router/delivery/folder_destination.h"
#include "router/delivery/follower.h"
#include "router/delivery/http_destination.h"
#include "router/delivery/operations.h"

namespace dr::delivery {
namespace {

std::shared_ptr<Destination> make_destination(std::shared_ptr<Core> core,
                                              DestinationSettings settings) {
  switch (settings.kind) {
    case Kind::kFolder:
      return std::make_shared<FolderDestination>(std::move(core), std::move(settings));
    case Kind::kOrthanc:
      return std::make_shared<OrthancDestination>(std::move(core), std::move(settings));
    case Kind::kStow:
      return std::make_shared<StowDestination>(std::move(core), std::move(settings));
    case Kind::kDimse:
      break;
  }
  return std::make_shared<DimseDestination>(std::move(core), std::move(settings));
}

Follower::Destinations make_destinations(const std::shared_ptr<Core>& core,
                                         std::vector<DestinationSettings> settings) {
  Follower::Destinations destinations;
  for (DestinationSettings& each : settings) {
    destinations.push_back(make_destination(core, std::move(each)));
  }
  return destinations;
}

}  // namespace

class DeliveryEngine::Impl {
 public:
  Impl(EngineContext context, std::vector<DestinationSettings> settings)
      : core_(std::make_shared<Core>(std::move(context))),
        destinations_(make_destinations(core_, std::move(settings))),
        follower_(core_, destinations_),
        operations_(core_, destinations_) {}

  void start() {
    started_ = true;
    operations_.start();
    for (const auto& destination : destinations_) destination->start();
    follower_.start();
  }

  void stop(std::chrono::milliseconds grace) {
    if (!std::exchange(started_, false)) return;
    const auto deadline = std::chrono::steady_clock::now() + grace;
    follower_.stop();
    for (const auto& destination : destinations_) destination->begin_stop();
    for (const auto& destination : destinations_) destination->finish_stop(deadline);
    core_->disk.join();
  }

  /// Adds what `filter` selects behind `after`, until there are `limit`.
  void list(const Destination& destination, const QueueFilter& filter, journal::Sequence after,
            std::size_t limit, std::vector<QueueItem>& items) const {
    while (items.size() < limit) {
      auto page = destination.list(filter.state, after, limit - items.size());
      if (page.empty()) return;
      after = page.back().sequence;
      for (QueueItem& item : page) {
        const auto record = core_->context.journal.read(item.sequence);
        const auto object = record ? journal::decode_object(record->head)
                                   : Result<journal::ObjectRecord>(record.error());
        if (object) item.sop_instance_uid = object->sop_instance_uid.str();
        const bool wanted = object ? filter.has_uids_of(*object) : !filter.by_uid();
        if (wanted) items.push_back(std::move(item));
      }
    }
  }

  std::shared_ptr<Core> core_;
  Follower::Destinations destinations_;
  Follower follower_;
  Operations operations_;
  bool started_ = false;
};

DeliveryEngine::DeliveryEngine(EngineContext context, std::vector<DestinationSettings> destinations)
    : impl_(std::make_unique<Impl>(std::move(context), std::move(destinations))) {}

DeliveryEngine::~DeliveryEngine() { stop(std::chrono::milliseconds(0)); }

void DeliveryEngine::start() { impl_->start(); }

void DeliveryEngine::advanced(journal::Sequence watermark) { impl_->follower_.advanced(watermark); }

void DeliveryEngine::damaged(journal::Sequence record, const Error& why) {
  impl_->follower_.damaged(record, why);
}

void DeliveryEngine::stop(std::chrono::milliseconds deadline) { impl_->stop(deadline); }

bool QueueFilter::has_uids_of(const journal::ObjectRecord& record) const {
  return (!object || *object == record.sop_instance_uid) &&
         (!series || *series == record.series_instance_uid) &&
         (!study || *study == record.study_instance_uid);
}

std::vector<QueueItem> DeliveryEngine::queue_list(const QueueFilter& filter, std::size_t limit,
                                                  const std::optional<QueuePosition>& after) const {
  std::vector<QueueItem> items;
  bool behind = !after;
  for (const auto& destination : impl_->destinations_) {
    const bool stopped_here = after && after->destination == destination->name();
    const bool chosen = filter.destination.empty() || filter.destination == destination->name();
    if ((behind || stopped_here) && chosen) {
      impl_->list(*destination, filter, stopped_here ? after->sequence : journal::Sequence::kNone,
                  limit, items);
    }
    behind = behind || stopped_here;
  }
  return items;
}

std::vector<DestinationStatus> DeliveryEngine::status() const {
  std::vector<DestinationStatus> all;
  for (const auto& destination : impl_->destinations_) all.push_back(destination->status());
  return all;
}

Result<OperationReport> DeliveryEngine::operate(const OperationRequest& request) {
  return impl_->operations_.operate(request);
}

std::uint64_t DeliveryEngine::orphans() const { return impl_->follower_.orphans(); }

}  // namespace dr::delivery
