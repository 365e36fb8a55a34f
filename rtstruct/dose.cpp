#include <algorithm>
#include <cmath>
#include <numeric>

#include "rtstruct/data_set.h"
#include "rtstruct/decimal.h"
#include "rtstruct/dvh.h"

namespace dr::rtstruct {
namespace {

constexpr const char* kRtDoseStorage = "1.2.840.10008.5.1.4.1.1.481.2";
constexpr std::uint64_t kMostVoxels = 64'000'000;

/// A place between the centres of voxels: the lower one and how far beyond it.
struct Between {
  std::size_t index;
  double part;
};

std::optional<Between> between(double place, std::size_t count) {
  if (!(place >= -0.5 && place <= static_cast<double>(count) - 0.5)) return std::nullopt;
  const double inside = std::clamp(place, 0.0, static_cast<double>(count - 1));
  const auto index = std::min(static_cast<std::size_t>(inside), count < 2 ? 0 : count - 2);
  return Between{index, inside - static_cast<double>(index)};
}

/// The same among planes at any distances.
std::optional<Between> between(double place, const std::vector<double>& at) {
  const std::size_t n = at.size();
  if (n == 1) return std::nullopt;
  const double before = at.front() - (at[1] - at[0]) / 2;
  const double behind = at.back() + (at[n - 1] - at[n - 2]) / 2;
  if (!(place >= before && place <= behind)) return std::nullopt;
  const double inside = std::clamp(place, at.front(), at.back());
  const auto above = std::ranges::upper_bound(at, inside) - at.begin();
  const auto index = static_cast<std::size_t>(
      std::clamp<std::ptrdiff_t>(above - 1, 0, static_cast<std::ptrdiff_t>(n) - 2));
  return Between{index, (inside - at[index]) / (at[index + 1] - at[index])};
}

Error malformed(const char* what) { return {Errc::kMalformed, std::string("RT Dose: ") + what}; }

class DoseReader {
 public:
  explicit DoseReader(DataSet& data) : data_(data), root_(data.root()) {}

  Result<Dose> read() {
    if (read_uid(data_, root_, DCM_SOPClassUID) != kRtDoseStorage) {
      return Error{Errc::kUnsupported, "not an RT Dose"};
    }
    dose_.sop_instance_uid = read_uid(data_, root_, DCM_SOPInstanceUID);
    dose_.frame_of_reference = read_uid(data_, root_, DCM_FrameOfReferenceUID);
    dose_.units = data_.text(root_, DCM_DoseUnits).substr(0, 16);
    dose_.type = data_.text(root_, DCM_DoseType).substr(0, 16);
    dose_.summation = data_.text(root_, DCM_DoseSummationType).substr(0, 16);
    (void)for_each_item(root_, DCM_ReferencedRTPlanSequence, [&](DcmItem& item) -> Result<void> {
      if (dose_.plan.empty()) dose_.plan = read_uid(data_, item, DCM_ReferencedSOPInstanceUID);
      return {};
    });
    for (auto step :
         {&DoseReader::read_plane, &DoseReader::read_offsets, &DoseReader::read_values}) {
      if (auto done = (this->*step)(); !done) return std::move(done).error();
    }
    return std::move(dose_);
  }

 private:
  std::vector<double> decimals(const DcmTagKey& tag) {
    return parse_decimals(data_.raw(root_, tag)).value_or(std::vector<double>());
  }
  std::uint32_t u16(const DcmTagKey& tag) {
    Uint16 value = 0;
    return root_.findAndGetUint16(tag, value).good() ? value : 0;
  }

  Result<void> read_plane() {
    const auto position = decimals(DCM_ImagePositionPatient);
    const auto orientation = decimals(DCM_ImageOrientationPatient);
    const auto spacing = decimals(DCM_PixelSpacing);
    dose_.columns = u16(DCM_Columns);
    dose_.rows = u16(DCM_Rows);
    if (position.size() != 3 || orientation.size() != 6 || spacing.size() != 2 ||
        dose_.columns == 0 || dose_.rows == 0 || !(spacing[0] > 0) || !(spacing[1] > 0)) {
      return malformed("no place in the patient");
    }
    dose_.origin = {position[0], position[1], position[2]};
    dose_.row = unit({orientation[0], orientation[1], orientation[2]});
    dose_.column = unit({orientation[3], orientation[4], orientation[5]});
    dose_.normal = cross(dose_.row, dose_.column);
    if (std::abs(norm(dose_.normal) - 1) > 1e-3) return malformed("axes not at right angles");
    dose_.row_step = spacing[1];
    dose_.column_step = spacing[0];
    return {};
  }

  /// Grid Frame Offset Vector (C.8.8.3.2): relative to the first plane, or places along z.
  Result<void> read_offsets() {
    dose_.offsets = decimals(DCM_GridFrameOffsetVector);
    const auto frames = read_integer(data_, root_, DCM_NumberOfFrames).value_or(1);
    const auto n = static_cast<std::int64_t>(dose_.offsets.size());
    if (n < 2 || n != frames) return malformed("Grid Frame Offset Vector does not fit the frames");
    const std::uint64_t voxels = std::uint64_t{dose_.columns} * dose_.rows * dose_.offsets.size();
    if (voxels > kMostVoxels) {
      return Error{Errc::kTooLong, "dose voxels=" + std::to_string(voxels) +
                                       " limit=" + std::to_string(kMostVoxels)};
    }
    const double first = dose_.offsets.front();
    for (double& offset : dose_.offsets) offset -= first;
    descending_ = dose_.offsets.back() < 0;
    if (descending_) std::ranges::reverse(dose_.offsets);
    for (std::size_t i = 1; i < dose_.offsets.size(); ++i) {
      if (!(dose_.offsets[i] > dose_.offsets[i - 1])) {
        return malformed("Grid Frame Offset Vector is not monotonic");
      }
    }
    return {};
  }

  Result<void> read_values() {
    const auto scaling = read_decimal(data_, root_, DCM_DoseGridScaling);
    if (!scaling) return malformed("no Dose Grid Scaling");
    const std::uint32_t bits = u16(DCM_BitsAllocated);
    const std::size_t voxels = std::size_t{dose_.columns} * dose_.rows * dose_.offsets.size();
    DcmElement* element = nullptr;
    Uint16* words = nullptr;
    if ((bits != 16 && bits != 32) || u16(DCM_PixelRepresentation) != 0) {
      return Error{Errc::kUnsupported, "RT Dose: bits allocated=" + std::to_string(bits)};
    }
    if (root_.findAndGetElement(DCM_PixelData, element).bad() || element == nullptr ||
        element->getLength() < voxels * bits / 8 || element->getUint16Array(words).bad() ||
        words == nullptr) {
      return malformed("pixel data shorter than the grid");
    }
    dose_.values.resize(voxels);
    const std::size_t plane = std::size_t{dose_.columns} * dose_.rows;
    for (std::size_t i = 0; i < voxels; ++i) {
      const double raw =
          bits == 16 ? words[i] : words[2 * i] + 65536.0 * words[2 * i + 1];  // little endian
      const std::size_t frame = i / plane;
      const std::size_t k = descending_ ? dose_.offsets.size() - 1 - frame : frame;
      dose_.values[k * plane + i % plane] = static_cast<float>(raw * *scaling);
    }
    return {};
  }

  DataSet& data_;
  DcmItem& root_;
  Dose dose_;
  bool descending_ = false;
};

}  // namespace

std::optional<double> Dose::at(Vec3 point) const {
  const Vec3 off = point - origin;
  const auto i = between(dot(off, row) / row_step, columns);
  const auto j = between(dot(off, column) / column_step, rows);
  const auto k = between(dot(off, normal), offsets);
  if (!i || !j || !k) return std::nullopt;
  double sum = 0;
  for (int corner = 0; corner < 8; ++corner) {
    const int di = corner & 1, dj = corner >> 1 & 1, dk = corner >> 2;
    const double weight =
        (di ? i->part : 1 - i->part) * (dj ? j->part : 1 - j->part) * (dk ? k->part : 1 - k->part);
    if (weight == 0) continue;
    const std::size_t voxel = ((k->index + static_cast<std::size_t>(dk)) * rows + j->index +
                               static_cast<std::size_t>(dj)) *
                                  columns +
                              i->index + static_cast<std::size_t>(di);
    sum += weight * static_cast<double>(values[voxel]);
  }
  return sum;
}

Result<Dose> read_dose(ByteSpan data_set, const Uid& transfer_syntax, const TreeLimits& limits) {
  auto data = DataSet::parse(data_set, transfer_syntax, limits);
  if (!data) return std::move(data).error();
  return DoseReader(*data).read();
}

}  // namespace dr::rtstruct
