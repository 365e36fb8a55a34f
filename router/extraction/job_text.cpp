// The octets of requests and answers: JSON, since both sides are the same program.

#include <nlohmann/json.hpp>

#include "router/extraction/job_decode.h"

namespace dr::extraction {
namespace {

using nlohmann::json;

constexpr std::size_t kMostRecord = 16U << 20;  // a head of the journal

Bytes octets_of(const json& document) {
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  const auto octets = as_bytes(text);
  return {octets.begin(), octets.end()};
}

Uid uid_of(const json& text) {
  auto uid = Uid::parse(text.get<std::string>());
  return uid ? *uid : Uid();
}
std::vector<std::string> texts_of(const std::vector<Uid>& uids) {
  std::vector<std::string> texts;
  for (const Uid& uid : uids) texts.push_back(uid.str());
  return texts;
}
std::vector<Uid> uids_of(const json& texts) {
  std::vector<Uid> uids;
  for (const json& text : texts) uids.push_back(uid_of(text));
  return uids;
}

json json_of(rtstruct::Vec3 v) { return {v.x, v.y, v.z}; }
rtstruct::Vec3 vec_of(const json& v) {
  return {v.at(0).get<double>(), v.at(1).get<double>(), v.at(2).get<double>()};
}

json json_of(const rtstruct::ImageSlice& s) {
  return {s.sop_instance_uid.str(),
          s.sop_class_uid.str(),
          s.series.str(),
          s.study.str(),
          s.frame_of_reference.str(),
          json_of(s.position),
          json_of(s.row),
          json_of(s.column),
          s.row_step,
          s.column_step,
          s.columns,
          s.rows};
}
rtstruct::ImageSlice slice_of(const json& s) {
  return {uid_of(s.at(0)), uid_of(s.at(1)), uid_of(s.at(2)), uid_of(s.at(3)),
          uid_of(s.at(4)), vec_of(s.at(5)), vec_of(s.at(6)), vec_of(s.at(7)),
          s.at(8),         s.at(9),         s.at(10),        s.at(11)};
}

json json_of(const rtstruct::Expectations& e) {
  json volumes = json::object();
  for (const auto& [name, limits] : e.volumes) {
    volumes[name] = {limits.least ? json(*limits.least) : json(),
                     limits.most ? json(*limits.most) : json()};
  }
  return {{"names", e.names},
          {"unknown_names", e.unknown_names},
          {"volumes", std::move(volumes)},
          {"exclusive", e.exclusive},
          {"overlap", e.overlap}};
}
rtstruct::Expectations expectations_of(const json& j) {
  rtstruct::Expectations e;
  e.names = j.at("names").get<std::map<std::string, std::string>>();
  e.unknown_names = j.at("unknown_names");
  for (const auto& [name, limits] : j.at("volumes").items()) {
    if (!limits.at(0).is_null()) e.volumes[name].least = limits.at(0).get<double>();
    if (!limits.at(1).is_null()) e.volumes[name].most = limits.at(1).get<double>();
  }
  e.exclusive = j.at("exclusive").get<std::vector<std::vector<std::string>>>();
  e.overlap = j.at("overlap");
  return e;
}

/// Reads a document that this program wrote; one that it did not is kMalformed.
template <class Value, class Read>
Result<Value> decoded(ByteSpan octets, Read read) {
  const json document = json::parse(as_text(octets), nullptr, false);
  try {
    return read(document);
  } catch (const json::exception&) {
    return Error{Errc::kMalformed, "request length=" + std::to_string(octets.size())};
  }
}

}  // namespace

Bytes encode(const Request& r) {
  json doses = json::array();
  for (const auto& dose : r.doses) {
    doses.push_back({dose.transfer_syntax_uid.str(), dose.link});
  }
  return octets_of({{"task", static_cast<unsigned>(r.task)},
                    {"transfer_syntax", r.transfer_syntax_uid.str()},
                    {"segmentation", r.segmentation},
                    {"report", r.report},
                    {"uids", texts_of({r.uids.segmentation, r.uids.segmentation_series,
                                       r.uids.report, r.uids.report_series})},
                    {"roi", r.roi_number},
                    {"doses", std::move(doses)}});
}

Result<Request> decode_request(ByteSpan octets) {
  return decoded<Request>(octets, [](const json& j) {
    Request r;
    r.task = static_cast<Task>(j.at("task").get<unsigned>());
    r.transfer_syntax_uid = uid_of(j.at("transfer_syntax"));
    r.segmentation = j.at("segmentation");
    r.report = j.at("report");
    const json& uids = j.at("uids");
    r.uids = {uid_of(uids.at(0)), uid_of(uids.at(1)), uid_of(uids.at(2)), uid_of(uids.at(3))};
    r.roi_number = j.at("roi");
    for (const json& dose : j.at("doses")) r.doses.push_back({uid_of(dose.at(0)), dose.at(1)});
    return r;
  });
}

Bytes encode(const Site& site) {
  json slices = json::array();
  for (const auto& slice : site.references.slices) slices.push_back(json_of(slice));
  const auto& there = site.references.instances;
  return octets_of({{"instances", texts_of({there.begin(), there.end()})},
                    {"slices", std::move(slices)},
                    {"expectations", json_of(site.expectations)}});
}

Result<Site> decode_site(ByteSpan octets) {
  return decoded<Site>(octets, [](const json& j) {
    Site site;
    for (const Uid& uid : uids_of(j.at("instances"))) site.references.instances.insert(uid);
    for (const json& slice : j.at("slices")) site.references.slices.push_back(slice_of(slice));
    site.expectations = expectations_of(j.at("expectations"));
    return site;
  });
}

Bytes encode(const References& r) {
  return octets_of({{"sop_instance_uid", r.sop_instance_uid.str()},
                    {"instances", texts_of(r.instances)},
                    {"series", texts_of(r.series)},
                    {"frames", texts_of(r.frames)}});
}

Result<References> decode_references(ByteSpan octets) {
  return decoded<References>(octets, [](const json& j) {
    return References{uid_of(j.at("sop_instance_uid")), uids_of(j.at("instances")),
                      uids_of(j.at("series")), uids_of(j.at("frames"))};
  });
}

void append_record(Bytes& octets, ByteSpan head) {
  ByteWriter out(octets);
  out.le(static_cast<std::uint32_t>(head.size()));
  out.put(head);
}

Result<std::vector<Bytes>> split_records(ByteSpan octets) {
  std::vector<Bytes> heads;
  for (ByteReader in(octets); in.remaining() > 0;) {
    const auto length = in.le<std::uint32_t>();
    const ByteSpan head = in.take(length);
    if (in.failed() || length > kMostRecord) {
      return Error{Errc::kMalformed, "records length=" + std::to_string(length)};
    }
    heads.emplace_back(head.begin(), head.end());
  }
  return heads;
}

}  // namespace dr::extraction
