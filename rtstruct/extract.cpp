#include "rtstruct/extract.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

namespace dr::rtstruct {
namespace {

constexpr double kOutside = 0.5;  // % of a volume outside of the dose grid that is told

const Uid& frame_of(const StructureSet& set, const Roi& roi) {
  return roi.frame_of_reference.empty() ? set.frame_of_reference : roi.frame_of_reference;
}

void append(std::vector<Finding>& to, std::vector<Finding> from) {
  std::ranges::move(from, std::back_inserter(to));
}

class Extractor {
 public:
  Extractor(Extraction& out, const ReferenceSet& references, const std::vector<Dose>& doses,
            const ExtractOptions& options)
      : out_(out), references_(references), doses_(doses), options_(options) {}

  void run() {
    out_.reference = judge_references(out_.set, references_);
    out_.rois.resize(out_.set.rois.size());
    choose_grids();
    each_roi([&](std::size_t i) { stack(i); });
    find_usual_spacing();
    each_roi([&](std::size_t i) { measure_roi(i); });
    check_overlaps();
    check_names();
    for (std::size_t i = 0; i < out_.rois.size() && !options_.keep_stacks; ++i) {
      out_.rois[i].stack = {};
    }
  }

 private:
  template <class Work>
  void each_roi(Work work) {
    std::atomic<std::size_t> next = 0;
    const auto loop = [&] {
      for (std::size_t i = next++; i < out_.rois.size(); i = next++) work(i);
    };
    std::vector<std::jthread> others;
    for (unsigned t = 1; t < options_.threads; ++t) others.emplace_back(loop);
    loop();
  }

  void choose_grids() {
    for (const Roi& roi : out_.set.rois) {
      const Uid& frame = frame_of(out_.set, roi);
      if (grids_.contains(frame)) continue;
      GridChoice choice = choose_grid(out_.set, frame, references_);
      append(out_.set.findings, std::move(choice.findings));
      grids_[frame] =
          choice.grid ? std::make_shared<const ImageGrid>(std::move(*choice.grid)) : nullptr;
    }
  }

  void stack(std::size_t i) {
    const Roi& roi = out_.set.rois[i];
    RoiResult& result = out_.rois[i];
    result.grid = grids_.at(frame_of(out_.set, roi));
    result.stack = stack_contours(roi, result.grid.get());
    result.findings = roi.findings;
    append(result.findings, std::move(result.stack.findings));
  }

  /// The median of the ROIs' plane distances, a frame of reference each.
  void find_usual_spacing() {
    std::map<Uid, std::vector<double>> spacings;
    for (std::size_t i = 0; i < out_.rois.size(); ++i) {
      if (out_.rois[i].stack.spacing > 0) {
        spacings[frame_of(out_.set, out_.set.rois[i])].push_back(out_.rois[i].stack.spacing);
      }
    }
    for (auto& [frame, all] : spacings) {
      std::ranges::sort(all);
      usual_[frame] = all[all.size() / 2];
    }
  }

  void measure_roi(std::size_t i) {
    const Roi& roi = out_.set.rois[i];
    RoiResult& result = out_.rois[i];
    MeasureOptions how;
    how.grid = result.grid.get();
    if (const auto usual = usual_.find(frame_of(out_.set, roi)); usual != usual_.end()) {
      how.usual_spacing = usual->second;
    }
    result.measures = measure(roi, result.stack, how);
    append(result.findings, std::move(result.measures.findings));
    result.standard_name = standard_name(options_.expectations, roi.name);
    if (result.grid) check_planes(result.stack, *result.grid, result.findings);
    check_roi(options_.expectations, roi, result.measures, result.findings);
    if (options_.masks && result.grid) make_mask(result);
    for (const Dose& dose : doses_) add_dvh(roi, result, dose);
  }

  void make_mask(RoiResult& result) {
    Budget budget(MeasureOptions().steps);
    result.mask = rasterize(result.stack, result.measures, *result.grid, budget);
    if (!result.mask) {
      result.findings.push_back(
          {"mask_too_complex", Severity::kError, "the mask would take too long; there is none"});
    }
  }

  void add_dvh(const Roi& roi, RoiResult& result, const Dose& dose) {
    const Uid& frame = frame_of(out_.set, roi);
    if (frame.empty() || !(dose.frame_of_reference == frame)) return;
    auto dvh = dose_volume(result.stack, result.measures, dose);
    if (!dvh) return;
    if (dvh->outside > kOutside) {
      result.findings.push_back(
          {"dose_grid_too_small", Severity::kWarning,
           std::to_string(std::lround(dvh->outside)) +
               " % of the volume lies outside of the dose grid and counts as without dose"});
    }
    result.dvhs.push_back(std::move(*dvh));
  }

  const std::string& known_as(std::size_t i) const {
    const std::string& standard = out_.rois[i].standard_name;
    return standard.empty() ? out_.set.rois[i].name : standard;
  }

  void check_overlaps() {
    for (const auto& group : options_.expectations.exclusive) {
      std::vector<std::size_t> members;
      for (std::size_t i = 0; i < out_.rois.size(); ++i) {
        if (std::ranges::find(group, known_as(i)) != group.end()) members.push_back(i);
      }
      for (std::size_t a = 0; a < members.size(); ++a) {
        for (std::size_t b = a + 1; b < members.size(); ++b) overlap(members[a], members[b]);
      }
    }
  }

  void overlap(std::size_t a, std::size_t b) {
    const auto& rois = out_.set.rois;
    if (!(frame_of(out_.set, rois[a]) == frame_of(out_.set, rois[b])) ||
        !out_.rois[a].measures.volume || !out_.rois[b].measures.volume) {
      return;
    }
    const auto shared =
        shared_volume(out_.rois[a].stack, out_.rois[a].measures, out_.rois[b].stack);
    if (shared && *shared / 1000 <= options_.expectations.overlap) return;
    for (const auto& [one, other] : {std::pair(a, b), std::pair(b, a)}) {
      const std::string with = "ROI " + std::to_string(rois[other].number);
      out_.rois[one].findings.push_back(
          shared
              ? Finding{"overlap", Severity::kError,
                        "shares " + std::to_string(*shared / 1000).substr(0, 8) + " cm3 with " +
                            with + ", from which it should be apart"}
              : Finding{"overlap_unknown", Severity::kWarning,
                        "could not be compared with " + with + ", from which it should be apart"});
    }
  }

  void check_names() {
    std::map<std::string, std::size_t> seen;
    for (const Roi& roi : out_.set.rois) ++seen[roi.name];
    for (std::size_t i = 0; i < out_.rois.size(); ++i) {
      const std::string& name = out_.set.rois[i].name;
      if (name.empty()) {
        out_.rois[i].findings.push_back({"name_missing", Severity::kWarning, "no ROI Name"});
      } else if (seen[name] > 1) {
        out_.rois[i].findings.push_back(
            {"name_twice", Severity::kWarning, "another ROI has the same name"});
      }
      if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 32; })) {
        out_.rois[i].findings.push_back(
            {"name_control_characters", Severity::kWarning, "control characters in the ROI Name"});
      }
    }
  }

  Extraction& out_;
  const ReferenceSet& references_;
  const std::vector<Dose>& doses_;
  const ExtractOptions& options_;
  std::map<Uid, std::shared_ptr<const ImageGrid>> grids_;  // by frame of reference
  std::map<Uid, double> usual_;
};

}  // namespace

Extraction extract(StructureSet set, const ReferenceSet& references, const std::vector<Dose>& doses,
                   const ExtractOptions& options) {
  Extraction out;
  out.set = std::move(set);
  Extractor(out, references, doses, options).run();
  return out;
}

}  // namespace dr::rtstruct
