#include "rtstruct/dvh.h"

#include <algorithm>
#include <cmath>

namespace dr::rtstruct {
namespace {

constexpr double kSamples = 200'000;
constexpr int kLayers = 3;
constexpr double kCurveStep = 0.1;  // Gy
constexpr double kCurvePoints = 1000;

struct Sample {
  double dose, volume;
};

class Sampler {
 public:
  Sampler(const Stack& stack, const Measures& measures, const Dose& dose)
      : stack_(stack), measures_(measures), dose_(dose) {
    double area = 0;
    for (const PlaneMeasure& plane : measures.planes) area += plane.area;
    step_ = std::max(0.02, std::sqrt(area * kLayers / kSamples));
  }

  void run() {
    for (std::size_t p = 0; p < stack_.planes.size(); ++p) plane(p);
  }

  std::vector<Sample> samples;
  double outside = 0;  // mm³
  /// Of the outlines' points: extremes lie there more often than on sampling lines.
  std::optional<double> least, most;

 private:
  void plane(std::size_t p) {
    const Plane& here = stack_.planes[p];
    double low = here.contours.front().polygon.front().v, high = low;
    for (const FlatContour& contour : here.contours) {
      for (const Vec2 q : contour.polygon) {
        low = std::min(low, q.v);
        high = std::max(high, q.v);
        if (const auto dose = dose_.at(stack_.frame.point(q, here.position))) {
          least = std::min(*dose, least.value_or(*dose));
          most = std::max(*dose, most.value_or(*dose));
        }
      }
    }
    const double lines = std::clamp(std::ceil((high - low) / step_), 8.0, 4096.0);
    const double pitch = (high - low) / lines;
    for (double line = 0.5; line < lines; ++line) {
      const double v = low + line * pitch;
      cut(here, v);
      for (std::size_t c = 0; c + 1 < cuts_.size(); c += 2) {
        span(p, v, cuts_[c], cuts_[c + 1], pitch * measures_.planes[p].thickness / kLayers);
      }
    }
  }

  void cut(const Plane& plane, double v) {
    cuts_.clear();
    for (const FlatContour& contour : plane.contours) {
      const Polygon& polygon = contour.polygon;
      Vec2 a = polygon.back();
      for (const Vec2 b : polygon) {
        if ((a.v > v) != (b.v > v)) cuts_.push_back(a.u + (v - a.v) / (b.v - a.v) * (b.u - a.u));
        a = b;
      }
    }
    std::ranges::sort(cuts_);
  }

  /// Part of a line inside the region; `section`: mm² that it stands for across, in each layer.
  void span(std::size_t p, double v, double from, double to, double section) {
    const double parts = std::clamp(std::ceil((to - from) / step_), 1.0, 4096.0);
    const double length = (to - from) / parts;
    const PlaneMeasure& plane = measures_.planes[p];
    for (double part = 0.5; part < parts; ++part) {
      for (int layer = 0; layer < kLayers; ++layer) {
        const double height = ((layer + 0.5) / kLayers - 0.5) * plane.thickness;
        const auto dose =
            dose_.at(stack_.frame.point({from + part * length, v}, plane.position + height));
        const double volume = length * section;
        if (!dose) outside += volume;
        samples.push_back({dose.value_or(0), volume});
      }
    }
  }

  const Stack& stack_;
  const Measures& measures_;
  const Dose& dose_;
  double step_;
  std::vector<double> cuts_;
};

/// Samples in descending order with the volume at or above each.
class Cumulative {
 public:
  explicit Cumulative(std::vector<Sample> samples) : samples_(std::move(samples)) {
    std::ranges::sort(samples_, std::greater{}, &Sample::dose);
    above_.reserve(samples_.size());
    for (const Sample& sample : samples_) above_.push_back(total_ += sample.volume);
  }

  double total() const { return total_; }
  /// The dose that this part (0 … 1) of the volume receives at the least.
  double dose(double part) const {
    const auto at = std::ranges::lower_bound(above_, part * total_);
    return at == above_.end() ? samples_.back().dose
                              : samples_[static_cast<std::size_t>(at - above_.begin())].dose;
  }
  /// % of the volume that receives `dose` or more.
  double volume(double dose) const {
    const auto at = std::ranges::partition_point(
        samples_, [&](const Sample& sample) { return sample.dose >= dose; });
    return at == samples_.begin()
               ? 0
               : 100 * above_[static_cast<std::size_t>(at - samples_.begin()) - 1] / total_;
  }
  const std::vector<Sample>& samples() const { return samples_; }

 private:
  std::vector<Sample> samples_;
  std::vector<double> above_;
  double total_ = 0;
};

}  // namespace

std::optional<Dvh> dose_volume(const Stack& stack, const Measures& measures, const Dose& dose) {
  if (!measures.volume || !(*measures.volume > 0)) return std::nullopt;
  Sampler sampler(stack, measures, dose);
  sampler.run();
  if (sampler.samples.empty()) return std::nullopt;
  const Cumulative all(std::move(sampler.samples));
  Dvh dvh;
  dvh.dose_sop_instance_uid = dose.sop_instance_uid;
  dvh.units = dose.units;
  dvh.type = dose.type;
  dvh.link = dose.link;
  const double most = all.samples().front().dose, least = all.samples().back().dose;
  dvh.most = std::max(most, sampler.most.value_or(most));
  dvh.least = std::min(least, sampler.least.value_or(least));
  for (const Sample& sample : all.samples()) dvh.mean += sample.dose * sample.volume;
  dvh.mean /= all.total();
  dvh.d95 = all.dose(0.95);
  dvh.d2 = all.dose(0.02);
  if (dose.units == "GY") dvh.v20 = all.volume(20);
  dvh.outside = 100 * sampler.outside / all.total();
  const double step = std::max(kCurveStep, dvh.most / kCurvePoints);
  for (double at = 0; at <= dvh.most + step; at += step) dvh.curve.push_back({at, all.volume(at)});
  return dvh;
}

}  // namespace dr::rtstruct
