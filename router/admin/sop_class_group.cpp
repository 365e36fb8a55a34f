#include "router/admin/sop_class_group.h"

#include <algorithm>
#include <array>

namespace dr::admin {
namespace {

// Storage SOP classes differ in what follows this root (PS3.6 A); its first number is the family.
constexpr std::string_view kRoot = "1.2.840.10008.5.1.4.1.1.";

struct Family {
  std::string_view number;
  std::string_view group;
};
constexpr std::array kFamilies = std::to_array<Family>({
    {"1", "radiography"},         // CR, DX, mammography
    {"2", "ct"},                  //
    {"3", "ultrasound"},          // multi-frame
    {"4", "mr"},                  //
    {"5", "nuclear_medicine"},    // retired
    {"6", "ultrasound"},          //
    {"7", "secondary_capture"},   //
    {"9", "waveform"},            //
    {"11", "presentation"},       //
    {"12", "angiography"},        // XA, XRF
    {"13", "tomosynthesis"},      // X-ray 3D
    {"20", "nuclear_medicine"},   //
    {"66", "derived"},            // raw data, registration, segmentation
    {"67", "derived"},            // real world value mapping
    {"68", "derived"},            // surfaces
    {"77", "visible_light"},      //
    {"78", "ophthalmology"},      //
    {"79", "ophthalmology"},      //
    {"80", "ophthalmology"},      //
    {"81", "ophthalmology"},      //
    {"88", "structured_report"},  //
    {"104", "document"},          //
    {"128", "pet"},               //
    {"130", "pet"},               // enhanced
    {"481", "radiotherapy"},      //
});

}  // namespace

std::string_view sop_class_group(const Uid& sop_class) {
  auto text = sop_class.view();
  if (!text.starts_with(kRoot)) return "other";
  text.remove_prefix(kRoot.size());
  const auto number = text.substr(0, text.find('.'));
  const auto* family = std::ranges::find(kFamilies, number, &Family::number);
  return family == kFamilies.end() ? "other" : family->group;
}

}  // namespace dr::admin
