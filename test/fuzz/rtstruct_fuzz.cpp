// Any octets as an RT Structure Set, and as an RT Dose: reading, geometry, masks and report end,
// under small limits, and what is reported is a number.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "rtstruct/extract.h"
#include "rtstruct/nifti.h"

namespace {

using namespace dr;
using namespace dr::rtstruct;

const Uid kSyntaxes[] = {uid_literal("1.2.840.10008.1.2"), uid_literal("1.2.840.10008.1.2.1"),
                         uid_literal("1.2.840.10008.1.2.2"), uid_literal("1.2.840.10008.1.2.1.99")};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

ImageGrid grid() {
  ImageGrid g;
  g.columns = g.rows = g.slices = 32;
  g.row_step = g.column_step = g.slice_step = 3;
  g.origin = {-48, -48, -48};
  return g;
}

void measure_all(const StructureSet& set) {
  const ImageGrid images = grid();
  for (const Roi& roi : set.rois) {
    for (const ImageGrid* on : {static_cast<const ImageGrid*>(nullptr), &images}) {
      const Stack stack = stack_contours(roi, on);
      MeasureOptions options;
      options.grid = on;
      options.steps = 200'000;
      const Measures measures = measure(roi, stack, options);
      require(!measures.volume || (std::isfinite(*measures.volume) && *measures.volume > -1e-3),
              "volume");
      require(!measures.surface || std::isfinite(*measures.surface), "surface");
      if (on == nullptr) continue;
      Budget budget(200'000);
      const auto mask = rasterize(stack, measures, images, budget);
      if (!mask) continue;
      require(mask->voxels() <= images.voxels(), "more voxels than there are");
      require(nifti_gz(*mask, images).ok(), "NIfTI");
    }
  }
}

}  // namespace

/// First octet: transfer syntax.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Uid& syntax = kSyntaxes[data[0] % 4];
  const ByteSpan octets = std::as_bytes(std::span(data + 1, size - 1));
  ReadLimits limits;
  limits.tree.elements = 20'000;
  limits.tree.inflated = 1U << 20;
  limits.points = 20'000;
  const auto set = read_structure_set(octets, syntax, limits);
  if (set) {
    measure_all(*set);
    require(!to_json(extract(*set, {}, {}, {})).empty(), "JSON");
  }
  const auto dose = read_dose(octets, syntax, limits.tree);
  if (dose) (void)dose->at(dose->origin);
  return 0;
}
