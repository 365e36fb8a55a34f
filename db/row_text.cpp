#include "db/row_text.h"

#include <type_traits>

#include "db/text.h"

namespace dr::db {
namespace {

/// Hands every text of a row, or of a const one, to `f` as (text, limit) until it says false.
template <class F>
class EachText {
 public:
  explicit EachText(F f) : f_(f) {}

  bool operator()(auto& row) { return key(row.key) && codes(row.seal) && texts(row); }

 private:
  template <class R, class T>
  static constexpr bool kIs = std::is_same_v<std::remove_const_t<R>, T>;

  bool key(auto& key) { return names(key.node) && f_(key.spool_id, TextLimit::kSpoolId); }
  bool uids(auto&... t) { return (f_(t, TextLimit::kUid) && ...); }
  bool codes(auto&... t) { return (f_(t, TextLimit::kCode) && ...); }
  bool names(auto&... t) { return (f_(t, TextLimit::kName) && ...); }
  bool lines(auto&... t) { return (f_(t, TextLimit::kLine) && ...); }
  bool long_texts(auto&... t) { return (f_(t, TextLimit::kText) && ...); }

  template <class R>
  bool texts(R& r) {
    if constexpr (kIs<R, AssociationRow>) {
      return codes(r.peer_address, r.outcome) &&
             names(r.listener_or_destination, r.calling_ae_title, r.called_ae_title) &&
             lines(r.tls_subject, r.implementation, r.reason);
    } else if constexpr (kIs<R, InstanceRow>) {
      return uids(r.sop_instance_uid, r.sop_class_uid, r.transfer_syntax_uid, r.study_instance_uid,
                  r.series_instance_uid) &&
             codes(r.modality, r.peer_address, r.state, r.rules_sha256) &&
             names(r.listener, r.calling_ae_title, r.called_ae_title) && lines(r.patient_key);
    } else if constexpr (kIs<R, DigestRow>) {
      return codes(r.sha256);
    } else if constexpr (kIs<R, DecisionRow>) {
      return names(r.rule) && lines(r.file) && codes(r.rules_sha256) &&
             long_texts(r.destinations, r.transform);
    } else if constexpr (kIs<R, DeliveryRow>) {
      return names(r.destination) && codes(r.outcome) && lines(r.comment) &&
             uids(r.transfer_syntax_uid);
    } else if constexpr (kIs<R, InstanceStateRow>) {
      return names(r.destination) && codes(r.state) && lines(r.reason);
    } else if constexpr (kIs<R, SecurityEventRow>) {
      return codes(r.kind, r.peer_address) &&
             names(r.listener, r.calling_ae_title, r.called_ae_title) && long_texts(r.detail);
    } else if constexpr (kIs<R, OperatorActionRow>) {
      return names(r.who) && codes(r.action) && lines(r.target) && long_texts(r.detail);
    } else if constexpr (kIs<R, RtStructureSetRow>) {
      return uids(r.sop_instance_uid, r.frame_of_reference_uid, r.referenced_study_instance_uid,
                  r.referenced_series_instance_uid) &&
             names(r.label) && codes(r.reference_verdict, r.outcome) &&
             lines(r.reference_reason, r.reason);
    } else if constexpr (kIs<R, RtRoiRow>) {
      return names(r.name, r.standard_name) &&
             codes(r.interpreted_type, r.generation_algorithm, r.color) &&
             uids(r.frame_of_reference_uid) && lines(r.geometric_types);
    } else if constexpr (kIs<R, RtContourRow>) {
      return codes(r.geometric_type) && uids(r.referenced_sop_instance_uid);
    } else if constexpr (kIs<R, RtFindingRow>) {
      return codes(r.code, r.severity) && long_texts(r.description);
    } else {
      static_assert(kIs<R, RtDvhRow>);
      return uids(r.dose_sop_instance_uid) && codes(r.dose_units, r.dose_type, r.dose_link) &&
             f_(r.curve, TextLimit::kCurve);
    }
  }

  F f_;
};

}  // namespace

bool is_clean(const Row& row) { return std::visit(EachText(is_clean_text), row); }

void clean(Row& row) {
  std::visit(EachText([](std::string& text, std::size_t limit) {
               if (!is_clean_text(text, limit)) text = clean_text(text, limit);
               return true;
             }),
             row);
}

}  // namespace dr::db
