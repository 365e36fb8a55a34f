#include "router/extraction_node.h"

#include <utility>

#include "dimse/base/log.h"
#include "dimse/encoding/header_scanner.h"
#include "router/admin/trace_json.h"
#include "router/decided.h"

namespace dr {

void describe_made(const Maker& maker, ByteSpan data_set, journal::ObjectRecord& record) {
  namespace tags = encoding::tags;
  encoding::HeaderScanner header(maker.rules.scan_plan(), record.transfer_syntax_uid);
  header.feed(data_set);
  header.finish();
  record.received = maker.clock.now_utc();
  record.node = maker.node;
  record.process_start = maker.process_start;
  record.calling_ae_title = record.called_ae_title = maker.ae_title;
  record.study_instance_uid = uid_of(header, tags::kStudyInstanceUid);
  record.series_instance_uid = uid_of(header, tags::kSeriesInstanceUid);
  record.modality = log::escape(text_of(header, tags::kModality), 16);
  record.patient_key = maker.patient_key.of(text_of(header, tags::kPatientId));
  const std::string nobody;
  decide(maker.rules,
         {record.calling_ae_title, record.called_ae_title, nobody, record.listener, nobody, nobody,
          record.sop_class_uid, record.transfer_syntax_uid, record.received, header},
         record, maker.metrics);
}

admin::StructureSetAnswer answer_of(extraction::Told told) {
  const auto time = [](UtcMicros at) {
    return at == UtcMicros{} ? nlohmann::json() : nlohmann::json(admin::utc_text(at));
  };
  admin::StructureSetAnswer answer;
  answer.document = std::move(told.json);
  answer.extraction = {{"state", told.state},
                       {"reason", told.reason},
                       {"attempts", told.attempts},
                       {"sequence", told.sequence},
                       {"received", time(told.received)},
                       {"started", time(told.started)},
                       {"finished", time(told.finished)},
                       {"deadline", time(told.deadline)}};
  answer.ended = told.state == "done" || told.state == "failed" || told.state == "held";
  return answer;
}

}  // namespace dr
