#include "router/extraction/job.h"

#include <algorithm>
#include <array>
#include <set>

#include <unistd.h>

#include "router/extraction/job_decode.h"
#include "router/extraction/octets.h"
#include "router/extraction/record.h"
#include "router/rules/transform_text.h"
#include "rtstruct/extract.h"
#include "rtstruct/nifti.h"

// DCMTK asks for it whenever it makes an identifier, even one that is replaced. The C library's own
// looks this machine's name up, in files and on the network: in the sandbox that is the end.
extern "C" long gethostid() { return 1; }

namespace dr::extraction {
namespace {

constexpr std::size_t kMostInput = 512U << 20;
constexpr const char* kExplicitLittleEndian = "1.2.840.10008.1.2.1";

Result<rtstruct::StructureSet> structure_set(const Request& request, int input) {
  const auto octets = read_all(input, kMostInput);
  if (!octets) return octets.error();
  return rtstruct::read_structure_set(*octets, request.transfer_syntax_uid);
}

void add(std::set<Uid>& to, const Uid& uid) {
  if (!uid.empty()) to.insert(uid);
}

Result<Bytes> references(const Request& request, int input) {
  const auto set = structure_set(request, input);
  if (!set) return set.error();
  std::set<Uid> instances(set->contour_images.begin(), set->contour_images.end());
  std::set<Uid> series, frames;
  add(frames, set->frame_of_reference);
  for (const auto& each : set->series) {
    instances.insert(each.instances.begin(), each.instances.end());
    add(series, each.series);
    add(frames, each.frame_of_reference);
  }
  for (const auto& roi : set->rois) add(frames, roi.frame_of_reference);
  return encode(References{set->sop_instance_uid,
                           {instances.begin(), instances.end()},
                           {series.begin(), series.end()},
                           {frames.begin(), frames.end()}});
}

/// A dose that can not be read is told as a finding, and the rest is done without it.
std::vector<rtstruct::Dose> read_doses(const Request& request, std::span<const int> inputs,
                                       std::vector<rtstruct::Finding>& findings) {
  std::vector<rtstruct::Dose> doses;
  for (std::size_t i = 0; i < std::min(request.doses.size(), inputs.size()); ++i) {
    const auto octets = read_all(inputs[i], kMostInput);
    auto dose = octets ? rtstruct::read_dose(*octets, request.doses[i].transfer_syntax_uid)
                       : Result<rtstruct::Dose>(octets.error());
    if (dose) {
      dose->link = request.doses[i].link;
      doses.push_back(*std::move(dose));
    } else {
      findings.push_back(
          {"dose_unreadable", rtstruct::Severity::kWarning, dose.error().to_string()});
    }
  }
  return doses;
}

/// SEG and SR, where there is a mask; why not is a finding.
void write_objects(const Request& request, rtstruct::Extraction& result, Bytes& segmentation,
                   Bytes& report) {
  std::vector<std::uint16_t> segments;
  auto made = rtstruct::make_segmentation(result, request.uids, segments);
  auto measured = made ? rtstruct::make_report(result, request.uids, segments) : made;
  for (const auto* each : {&made, &measured}) {
    if (*each || each->error().code == Errc::kNotFound) continue;
    result.set.findings.push_back(
        {"results_not_written", rtstruct::Severity::kWarning, each->error().to_string()});
    return;
  }
  if (made && request.segmentation) segmentation = *std::move(made);
  if (measured && request.report) report = *std::move(measured);
}

Result<Bytes> extract(const Request& request, std::span<const int> inputs,
                      std::span<const int> outputs) {
  const auto octets = read_all(inputs[1], kMostInput);
  auto site = octets ? decode_site(*octets) : Result<Site>(octets.error());
  if (!site) return site.error();
  auto set = structure_set(request, inputs[0]);
  if (!set) return set.error();
  const auto doses = read_doses(request, inputs.subspan(2), set->findings);
  rtstruct::ExtractOptions how;
  how.masks = request.segmentation || request.report;
  how.expectations = std::move(site->expectations);
  auto result = rtstruct::extract(*std::move(set), site->references, doses, how);
  Bytes segmentation, report, records;
  if (how.masks) write_objects(request, result, segmentation, report);
  for (const auto& record : records_of(result)) append_record(records, journal::encode(record));
  const std::string json = rtstruct::to_json(result);
  const std::array<ByteSpan, static_cast<std::size_t>(Output::kCount)> made{as_bytes(json), records,
                                                                            segmentation, report};
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (auto written = write_all(outputs[i], made.at(i)); !written) {
      return std::move(written).error();
    }
  }
  return Bytes{};
}

Result<Bytes> mask(const Request& request, std::span<const int> inputs, int output) {
  const auto octets = read_all(inputs[1], kMostInput);
  const auto site = octets ? decode_site(*octets) : Result<Site>(octets.error());
  if (!site) return site.error();
  auto set = structure_set(request, inputs[0]);
  if (!set) return set.error();
  std::erase_if(set->rois, [&](const auto& roi) { return roi.number != request.roi_number; });
  if (set->rois.empty()) return Error{Errc::kNotFound, "no such ROI"};
  rtstruct::ExtractOptions how;
  how.masks = true;
  const auto result = rtstruct::extract(*std::move(set), site->references, {}, how);
  const auto& roi = result.rois.front();
  if (!roi.mask || roi.mask->runs.empty()) return Error{Errc::kNotFound, "the ROI has no mask"};
  const auto file = rtstruct::nifti_gz(*roi.mask, *roi.grid);
  if (!file) return file.error();
  if (auto written = write_all(output, *file); !written) return std::move(written).error();
  return Bytes{};
}

}  // namespace

Result<Bytes> run_job(ByteSpan octets, std::span<const int> inputs, std::span<const int> outputs) {
  const auto request = decode_request(octets);
  if (!request) return request.error();
  if (request->task == Task::kReferences && inputs.size() == 1) {
    return references(*request, inputs[0]);
  }
  if (request->task == Task::kExtract && inputs.size() == 2 + request->doses.size() &&
      outputs.size() == static_cast<std::size_t>(Output::kCount)) {
    return extract(*request, inputs, outputs);
  }
  if (request->task == Task::kMask && inputs.size() == 2 && outputs.size() == 1) {
    return mask(*request, inputs, outputs[0]);
  }
  return Error{Errc::kMalformed, "request"};
}

// A cube on four slices goes all the way: what DCMTK and the C library load on first use is loaded.
void prepare_jobs() {
  rules::load_character_sets();
  rtstruct::StructureSet set;
  set.sop_instance_uid = set.frame_of_reference = uid_literal("1.2");
  rtstruct::ReferenceSet references;
  rtstruct::Roi& roi = set.rois.emplace_back();
  roi.number = 1;
  roi.name = "\xc3\xa4";
  for (int k = 0; k < 4; ++k) {
    rtstruct::ImageSlice slice;
    slice.sop_instance_uid = uid_literal("1.2." + std::to_string(k + 1));
    slice.sop_class_uid = uid_literal("1.2.840.10008.5.1.4.1.1.2");
    slice.series = slice.study = slice.frame_of_reference = set.frame_of_reference;
    slice.position = {0, 0, static_cast<double>(k)};
    slice.row = {1, 0, 0};
    slice.column = {0, 1, 0};
    slice.row_step = slice.column_step = 1;
    slice.columns = slice.rows = 8;
    references.slices.push_back(slice);
    rtstruct::Contour& contour = roi.contours.emplace_back();
    contour.type = rtstruct::GeometricType::kClosedPlanar;
    const double z = k;
    contour.points = {{1, 1, z}, {6, 1, z}, {6, 6, z}, {1, 6, z}};
  }
  rtstruct::ExtractOptions how;
  how.masks = true;
  const auto result = rtstruct::extract(std::move(set), references, {}, how);
  (void)rtstruct::to_json(result);
  std::vector<std::uint16_t> segments;
  const auto uids = rtstruct::complete({});
  const auto made = rtstruct::make_segmentation(result, uids, segments);
  if (!made) return;
  (void)rtstruct::make_report(result, uids, segments);
  (void)rtstruct::read_structure_set(*made, uid_literal(kExplicitLittleEndian));  // another class
  (void)rtstruct::nifti_gz(*result.rois.front().mask, *result.rois.front().grid);
}

}  // namespace dr::extraction
