// What the header scan costs an object: a CT header with the seven elements that the node itself
// needs, in one piece as the listener gives it, and in smaller pieces.
#include <string>

#include <benchmark/benchmark.h>

#include "dimse/encoding/header_scanner.h"
#include "dimse/encoding/text.h"
#include "test/dimse/encoding/data_set_builder.h"

namespace {

using namespace dr;
using namespace dr::encoding;

/// 70 elements up to (0020,000E) and a sequence, as scanners write them, then pixel data: 128 KiB.
Bytes ct_header(Encoding encoding) {
  DataSetBuilder set(encoding);
  set.element(tags::kSpecificCharacterSet, vr('C', 'S'), "ISO_IR 100")
      .element({0x0008, 0x0008}, vr('C', 'S'), "ORIGINAL\\PRIMARY\\AXIAL ")
      .element(tags::kSopClassUid, vr('U', 'I'), "1.2.840.10008.5.1.4.1.1.2 ")
      .element(tags::kSopInstanceUid, vr('U', 'I'),
               "1.3.12.2.1107.5.1.4.12345.30000019010107123456700001234 ")
      .element(tags::kModality, vr('C', 'S'), "CT");
  for (std::uint16_t i = 0; i < 16; ++i) {
    set.element({0x0008, static_cast<std::uint16_t>(0x0070 + i)}, vr('L', 'O'), "SIEMENS CT ");
  }
  set.undefined({0x0008, 0x1140}, vr('S', 'Q'))
      .item()
      .element({0x0008, 0x1150}, vr('U', 'I'), "1.2.840.10008.5.1.4.1.1.2 ")
      .element({0x0008, 0x1155}, vr('U', 'I'), "1.2.3.4.5.6.7.8.9.10")
      .end_item()
      .end_sequence();
  set.element(tags::kPatientId, vr('L', 'O'), "PATIENT-0001");
  for (std::uint16_t i = 0x30; i < 0x3a; ++i) {
    set.element({0x0010, i}, vr('L', 'O'), "VALUE ");
  }
  for (std::uint16_t i = 0x10; i < 0x38; ++i) {
    set.element({0x0018, i}, vr('D', 'S'), "123.45");
  }
  set.element(tags::kStudyInstanceUid, vr('U', 'I'), "1.2.840.113619.2.55.3.604688119.969")
      .element(tags::kSeriesInstanceUid, vr('U', 'I'), "1.2.840.113619.2.55.3.604688119.970")
      .element({0x7fe0, 0x0010}, vr('O', 'W'), Bytes(128 * 1024));
  return set.bytes();
}

const ScanPlan kPlan({tags::kSpecificCharacterSet, tags::kSopClassUid, tags::kSopInstanceUid,
                      tags::kModality, tags::kPatientId, tags::kStudyInstanceUid,
                      tags::kSeriesInstanceUid});

void scan(benchmark::State& state, const char* syntax_uid, Encoding encoding) {
  const Bytes octets = ct_header(encoding);
  const Uid syntax = uid_literal(syntax_uid);
  const auto piece = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    HeaderScanner scanner(kPlan, syntax);
    for (ByteSpan rest = octets; scanner.state() == HeaderScanner::State::kMore;) {
      const std::size_t n = std::min(piece, rest.size());
      scanner.feed(rest.first(n));
      rest = rest.subspan(n);
    }
    if (!scanner.find(tags::kSeriesInstanceUid)) state.SkipWithError("not found");
    benchmark::DoNotOptimize(scanner);
  }
}
BENCHMARK_CAPTURE(scan, explicit_le, "1.2.840.10008.1.2.1", kExplicitLittleEndian)
    ->Arg(128 * 1024)
    ->Arg(256)
    ->Arg(1);
BENCHMARK_CAPTURE(scan, implicit_le, "1.2.840.10008.1.2", kImplicitLittleEndian)->Arg(128 * 1024);
BENCHMARK_CAPTURE(scan, explicit_be, "1.2.840.10008.1.2.2", Encoding{true, true})->Arg(128 * 1024);

void decode_text(benchmark::State& state, std::string_view value) {
  for (auto _ : state) {
    const TextDecoder decoder(as_bytes("ISO_IR 100"));
    benchmark::DoNotOptimize(decoder.values(as_bytes(value), vr('P', 'N')));
  }
}
BENCHMARK_CAPTURE(decode_text, ascii, "Mueller^Joerg ");
BENCHMARK_CAPTURE(decode_text, latin1, "M\xfcller^J\xf6rg ");

}  // namespace
