#include "rtstruct/checks.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace dr::rtstruct {
namespace {

constexpr double kOffPlane = 0.1;    // of the slices' step
constexpr double kSamePlane = 0.05;  // mm
constexpr double kParallel = 1e-3;

std::string folded(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '_') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

std::string cm3(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f cm3", value);
  return text;
}

}  // namespace

std::string standard_name(const Expectations& expectations, const std::string& name) {
  const std::string key = folded(name);
  for (const auto& [written, standard] : expectations.names) {
    if (folded(written) == key || folded(standard) == key) return standard;
  }
  return {};
}

bool is_tg263_form(const std::string& name) {
  return !name.empty() && name.size() <= 16 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_^~-+.()").find(c) != std::string_view::npos;
  });
}

std::optional<double> shared_volume(const Stack& a, const Measures& of_a, const Stack& b) {
  if (a.planes.empty() || b.planes.empty()) return 0;
  if (norm(cross(a.frame.n, b.frame.n)) > kParallel) return std::nullopt;
  double shared = 0;
  std::size_t j = 0;
  Budget budget(500'000'000);
  for (std::size_t i = 0; i < a.planes.size(); ++i) {
    const double at = a.planes[i].position;
    while (j + 1 < b.planes.size() && b.planes[j].position < at - kSamePlane) ++j;
    if (std::abs(b.planes[j].position - at) > kSamePlane) continue;
    auto polygons = a.planes[i].polygons();
    const auto others = b.planes[j].polygons();
    const auto alone = even_odd_moments(others, budget);
    polygons.insert(polygons.end(), others.begin(), others.end());
    const auto difference = even_odd_moments(polygons, budget);
    if (!alone || !difference) return std::nullopt;
    // |A ∩ B| = (|A| + |B| − |A △ B|) / 2
    const double both = (of_a.planes[i].area + alone->area - difference->area) / 2;
    shared += std::max(0.0, both) * of_a.planes[i].thickness;
  }
  return shared;
}

void check_planes(const Stack& stack, const ImageGrid& grid, std::vector<Finding>& findings) {
  if (stack.planes.empty()) return;
  if (!stack.along_grid) {
    findings.push_back({"contours_not_on_slices", Severity::kWarning,
                        "the contours' planes are not parallel to the image slices"});
    return;
  }
  std::size_t off = 0, outside = 0;
  double furthest = 0;
  for (const Plane& plane : stack.planes) {
    const double k = (plane.position - dot(grid.origin, grid.normal)) / grid.slice_step;
    if (k < -0.5 || k > grid.slices - 0.5) {
      ++outside;
      continue;
    }
    const double away = std::abs(k - std::round(k));
    if (away <= kOffPlane) continue;
    ++off;
    furthest = std::max(furthest, away * grid.slice_step);
  }
  if (off > 0) {
    char text[96];
    std::snprintf(text, sizeof text, "%zu plane(s) between image slices, up to %.2f mm away", off,
                  furthest);
    findings.push_back({"contours_off_slices", Severity::kWarning, text});
  }
  if (outside > 0) {
    findings.push_back({"contours_outside_images", Severity::kWarning,
                        std::to_string(outside) + " plane(s) outside of the image series"});
  }
}

void check_roi(const Expectations& expectations, const Roi& roi, const Measures& measures,
               std::vector<Finding>& findings) {
  const std::string standard = standard_name(expectations, roi.name);
  if (!expectations.names.empty() && expectations.unknown_names) {
    if (standard.empty()) {
      findings.push_back({"name_unknown", Severity::kWarning,
                          is_tg263_form(roi.name)
                              ? "the name is not in the name map"
                              : "the name is not in the name map, nor formed as TG-263 asks"});
    } else if (standard != roi.name) {
      findings.push_back(
          {"name_not_standard", Severity::kInfo, "the standard name is " + standard});
    }
  }
  auto limits = expectations.volumes.find(standard.empty() ? roi.name : standard);
  if (limits == expectations.volumes.end() || !measures.volume) return;
  const double volume = *measures.volume / 1000;
  const auto& [least, most] = limits->second;
  if (least && volume < *least) {
    findings.push_back({"volume_below_limit", Severity::kError,
                        cm3(volume) + ", expected at least " + cm3(*least)});
  }
  if (most && volume > *most) {
    findings.push_back(
        {"volume_above_limit", Severity::kError, cm3(volume) + ", expected at most " + cm3(*most)});
  }
}

}  // namespace dr::rtstruct
