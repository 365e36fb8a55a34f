#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"

namespace dr::test {

inline constexpr std::string_view kCtImageStorage = "1.2.840.10008.5.1.4.1.1.2";
inline constexpr std::string_view kMrImageStorage = "1.2.840.10008.5.1.4.1.1.4";
inline constexpr std::string_view kRtStructureSetStorage = "1.2.840.10008.5.1.4.1.1.481.3";
inline constexpr std::string_view kSecondaryCaptureStorage = "1.2.840.10008.5.1.4.1.1.7";
inline constexpr std::string_view kImplicitLe = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitLe = "1.2.840.10008.1.2.1";

/// A UID below 2.25 (PS3.5 B.2) that no other call in any process has returned.
std::string new_uid();

/// A further element of the data set: group, element, VR, value (padded to even length as the VR
/// asks).
struct ExtraElement {
  std::uint16_t group = 0;
  std::uint16_t element = 0;
  std::string vr;
  std::string value;
};

/// What a self-made object says. As it stands, a small CT image with UIDs of its own.
struct ObjectSpec {
  std::string sop_class_uid{kCtImageStorage};
  std::string sop_instance_uid = new_uid();
  std::string study_instance_uid = new_uid();
  std::string series_instance_uid = new_uid();
  std::string transfer_syntax{kExplicitLe};  // kExplicitLe or kImplicitLe: how it is encoded
  std::string modality = "CT";
  std::string patient_id = "TEST";
  std::string patient_name = "Test^Object";
  std::size_t pixel_octets = 8192;    // of 16 bits each, so even; 0: no Pixel Data
  std::vector<ExtraElement> extra{};  // in any order; replaces an element of the same tag
};

/// The data set alone, as it goes into a C-STORE (PS3.5 7), elements in order of their tags. The
/// pixel values depend on the SOP Instance UID, so that mixed-up objects differ.
Bytes make_data_set(const ObjectSpec& spec);

/// Preamble, file meta information and the data set (PS3.10 7.1).
Bytes make_part10(const ObjectSpec& spec);

/// make_part10() written to `file`, its folder created. Returns `file`.
std::filesystem::path write_part10(const ObjectSpec& spec, const std::filesystem::path& file);

/// The octets after the file meta information of a Part 10 file: what two bit-preserving ways must
/// agree on. Throws std::runtime_error on a file without preamble or meta information.
Bytes data_set_of(const std::filesystem::path& part10_file);

/// The whole file. Throws std::runtime_error if it cannot be read.
Bytes read_octets(const std::filesystem::path& file);

/// The folder of shared DICOM test data (`../shared/data` beside the project), where present.
/// Otherwise nothing, and one line on standard output that says what is left out.
std::optional<std::filesystem::path> shared_data(std::string_view left_out);

}  // namespace dr::test
