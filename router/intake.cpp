#include "router/intake.h"

#include <utility>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>

#include "dimse/base/log.h"
#include "dimse/message/status.h"
#include "router/decided.h"
#include "router/delivery/decided.h"

namespace dr {
namespace {

using encoding::HeaderScanner;
namespace tags = encoding::tags;
using journal::ObjectRecord;
using journal::Sequence;
namespace status = message::status;
using service::StoreResponse;

/// How much of a large object is gathered before it is handed to a disk thread.
constexpr std::size_t kLargeWrite = 1U << 20;
/// Memory for octets that will not be kept, and for a large object when the pool has no block.
constexpr std::size_t kScratch = 64 * 1024;

StoreResponse refusal(std::uint16_t status, std::string comment) {
  return {status, std::move(comment)};
}

// Both of these are plain functions and take their work by reference: g++ 12 copies what a
// coroutine passes by value in a co_await expression bit by bit, and then destroys it twice.

/// Runs blocking work on a disk thread; comes back on the association's io_context.
template <class Work, class Value = std::invoke_result_t<Work&>>
asio::awaitable<Value> on_disk(const asio::any_io_executor& disk, Work& work) {
  return asio::async_initiate<decltype(asio::use_awaitable), void(Value)>(
      [&disk, &work](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        asio::post(disk, [shared, &work] {
          auto value = std::make_shared<Value>(work());
          asio::post(asio::get_associated_executor(*shared),
                     [shared, value] { (*shared)(std::move(*value)); });
        });
      },
      asio::use_awaitable);
}

/// Hands a record to the journal's writer and waits for the commit point.
template <class Append>
asio::awaitable<Result<Sequence>> committed(Append& append) {
  return asio::async_initiate<decltype(asio::use_awaitable), void(Result<Sequence>)>(
      [&append](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        append([shared](Result<Sequence> outcome) {
          asio::post(
              asio::get_associated_executor(*shared),
              [shared, outcome = std::move(outcome)]() mutable { (*shared)(std::move(outcome)); });
        });
      },
      asio::use_awaitable);
}

class ReceivedObject final : public service::ObjectSink {
 public:
  ReceivedObject(const IntakeContext& context, service::StoreRequest request)
      : context_(context),
        request_(std::move(request)),
        rules_(context.rules.load()),
        header_(rules_->scan_plan(), request_.transfer_syntax_uid),
        chain_(context.blocks) {
    if (const auto why = context_.journal.refusing()) refuse(*why);
  }

  asio::awaitable<MutableByteSpan> buffer() override {
    const std::size_t most = large_ != nullptr ? kLargeWrite : context_.inline_limit;
    if (!refused_ && (!loose_.empty() || chain_.size() >= most)) co_await write_large();
    if (!refused_) {
      given_ = chain_.writable();
      if (given_.empty() && chain_.size() > 0) {  // no memory: what is there goes to disk
        co_await write_large();
        given_ = chain_.writable();
      }
    }
    in_chain_ = !refused_ && !given_.empty();
    if (!in_chain_) {
      if (scratch_.empty()) scratch_.resize(kScratch);
      given_ = scratch_;
    }
    co_return given_;
  }

  void filled(std::size_t n) override {
    octets_ += n;
    const ByteSpan octets = given_.first(n);
    given_ = given_.subspan(n);
    if (refused_) return;
    if (in_chain_) {
      chain_.commit(n);
      chain_.checksum();  // while the octets are still in the cache
    } else {
      loose_ = ByteSpan(scratch_).first(loose_.size() + n);
    }
    if (header_.state() == HeaderScanner::State::kMore) header_.feed(octets);
  }

  asio::awaitable<StoreResponse> finish() override {
    if (!refused_ && (large_ != nullptr || !loose_.empty())) co_await write_large();
    if (refused_) co_return *refused_;
    header_.finish();
    auto record = describe();
    if (!record) co_return refusal_;
    if (record->status != 0) co_return refuse_by_rule(*record);
    if (large_ != nullptr) {
      auto seal = [this] { return large_->seal(); };
      const auto sealed = co_await on_disk(context_.disk, seal);
      if (!sealed) co_return journal_refusal(sealed.error());
    }
    auto append = [this, &record](journal::Journal::Done given) {
      auto done = delivery::counted(*record, context_.routed, std::move(given));
      if (large_ != nullptr) {
        context_.journal.append_large(*std::move(record), std::move(large_), std::move(done));
      } else {
        context_.journal.append_object(*std::move(record), std::move(chain_), std::move(done));
      }
    };
    const auto sequence = co_await committed(append);
    if (!sequence) co_return journal_refusal(sequence.error());
    log::event(log::Level::kDebug, "object.received",
               {{"association", request_.association->number},
                {"sequence", value(*sequence)},
                {"octets", octets_}});
    context_.metrics.object_received(request_.association->listener,
                                     request_.affected_sop_class_uid, octets_);
    co_return StoreResponse{};
  }

 private:
  void refuse(const Error& why) { refused_ = journal_refusal(why); }

  StoreResponse journal_refusal(const Error& why) const {
    log::event(log::Level::kWarning, "object.refused",
               {{"association", request_.association->number}, {"error", why.to_string()}});
    return refusal(status::kOutOfResources,
                   why.code == Errc::kNoSpace ? "out of space" : "storage is not available");
  }

  /// Moves what is in memory into the object's own file, which is made at the first call.
  asio::awaitable<void> write_large() {
    auto parts = chain_.spans();
    if (!loose_.empty()) parts.push_back(loose_);
    auto write = [this, &parts]() -> Result<void> {
      if (large_ == nullptr) {
        auto created = context_.journal.create_large();
        if (!created) return created.error();
        large_ = *std::move(created);
      }
      return large_->write(parts);
    };
    const auto result = co_await on_disk(context_.disk, write);
    chain_.clear();
    loose_ = {};
    if (!result) {
      refuse(result.error());
      large_.reset();
    }
  }

  /// What the journal keeps beside the octets; on nullopt, refusal_ is the answer.
  std::optional<ObjectRecord> describe() {
    const auto& association = *request_.association;
    if (header_.state() == HeaderScanner::State::kFailed) {
      log::event(log::Level::kWarning, "object.unreadable",
                 {{"association", association.number}, {"error", header_.error().to_string()}});
      refusal_ = refusal(status::kCannotUnderstand, "data set can not be parsed");
      return std::nullopt;
    }
    if (uid_of(header_, tags::kSopClassUid) != request_.affected_sop_class_uid ||
        uid_of(header_, tags::kSopInstanceUid) != request_.affected_sop_instance_uid) {
      refusal_ =
          refusal(status::kDataSetDoesNotMatchSopClass, "SOP UIDs of data set and command differ");
      return std::nullopt;
    }
    ObjectRecord record;
    record.received = context_.clock.now_utc();
    record.node = context_.node;
    record.process_start = context_.process_start;
    record.association = association.number;
    record.listener = association.listener;
    record.peer_address = association.peer_address;
    record.calling_ae_title = association.calling_ae_title;
    record.called_ae_title = association.called_ae_title;
    record.message_id = request_.message_id;
    record.sop_class_uid = request_.affected_sop_class_uid;
    record.sop_instance_uid = request_.affected_sop_instance_uid;
    record.transfer_syntax_uid = request_.transfer_syntax_uid;
    record.study_instance_uid = uid_of(header_, tags::kStudyInstanceUid);
    record.series_instance_uid = uid_of(header_, tags::kSeriesInstanceUid);
    record.modality = log::escape(text_of(header_, tags::kModality), 16);
    record.patient_key = context_.patient_key.of(text_of(header_, tags::kPatientId));
    decide(record);
    return record;
  }

  void decide(ObjectRecord& record) const {
    const auto& association = *request_.association;
    dr::decide(
        *rules_,
        {association.calling_ae_title, association.called_ae_title, association.peer_address,
         association.listener, association.tls_subject, association.user,
         request_.affected_sop_class_uid, request_.transfer_syntax_uid, record.received, header_,
         character_set_from(context_.access.settings(), association.calling_ae_title.view(),
                            association.peer_address, association.listener)},
        record, context_.metrics);
  }

  StoreResponse refuse_by_rule(const ObjectRecord& record) {
    StoreResponse response{record.status, "refused by rule"};
    const auto appended = context_.journal.append(journal::RecordType::kRefused, encode(record));
    if (!appended) return journal_refusal(appended.error());
    return response;
  }

  const IntakeContext& context_;
  const service::StoreRequest request_;
  // Scanned and decided by one and the same rule set, whatever is loaded meanwhile.
  const std::shared_ptr<const rules::RuleSet> rules_;
  HeaderScanner header_;
  BlockChain chain_;
  std::unique_ptr<journal::LargeObject> large_;
  Bytes scratch_;
  ByteSpan loose_;  // in scratch_, not yet on disk
  MutableByteSpan given_;
  bool in_chain_ = false;
  std::uint64_t octets_ = 0;
  std::optional<StoreResponse> refused_;
  StoreResponse refusal_;
};

}  // namespace

std::optional<ul::AAssociateRj> Intake::admit(const service::AssociationInfo& peer) {
  // A node that can keep nothing says so before the data is sent: temporary congestion.
  if (context_.journal.refusing()) {
    context_.metrics.association_rejected(peer.listener, "not-ready");
    return ul::AAssociateRj{2, 3, 1};
  }
  auto refused = context_.access.enter(peer);
  if (!refused) return std::nullopt;
  context_.metrics.association_rejected(peer.listener, refused->kind);
  record_security(peer, "association-refused", refused->kind);
  return refused->reject;
}

void Intake::associated(const service::AssociationInfo& peer) {
  context_.metrics.association_opened();
  log::event(log::Level::kInfo, "association.accepted",
             {{"association", peer.number},
              {"listener", peer.listener},
              {"calling", peer.calling_ae_title.view()},
              {"called", peer.called_ae_title.view()},
              {"peer", peer.peer_address}});
}

void Intake::ended(const service::AssociationInfo& peer,
                   const service::AssociationSummary& summary) {
  context_.access.leave(peer.number);
  context_.metrics.association_ended(peer.listener, summary.outcome);
  log::event(log::Level::kInfo, "association.ended",
             {{"association", peer.number},
              {"outcome", summary.outcome},
              {"reason", summary.reason},
              {"objects", summary.objects},
              {"octets", summary.octets}});
  if (summary.hostile) record_security(peer, "hostile-input", summary.reason);
  journal::AssociationRecord record;
  record.process_start = context_.process_start;
  record.number = peer.number;
  record.listener_or_destination = peer.listener;
  record.peer_address = peer.peer_address;
  record.peer_port = peer.peer_port;
  record.calling_ae_title = peer.calling_ae_title;
  record.called_ae_title = peer.called_ae_title;
  record.tls_subject = peer.tls_subject;
  record.implementation = peer.implementation;
  record.started = peer.started;
  record.ended = context_.clock.now_utc();
  record.outcome = summary.outcome;
  record.reason = summary.reason;
  record.objects = summary.objects;
  record.octets = summary.octets;
  if (const auto appended = context_.journal.append(record); !appended) {
    log::event(log::Level::kError, "audit.lost",
               {{"association", peer.number}, {"error", appended.error().to_string()}});
  }
}

std::unique_ptr<service::ObjectSink> Intake::begin_store(service::StoreRequest request) {
  return std::make_unique<ReceivedObject>(context_, std::move(request));
}

void Intake::responded(const service::AssociationInfo& peer, std::uint16_t status, double seconds) {
  context_.metrics.store_response(peer.listener, status, seconds);
}

void Intake::record_security(const service::AssociationInfo& peer, std::string kind,
                             std::string detail) {
  journal::SecurityRecord record;
  record.time = context_.clock.now_utc();
  record.kind = std::move(kind);
  record.listener = peer.listener;
  record.peer_address = peer.peer_address;
  record.calling_ae_title = peer.calling_ae_title.str();
  record.called_ae_title = peer.called_ae_title.str();
  record.detail = std::move(detail);
  if (const auto appended = context_.journal.append(record); !appended) {
    log::event(log::Level::kError, "audit.lost",
               {{"association", peer.number}, {"error", appended.error().to_string()}});
  }
}

}  // namespace dr
