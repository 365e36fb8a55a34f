// Any octets, in any encoding: a scan ends, keeps what it promised to keep, and finds the same
// whether they come in one piece or in many.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "dimse/encoding/header_scanner.h"
#include "test/dimse/encoding/split_scan.h"

namespace {

using namespace dr;
using namespace dr::encoding;

const Uid kSyntaxes[] = {uid_literal("1.2.840.10008.1.2"), uid_literal("1.2.840.10008.1.2.1"),
                         uid_literal("1.2.840.10008.1.2.2"), uid_literal("1.2.840.10008.1.2.1.99")};

const ScanPlan kPlan({Tag{0x0002, 0x0010}, tags::kSpecificCharacterSet, tags::kSopClassUid,
                      tags::kSopInstanceUid, Tag{0x0008, 0x1140}, Tag{0x0009, 0x1001},
                      tags::kPatientId, tags::kSeriesInstanceUid, Tag{0x3006, 0x0020}});

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

/// First octet: transfer syntax and how the rest is cut.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Uid& syntax = kSyntaxes[data[0] % 4];
  const ByteSpan octets = std::as_bytes(std::span(data + 1, size - 1));
  const auto whole = scan_in_pieces(kPlan, syntax, octets, [] { return SIZE_MAX; });
  require(whole.state() != HeaderScanner::State::kMore, "not at an end");
  std::size_t kept = 0;
  for (const Tag tag : kPlan.tags()) {
    const ScannedElement* element = whole.find(tag);
    if (element) kept += element->value.size();
  }
  require(kept <= 1024 * 1024, "too much kept");
  std::uint32_t x = data[0];
  const auto pieces = scan_in_pieces(kPlan, syntax, octets, [&] {
    x = x * 1664525 + 1013904223;
    return 1 + (x >> 16) % (1U << (data[0] >> 4));
  });
  const auto differs = difference(kPlan, whole, pieces);
  require(!differs, differs ? differs->c_str() : "");
  return 0;
}
