#include "router/journal/records.h"

#include <array>
#include <bit>
#include <limits>
#include <type_traits>

namespace dr::journal {
namespace {

// The first octet of every head. Version 1 knew of a route only destination and priority.
constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kMaxCount = 65'536;

/// Appends fields as FORMAT.md says: numbers little-endian, lengths and counts as varints.
class Encoder {
 public:
  explicit Encoder(Bytes& out) : out_(out) { out_.u8(kVersion); }
  static constexpr std::uint8_t version() { return kVersion; }

  template <std::unsigned_integral T>
  void operator()(const T& value) {
    out_.le(value);
  }
  void operator()(bool value) { out_.u8(value ? 1 : 0); }
  void operator()(std::int32_t value) { out_.le(static_cast<std::uint32_t>(value)); }
  void operator()(double value) { out_.le(std::bit_cast<std::uint64_t>(value)); }
  void operator()(const std::optional<double>& value) {
    (*this)(value.has_value());
    if (value) (*this)(*value);
  }
  void operator()(UtcMicros time) { out_.le(static_cast<std::uint64_t>(to_micros(time))); }
  void operator()(Sequence sequence) { out_.le(value(sequence)); }
  void operator()(DeliveryState state) { out_.u8(static_cast<std::uint8_t>(state)); }
  void operator()(const std::string& text) { string(text); }
  void operator()(const Uid& uid) { string(uid.view()); }
  void operator()(const AeTitle& title) { string(title.view()); }
  template <class T>
  void operator()(const std::vector<T>& list) {
    varint(list.size());
    for (const T& item : list) fields(*this, item);
  }

 private:
  void string(std::string_view text) {
    varint(text.size());
    out_.text(text);
  }
  void varint(std::uint64_t number) {
    for (; number >= 0x80; number >>= 7) out_.u8(static_cast<std::uint8_t>(number | 0x80));
    out_.u8(static_cast<std::uint8_t>(number));
  }

  ByteWriter out_;
};

/// The counterpart. A field that encode can not have written leaves the decoder failed for good.
class Decoder {
 public:
  explicit Decoder(ByteSpan head) : in_(head), version_(in_.u8()) {
    check(version_ >= 1 && version_ <= kVersion);
  }
  std::uint8_t version() const { return version_; }

  bool finished() const { return !failed_ && !in_.failed() && in_.remaining() == 0; }

  template <std::unsigned_integral T>
  void operator()(T& value) {
    value = in_.le<T>();
  }
  void operator()(bool& value) {
    const std::uint8_t octet = in_.u8();
    check(octet <= 1);
    value = octet == 1;
  }
  void operator()(std::int32_t& value) {
    value = static_cast<std::int32_t>(in_.le<std::uint32_t>());
  }
  void operator()(double& value) { value = std::bit_cast<double>(in_.le<std::uint64_t>()); }
  void operator()(std::optional<double>& value) {
    bool there = false;
    (*this)(there);
    if (there) (*this)(value.emplace());
  }
  void operator()(UtcMicros& time) {
    time = from_micros(static_cast<std::int64_t>(in_.le<std::uint64_t>()));
  }
  void operator()(Sequence& sequence) { sequence = Sequence{in_.le<std::uint64_t>()}; }
  void operator()(DeliveryState& state) {
    const std::uint8_t octet = in_.u8();
    check(octet <= static_cast<std::uint8_t>(DeliveryState::kDropped));
    state = static_cast<DeliveryState>(octet);
  }
  void operator()(std::string& text) { text = string(); }
  void operator()(Uid& uid) { parse(uid); }
  void operator()(AeTitle& title) { parse(title); }
  template <class T>
  void operator()(std::vector<T>& list) {
    const std::uint64_t count = varint();
    check(count <= kMaxCount && count <= in_.remaining());  // an item takes at least one octet
    for (std::uint64_t i = 0; i < count && !failed_ && !in_.failed(); ++i) {
      fields(*this, list.emplace_back());
    }
  }

 private:
  void check(bool condition) { failed_ = failed_ || !condition; }

  template <class T>
  void parse(T& into) {
    const std::string_view text = string();
    if (text.empty()) return;
    auto parsed = T::parse(text);
    check(parsed.ok() && parsed->view() == text);
    if (!failed_) into = *parsed;
  }
  std::string_view string() {
    const std::uint64_t length = varint();
    check(length <= in_.remaining());
    return failed_ ? std::string_view{} : in_.text(static_cast<std::size_t>(length));
  }
  std::uint64_t varint() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 63 && !in_.failed(); shift += 7) {
      const std::uint8_t octet = in_.u8();
      number |= std::uint64_t{octet & 0x7fU} << shift;
      if (octet < 0x80) {
        check(octet != 0 || shift == 0);  // the shortest form only
        return number;
      }
    }
    check(false);
    return 0;
  }

  ByteReader in_;
  const std::uint8_t version_;
  bool failed_ = false;
};

// One list of fields for both directions: the order here is the order on disk.

template <class Coder, class Text>
requires std::is_same_v<std::remove_const_t<Text>, std::string>
void fields(Coder& coder, Text& text) { coder(text); }

template <class Coder, class Number>
requires std::is_same_v < std::remove_const_t<Number>,
double > void fields(Coder& coder, Number& number) { coder(number); }

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, DecisionRecord>
void fields(Coder& coder, R& r) {
  coder(r.rule), coder(r.file), coder(r.line), coder(r.ordinal);
  coder(r.destinations), coder(r.transform);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, WaitRecord>
void fields(Coder& coder, R& r) { coder(r.until), coder(r.quiet), coder(r.at_most), coder(r.late); }

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, RouteRecord>
void fields(Coder& coder, R& r) {
  coder(r.destination), coder(r.priority);
  if (coder.version() < 2) return;
  coder(r.transform), coder(r.held);
  fields(coder, r.wait);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, ObjectRecord>
void fields(Coder& coder, R& r) {
  coder(r.received), coder(r.node), coder(r.process_start), coder(r.association);
  coder(r.listener), coder(r.peer_address), coder(r.calling_ae_title), coder(r.called_ae_title);
  coder(r.message_id), coder(r.sop_class_uid), coder(r.sop_instance_uid);
  coder(r.transfer_syntax_uid), coder(r.study_instance_uid), coder(r.series_instance_uid);
  coder(r.modality), coder(r.patient_key), coder(r.status), coder(r.rules_sha256);
  coder(r.decisions), coder(r.routes), coder(r.extract);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, OutcomeRecord>
void fields(Coder& coder, R& r) {
  coder(r.instance), coder(r.destination), coder(r.state), coder(r.attempt);
  coder(r.started), coder(r.finished), coder(r.next_attempt), coder(r.status);
  coder(r.has_status), coder(r.outcome), coder(r.comment), coder(r.reason);
  coder(r.octets), coder(r.transfer_syntax_uid);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, DigestRecord>
void fields(Coder& coder, R& r) { coder(r.instance), coder(r.sha256); }

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, AssociationRecord>
void fields(Coder& coder, R& r) {
  coder(r.process_start), coder(r.number), coder(r.incoming), coder(r.listener_or_destination);
  coder(r.peer_address), coder(r.peer_port), coder(r.calling_ae_title), coder(r.called_ae_title);
  coder(r.tls_subject), coder(r.implementation), coder(r.started), coder(r.ended);
  coder(r.outcome), coder(r.reason), coder(r.objects), coder(r.octets);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, SecurityRecord>
void fields(Coder& coder, R& r) {
  coder(r.time), coder(r.kind), coder(r.listener), coder(r.peer_address);
  coder(r.calling_ae_title), coder(r.called_ae_title), coder(r.detail);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, OperatorRecord>
void fields(Coder& coder, R& r) {
  coder(r.time), coder(r.who), coder(r.action), coder(r.target), coder(r.detail);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, GatheredRecord>
void fields(Coder& coder, R& r) {
  coder(r.destination), fields(coder, r.wait), coder(r.whole);
  coder(r.first_received), coder(r.closed), coder(r.first), coder(r.last);
  coder(r.round), coder(r.reason);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, ExtractedRoi>
void fields(Coder& coder, R& r) {
  coder(r.number), coder(r.name), coder(r.standard_name), coder(r.interpreted_type);
  coder(r.generation_algorithm), coder(r.color), coder(r.frame_of_reference_uid);
  coder(r.contours), coder(r.points), coder(r.geometric_types);
  coder(r.volume_cm3), coder(r.surface_cm2), coder(r.centroid), coder(r.bounding_box);
  coder(r.plane_spacing), coder(r.plane_gaps), coder(r.equivalent_diameter);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, ExtractedContour>
void fields(Coder& coder, R& r) {
  coder(r.roi_number), coder(r.index), coder(r.geometric_type), coder(r.points);
  coder(r.plane_position), coder(r.area), coder(r.perimeter);
  coder(r.referenced_sop_instance_uid);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, ExtractedFinding>
void fields(Coder& coder, R& r) {
  coder(r.index), coder(r.of_roi), coder(r.roi_number);
  coder(r.code), coder(r.severity), coder(r.description);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, ExtractedDvh>
void fields(Coder& coder, R& r) {
  coder(r.roi_number), coder(r.dose_sop_instance_uid), coder(r.dose_units), coder(r.dose_type);
  coder(r.dose_link), coder(r.least), coder(r.mean), coder(r.greatest), coder(r.d95), coder(r.d2);
  coder(r.v20), coder(r.curve);
}

template <class Coder, class R>
requires std::is_same_v<std::remove_const_t<R>, ExtractionRecord>
void fields(Coder& coder, R& r) {
  coder(r.instance), coder(r.part), coder(r.last), coder(r.sop_instance_uid), coder(r.label);
  coder(r.frame_of_reference_uid), coder(r.referenced_study_instance_uid);
  coder(r.referenced_series_instance_uid), coder(r.reference_verdict), coder(r.reference_reason);
  coder(r.instances_referenced), coder(r.instances_present), coder(r.roi_count);
  coder(r.contour_count), coder(r.point_count), coder(r.started), coder(r.finished);
  coder(r.attempts), coder(r.outcome), coder(r.reason);
  coder(r.rois), coder(r.contours), coder(r.findings), coder(r.dvhs);
}

template <class R>
Bytes encoded(const R& record) {
  Bytes out;
  out.reserve(512);
  Encoder encoder(out);
  fields(encoder, record);
  return out;
}

template <class R>
Result<R> decoded(ByteSpan head, const char* what) {
  R record;
  Decoder decoder(head);
  fields(decoder, record);
  if (decoder.finished()) return record;
  return Error{Errc::kCorrupt, std::string(what) + " head length=" + std::to_string(head.size())};
}

}  // namespace

std::string_view name(DeliveryState state) {
  static constexpr std::array<std::string_view, 9> kNames = {"waiting",   "sending",  "unknown",
                                                             "delivered", "verified", "held",
                                                             "skipped",   "damaged",  "dropped"};
  return kNames.at(static_cast<std::size_t>(state));
}

std::string_view reason(const WaitRecord& wait) {
  static constexpr std::array<std::string_view, 4> kReasons = {"", "after_series", "after_study",
                                                               "hold_until_references"};
  return wait.until < kReasons.size() ? kReasons[wait.until] : "";
}

bool is_final(DeliveryState state) {
  switch (state) {
    case DeliveryState::kDelivered:
    case DeliveryState::kVerified:
    case DeliveryState::kSkipped:
    case DeliveryState::kDropped:
      return true;
    case DeliveryState::kWaiting:
    case DeliveryState::kSending:
    case DeliveryState::kUnknown:
    case DeliveryState::kHeld:     // an operator may still send it
    case DeliveryState::kDamaged:  // stays visible until an operator drops it
      return false;
  }
  return false;
}

Bytes encode(const ObjectRecord& record) { return encoded(record); }
Bytes encode(const OutcomeRecord& record) { return encoded(record); }
Bytes encode(const DigestRecord& record) { return encoded(record); }
Bytes encode(const AssociationRecord& record) { return encoded(record); }
Bytes encode(const SecurityRecord& record) { return encoded(record); }
Bytes encode(const OperatorRecord& record) { return encoded(record); }
Bytes encode(const GatheredRecord& record) { return encoded(record); }
Bytes encode(const ExtractionRecord& record) { return encoded(record); }

Result<ObjectRecord> decode_object(ByteSpan head) { return decoded<ObjectRecord>(head, "object"); }
Result<OutcomeRecord> decode_outcome(ByteSpan head) {
  return decoded<OutcomeRecord>(head, "outcome");
}
Result<DigestRecord> decode_digest(ByteSpan head) { return decoded<DigestRecord>(head, "digest"); }
Result<AssociationRecord> decode_association(ByteSpan head) {
  return decoded<AssociationRecord>(head, "association");
}
Result<SecurityRecord> decode_security(ByteSpan head) {
  return decoded<SecurityRecord>(head, "security");
}
Result<OperatorRecord> decode_operator(ByteSpan head) {
  return decoded<OperatorRecord>(head, "operator");
}
Result<GatheredRecord> decode_gathered(ByteSpan head) {
  return decoded<GatheredRecord>(head, "gathered");
}
Result<ExtractionRecord> decode_extraction(ByteSpan head) {
  return decoded<ExtractionRecord>(head, "extraction");
}

}  // namespace dr::journal
