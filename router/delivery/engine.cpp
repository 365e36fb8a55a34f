#include "router/delivery/engine.h"

#include <utility>

#include "router/delivery/dimse_destination.h"
#include "router/delivery/folder_destination.h"
#include "router/delivery/follower.h"
#include "router/delivery/http_destination.h"

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
        follower_(core_, destinations_) {}

  void start() {
    started_ = true;
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

  std::shared_ptr<Core> core_;
  Follower::Destinations destinations_;
  Follower follower_;
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

std::vector<QueueItem> DeliveryEngine::queue_list(const QueueFilter& filter, std::size_t limit,
                                                  const std::optional<QueuePosition>& after) const {
  std::vector<QueueItem> items;
  bool behind = !after;
  for (const auto& destination : impl_->destinations_) {
    const bool stopped_here = after && after->destination == destination->name();
    const bool chosen = filter.destination.empty() || filter.destination == destination->name();
    if ((behind || stopped_here) && chosen && items.size() < limit) {
      auto more =
          destination->list(filter.state, stopped_here ? after->sequence : journal::Sequence::kNone,
                            limit - items.size());
      items.insert(items.end(), std::make_move_iterator(more.begin()),
                   std::make_move_iterator(more.end()));
    }
    behind = behind || stopped_here;
  }
  for (QueueItem& item : items) {
    const auto record = impl_->core_->context.journal.read(item.sequence);
    if (!record) continue;
    const auto object = journal::decode_object(record->head);
    if (object) item.sop_instance_uid = object->sop_instance_uid.str();
  }
  return items;
}

std::vector<DestinationStatus> DeliveryEngine::status() const {
  std::vector<DestinationStatus> all;
  for (const auto& destination : impl_->destinations_) all.push_back(destination->status());
  return all;
}

std::uint64_t DeliveryEngine::orphans() const { return impl_->follower_.orphans(); }

}  // namespace dr::delivery
