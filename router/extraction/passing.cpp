#include "router/extraction/passing.h"

#include <string_view>

#include "dimse/base/log.h"
#include "router/extraction/heads.h"

namespace dr::extraction {
namespace {

constexpr std::string_view kRtStructureSetStorage = "1.2.840.10008.5.1.4.1.1.481.3";
constexpr std::string_view kRtPlanStorage = "1.2.840.10008.5.1.4.1.1.481.5";
constexpr std::string_view kRtDoseStorage = "1.2.840.10008.5.1.4.1.1.481.2";

/// An object that the journal can not give any more, or not as it came: there is nothing to wait
/// for.
bool is_gone(const Error& error) {
  return error.code == Errc::kNotFound || error.code == Errc::kCorrupt;
}

}  // namespace

Result<void> Passing::note(journal::Sequence sequence, const journal::ObjectRecord& object,
                           bool note_others) {
  if (object.sop_class_uid == kRtStructureSetStorage) {
    return object.extract ? structure_set(sequence, object) : Result<void>();
  }
  if (!note_others) return {};
  if (object.sop_class_uid == kRtDoseStorage) return link(sequence, object, true);
  if (object.sop_class_uid == kRtPlanStorage) return link(sequence, object, false);
  return instance(sequence, object);
}

Result<void> Passing::structure_set(journal::Sequence sequence,
                                    const journal::ObjectRecord& object) {
  Job job;
  job.instance = sequence;
  job.sop_instance_uid = object.sop_instance_uid;
  job.transfer_syntax_uid = object.transfer_syntax_uid;
  job.patient_key = object.patient_key;
  job.received = object.received;
  auto kept = inputs_.keep(journal_, sequence);
  if (!kept && kept.error().code == Errc::kNotFound) {  // finished before extraction was there
    log::event(log::Level::kWarning, "extraction.too_late", {{"sequence", value(sequence)}});
    return {};
  }
  if (!kept && kept.error().code != Errc::kCorrupt) return kept;
  if (!kept) job.reason = "damaged in the journal";
  if (auto put = store_.put(job); !put) return put;
  told_.structure_set(std::move(job));
  return {};
}

Result<void> Passing::link(journal::Sequence sequence, const journal::ObjectRecord& object,
                           bool dose) {
  Linked linked{object.sop_instance_uid,    sequence, dose,
                object.transfer_syntax_uid, {},       object.patient_key};
  auto links = read_links(journal_, sequence, object.transfer_syntax_uid);
  if (!links) return is_gone(links.error()) ? Result<void>() : std::move(links).error();
  linked.links = *std::move(links);
  if (dose) {
    if (auto kept = inputs_.keep(journal_, sequence); !kept) {
      return is_gone(kept.error()) ? Result<void>() : kept;
    }
  }
  if (auto added = store_.add_linked(linked, object.received); !added) return added;
  return told_.linked(linked);
}

Result<void> Passing::instance(journal::Sequence sequence, const journal::ObjectRecord& object) {
  const auto slice = read_slice(journal_, sequence, object.transfer_syntax_uid);
  if (!slice && !is_gone(slice.error())) return slice.error();
  const auto added = store_.add_instance(object.sop_instance_uid, slice ? *slice : std::nullopt,
                                         object.patient_key, object.received);
  if (added) told_.instance(object.sop_instance_uid);
  return added;
}

}  // namespace dr::extraction
