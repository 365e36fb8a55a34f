#pragma once

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <vector>

#include <zlib.h>

#include "rtstruct/vec3.h"

namespace dr::rtstruct::test {

/// A NIfTI-1 file as its standard says (nifti1.h), read without our writer's help: voxels that are
/// not zero, and the affine of its sform or qform, in DICOM's axes.
struct NiftiFile {
  std::array<std::size_t, 3> dim{};
  std::array<Vec3, 3> step;  // mm, of one voxel along each axis
  Vec3 origin;
  std::vector<bool> inside;

  bool at(std::size_t i, std::size_t j, std::size_t k) const {
    return inside[(k * dim[1] + j) * dim[0] + i];
  }
  Vec3 place(double i, double j, double k) const {
    return origin + i * step[0] + j * step[1] + k * step[2];
  }
  /// The voxel around this place.
  std::optional<bool> at(Vec3 p) const {
    const Vec3 off = p - origin;
    std::array<std::size_t, 3> index{};
    for (std::size_t axis = 0; axis < 3; ++axis) {
      const double n = std::round(dot(off, step[axis]) / dot(step[axis], step[axis]));
      if (n < 0 || n >= static_cast<double>(dim[axis])) return std::nullopt;
      index[axis] = static_cast<std::size_t>(n);
    }
    return at(index[0], index[1], index[2]);
  }
  std::size_t voxels() const {
    std::size_t n = 0;
    for (const bool in : inside) n += in;
    return n;
  }
  double volume() const {
    return static_cast<double>(voxels()) * std::abs(dot(cross(step[0], step[1]), step[2]));
  }
};

inline std::vector<char> gunzip(const std::filesystem::path& path) {
  const gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) throw std::runtime_error("cannot open " + path.string());
  std::vector<char> all;
  std::vector<char> piece(1U << 20);
  int n = 0;
  while ((n = gzread(file, piece.data(), static_cast<unsigned>(piece.size()))) > 0) {
    all.insert(all.end(), piece.begin(), piece.begin() + n);
  }
  int status = Z_OK;
  gzerror(file, &status);
  gzclose(file);
  if (n < 0 || status < 0) throw std::runtime_error("not gzip: " + path.string());
  return all;
}

inline NiftiFile read_nifti(const std::filesystem::path& path, bool prefer_qform = false) {
  const std::vector<char> octets = gunzip(path);
  const auto get = [&](std::size_t at, auto value) {
    if (at + sizeof value > octets.size()) throw std::runtime_error("short NIfTI");
    std::memcpy(&value, octets.data() + at, sizeof value);
    return value;
  };
  const auto f = [&](std::size_t at) { return static_cast<double>(get(at, float{})); };
  NiftiFile file;
  for (std::size_t axis = 0; axis < 3; ++axis) {
    file.dim[axis] = static_cast<std::size_t>(get(42 + 2 * axis, std::int16_t{}));
  }
  if (get(254, std::int16_t{}) > 0 && !prefer_qform) {
    const auto row = [&](std::size_t c) {
      return Vec3{-f(280 + 4 * c), -f(296 + 4 * c), f(312 + 4 * c)};
    };
    file.step = {row(0), row(1), row(2)};
    file.origin = row(3);
  } else {
    const double b = f(256), c = f(260), d = f(264);
    const double a = std::sqrt(std::max(0.0, 1 - b * b - c * c - d * d));
    const double qfac = f(76) < 0 ? -1 : 1;
    const Vec3 x{a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)};
    const Vec3 y{2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)};
    const Vec3 z{2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - c * c - b * b};
    const auto lps = [](Vec3 v) { return Vec3{-v.x, -v.y, v.z}; };
    file.step = {f(80) * lps(x), f(84) * lps(y), qfac * f(88) * lps(z)};
    file.origin = {-f(268), -f(272), f(276)};
  }
  const int type = get(70, std::int16_t{});
  const std::size_t size = static_cast<std::size_t>(get(72, std::int16_t{})) / 8;
  const auto start = static_cast<std::size_t>(f(108));
  const std::size_t n = file.dim[0] * file.dim[1] * file.dim[2];
  if (octets.size() < start + n * size) throw std::runtime_error("short NIfTI");
  for (std::size_t i = 0; i < n; ++i) {
    const char* p = octets.data() + start + i * size;
    double value = 0;
    if (type == 16) {
      float v = 0;
      std::memcpy(&v, p, 4);
      value = static_cast<double>(v);
    } else if (type == 64) {
      std::memcpy(&value, p, 8);
    } else {
      for (std::size_t o = 0; o < size; ++o) value += p[o] != 0;
    }
    file.inside.push_back(value > 0.5);
  }
  return file;
}

/// 2 |A ∩ B| / (|A| + |B|), voxels matched by their place in the patient.
inline double dice(const NiftiFile& a, const NiftiFile& b) {
  std::size_t both = 0;
  for (std::size_t k = 0; k < a.dim[2]; ++k) {
    for (std::size_t j = 0; j < a.dim[1]; ++j) {
      for (std::size_t i = 0; i < a.dim[0]; ++i) {
        if (a.at(i, j, k)) {
          both +=
              b.at(a.place(static_cast<double>(i), static_cast<double>(j), static_cast<double>(k)))
                  .value_or(false);
        }
      }
    }
  }
  return 2 * static_cast<double>(both) / static_cast<double>(a.voxels() + b.voxels());
}

}  // namespace dr::rtstruct::test
