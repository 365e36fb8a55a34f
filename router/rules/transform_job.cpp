#include "router/rules/transform_job.h"

#include "router/rules/transform_apply.h"
#include "router/rules/transform_object.h"
#include "router/rules/transform_text.h"

namespace dr::rules {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kMaxUids = 200'000;  // that one object may have

Result<Uid> uid_of(const DataSet& set, encoding::Tag tag) {
  const Element* const element = set.root().find(tag);
  if (element == nullptr) return Error{Errc::kMalformed, "malformed " + tag.to_string()};
  const auto value = set.value(*element);
  if (!value) return value.error();
  auto uid = Uid::parse(trim_padding(as_text(*value)));
  if (!uid) return Error{Errc::kMalformed, "malformed " + tag.to_string()};
  return uid;
}

Result<std::vector<std::string>> seal(const Applied& applied, const Pseudonymizer& pseudonyms) {
  std::vector<std::string> sealed;
  for (const auto& [from, to] : applied.uids) {
    auto text = pseudonyms.seal(from + ' ' + to);
    if (!text) return text.error();
    sealed.push_back(*std::move(text));
  }
  return sealed;
}

void put(ByteWriter& out, std::string_view text) {
  out.le(static_cast<std::uint32_t>(text.size()));
  out.text(text);
}
Uid optional_uid(std::string_view text) {
  const auto uid = Uid::parse(text);
  return uid ? *uid : Uid();
}
std::string take(ByteReader& in) { return std::string(in.text(in.le<std::uint32_t>())); }

}  // namespace

Bytes encode(const TransformRequest& request) {
  Bytes octets;
  ByteWriter out(octets);
  out.u8(kVersion);
  put(out, request.transform);
  put(out, request.transfer_syntax_uid.view());
  put(out, request.pseudonym_key);
  put(out, request.system);
  out.le(static_cast<std::uint64_t>(request.received.time_since_epoch().count()));
  put(out, request.character_set);
  out.le(request.offset);
  out.le(request.most_inflated);
  return octets;
}

Result<TransformRequest> decode_transform_request(ByteSpan octets) {
  ByteReader in(octets);
  TransformRequest request;
  const auto version = in.u8();
  request.transform = take(in);
  const auto uid = Uid::parse(take(in));
  request.pseudonym_key = take(in);
  request.system = take(in);
  request.received = UtcMicros{std::chrono::microseconds(in.le<std::uint64_t>())};
  request.character_set = take(in);
  request.offset = in.le<std::uint64_t>();
  request.most_inflated = in.le<std::uint64_t>();
  if (in.failed() || version != kVersion || !uid) return Error{Errc::kMalformed, "request"};
  request.transfer_syntax_uid = *uid;
  return request;
}

Bytes encode(const TransformResult& result) {
  Bytes octets;
  ByteWriter out(octets);
  out.u8(kVersion);
  put(out, result.sop_class_uid.view());
  put(out, result.sop_instance_uid.view());
  put(out, result.study_instance_uid.view());
  put(out, result.series_instance_uid.view());
  put(out, result.transfer_syntax_uid.view());
  out.le(result.octets);
  out.le(static_cast<std::uint32_t>(result.sealed_uids.size()));
  for (const std::string& each : result.sealed_uids) put(out, each);
  return octets;
}

Result<TransformResult> decode_transform_result(ByteSpan octets) {
  ByteReader in(octets);
  TransformResult result;
  const auto version = in.u8();
  result.sop_class_uid = optional_uid(take(in));
  const auto sop_instance = Uid::parse(take(in));
  result.study_instance_uid = optional_uid(take(in));
  result.series_instance_uid = optional_uid(take(in));
  const auto syntax = Uid::parse(take(in));
  result.octets = in.le<std::uint64_t>();
  const auto count = in.le<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) result.sealed_uids.push_back(take(in));
  if (in.failed() || version != kVersion || !sop_instance || !syntax) {
    return Error{Errc::kMalformed, "result"};
  }
  result.sop_instance_uid = *sop_instance;
  result.transfer_syntax_uid = *syntax;
  return result;
}

Result<Bytes> run_transform(ByteSpan octets, std::span<const int> inputs,
                            std::span<const int> outputs) {
  const auto request = decode_transform_request(octets);
  if (!request || inputs.empty() || outputs.size() != 2) return Error{Errc::kMalformed, "request"};
  const auto transform = parse_transform(request->transform);
  if (!transform) return transform.error();
  auto maps = read_maps(*transform, inputs.subspan(1));
  if (!maps) return maps.error();
  const auto object = TransformObject::open(*request, inputs[0], outputs[1]);
  if (!object) return object.error();
  DataSet& set = (*object)->set();
  const Pseudonymizer pseudonyms(request->pseudonym_key);
  const auto applied =
      apply(*transform, set, {pseudonyms, *std::move(maps), request->received, request->system});
  if (!applied) return applied.error();
  if (applied->uids.size() > kMaxUids) return Error{Errc::kTooLong, "too_many_uids"};
  const auto sop_instance = uid_of(set, encoding::tags::kSopInstanceUid);
  if (!sop_instance) return sop_instance.error();
  const auto written = set.write([&](ByteSpan piece) { return put_out(outputs[0], piece); });
  if (!written) return written.error();
  auto sealed = seal(*applied, pseudonyms);
  if (!sealed) return sealed.error();
  const auto optional = [&](encoding::Tag tag) {
    const auto uid = uid_of(set, tag);
    return uid ? *uid : Uid();
  };
  return encode(TransformResult{optional(encoding::tags::kSopClassUid), *sop_instance,
                                optional(encoding::tags::kStudyInstanceUid),
                                optional(encoding::tags::kSeriesInstanceUid),
                                (*object)->transfer_syntax_uid(), *written, *std::move(sealed)});
}

void prepare_transforms() {
  load_character_sets();
  (void)encoding::find_keyword("PatientID");
  (void)find_profile_row({});
  const Pseudonymizer warm("warm");  // OpenSSL loads its providers and seeds itself
  (void)warm.uid("1");
  if (const auto sealed = warm.seal("text")) (void)warm.unseal(*sealed);
}

}  // namespace dr::rules
