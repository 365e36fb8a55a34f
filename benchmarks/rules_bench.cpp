// What the decision costs an object: sets of rules as sites have them, on a scanned CT header. The
// scan itself is header_scan_bench's subject.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include <benchmark/benchmark.h>
#include <unistd.h>

#include "router/rules/rule_set.h"
#include "test/dimse/encoding/data_set_builder.h"

namespace {

using namespace dr;
using namespace dr::encoding;
using rules::RuleSet;

std::shared_ptr<const RuleSet> load(const std::string& text) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("rules_bench." + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  constexpr std::size_t kMost = 1U << 20;  // octets of one file
  for (std::size_t at = 0, file = 10; at < text.size(); ++file) {
    const std::size_t cut = text.find("[[rule]]", std::min(at + kMost * 9 / 10, text.size()));
    const std::size_t end = std::min(cut, text.size());
    std::ofstream(folder / (std::to_string(file) + ".toml")) << text.substr(at, end - at);
    at = end;
  }
  auto loaded = RuleSet::load(folder.string(), {"archive", "orthanc"});
  std::filesystem::remove_all(folder);
  return loaded.rules;
}

/// A CT image's header, from a real scanner's in size and kind.
Bytes whole_ct() {
  Bytes item;
  {
    DataSetBuilder code;
    code.element({0x0008, 0x0100}, vr('S', 'H'), "CTTHORAX")
        .element({0x0008, 0x0102}, vr('S', 'H'), "99LOCAL ");
    item = code.bytes();
  }
  DataSetBuilder set;
  set.element(tags::kSpecificCharacterSet, vr('C', 'S'), "ISO_IR 100")
      .element({0x0008, 0x0008}, vr('C', 'S'), "ORIGINAL\\PRIMARY\\AXIAL\\CT_SOM5 SPI ")
      .element({0x0008, 0x0012}, vr('D', 'A'), "20260131")
      .element(tags::kSopClassUid, vr('U', 'I'), "1.2.840.10008.5.1.4.1.1.2 ")
      .element(tags::kSopInstanceUid, vr('U', 'I'), "1.2.840.113619.2.30.1.1762295590.1623.978.109")
      .element({0x0008, 0x0020}, vr('D', 'A'), "20260131")
      .element({0x0008, 0x0030}, vr('T', 'M'), "083015.250000 ")
      .element({0x0008, 0x0050}, vr('S', 'H'), "ACC0012345")
      .element(tags::kModality, vr('C', 'S'), "CT")
      .element({0x0008, 0x0070}, vr('L', 'O'), "SIEMENS ")
      .element({0x0008, 0x0080}, vr('L', 'O'), "University Hospital ")
      .element({0x0008, 0x0090}, vr('P', 'N'), "House^Gregory ")
      .element({0x0008, 0x1010}, vr('S', 'H'), "ED12")
      .element({0x0008, 0x1030}, vr('L', 'O'), "Thorax TRIAL-7 follow-up")
      .undefined({0x0008, 0x1032}, vr('S', 'Q'))
      .item(static_cast<std::uint32_t>(item.size()))
      .raw(item)
      .end_sequence()
      .element({0x0008, 0x103e}, vr('L', 'O'), "Thorax  1.25  B70f")
      .element({0x0008, 0x1090}, vr('L', 'O'), "SOMATOM Force ")
      .element({0x0010, 0x0010}, vr('P', 'N'), "M\xfcller^J\xf6rg ")
      .element(tags::kPatientId, vr('L', 'O'), "PATIENT-0001")
      .element({0x0010, 0x1010}, vr('A', 'S'), "054Y")
      .element({0x0018, 0x0015}, vr('C', 'S'), "CHEST ")
      .element({0x0018, 0x0050}, vr('D', 'S'), "1.25")
      .element({0x0018, 0x1030}, vr('L', 'O'), "ThoraxRoutine ")
      .element({0x0018, 0x1210}, vr('S', 'H'), "B70f")
      .element({0x0019, 0x0010}, vr('L', 'O'), "SIEMENS CT VA1 COAD ")
      .element({0x0019, 0x10b0}, vr('D', 'S'), "3.5 ");
  for (std::uint16_t i = 0; i < 40;
       ++i) {  // geometry, exposure and the like, which nobody asks for
    set.element({0x0018, static_cast<std::uint16_t>(0x9000 + i)}, vr('D', 'S'), "120.0000");
  }
  set.element(tags::kStudyInstanceUid, vr('U', 'I'), "1.2.840.113619.2.30.1.1762295590.1623 ")
      .element(tags::kSeriesInstanceUid, vr('U', 'I'), "1.2.840.113619.2.30.1.1762295590.1624 ")
      .element({0x0028, 0x0010}, vr('U', 'S'), std::string_view("\0\2", 2))
      .element({0x0028, 0x0011}, vr('U', 'S'), std::string_view("\0\2", 2));
  return set.bytes();
}

Bytes ct(std::string_view patient_name) {
  DataSetBuilder set;
  set.element(tags::kSpecificCharacterSet, vr('C', 'S'), "ISO_IR 100")
      .element({0x0008, 0x0008}, vr('C', 'S'), "ORIGINAL\\PRIMARY\\AXIAL ")
      .element(tags::kSopClassUid, vr('U', 'I'), "1.2.840.10008.5.1.4.1.1.2 ")
      .element(tags::kModality, vr('C', 'S'), "CT")
      .element({0x0008, 0x1010}, vr('S', 'H'), "ED12")
      .element({0x0008, 0x1030}, vr('L', 'O'), "Thorax TRIAL-7 follow-up")
      .element({0x0010, 0x0010}, vr('P', 'N'), patient_name)
      .element(tags::kPatientId, vr('L', 'O'), "PATIENT-0001")
      .element({0x0018, 0x0050}, vr('D', 'S'), "1.25");
  return set.bytes();
}

/// One condition a rule, `n` rules that differ in their number, the last two match.
std::string many(int n, const std::string& before, const std::string& after) {
  std::string text;
  for (int i = 0; i < n; ++i) {
    const std::string number = std::to_string(i);
    text.append("[[rule]]\nname = \"").append(number).append("\"\nroute = [\"orthanc\"]\n");
    text.append("when = { ").append(before).append(number).append(after).append(" }\n");
  }
  return text +
         "[[rule]]\nname = \"ct\"\nroute = [\"orthanc\"]\nwhen = { Modality = \"CT\" }\n"
         "[[rule]]\nname = \"all\"\nroute = [\"archive\"]\nwhen = {}\n";
}

/// `n` rules of all kinds, as a large site's: most are of other senders, studies and devices than
/// this CT; about every twentieth matches.
std::string mixed(std::int64_t n) {
  std::string text;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::string k = std::to_string(i);
    const std::string conditions[] = {
        "Modality = \"CT\", StationName = \"ST" + k + "\"",
        "source.ae_title = \"ED_CT_" + k + "*\", Modality = [\"CT\", \"MR\"]",
        "StudyDescription = \"*TRIAL-" + k + "9*\"",
        "StationName = '/^ED\\d" + k + "x$/', not = { PatientID = \"\" }",
        "SliceThickness = \"> 1" + k + ".5\", Modality = \"CT\"",
        "StudyDate = \"20" + std::to_string(10 + i % 90) + "0101-\", PatientID = \"P" + k + "\"",
        "any = [ { PatientName = \"Name" + k + "^*\" }, { source.address = \"10.7." +
            std::to_string(i % 256) + ".0/24\" } ]",
        "sop_class = \"group:radiotherapy\", ManufacturerModelName = \"Model " + k + "\"",
        "StudyDescription = '/trial.?" + k + "7/i'",
        "ImageType = \"LOCALIZER\", SeriesDescription = \"*scout " + k + "*\"",
        "source.called_ae_title = \"ROUTER\", BodyPartExamined = \"PART" + k + "\"",
        "received = \"Mon-Fri 20:00-06:00\", InstitutionName = \"Clinic " + k + "\"",
        "ProcedureCodeSequence.CodeValue = \"C" + k + "\"",
        "\"(0019,GEMS_ACQU_01,30)\" = \"> " + k + "\", Modality = \"CT\"",
        "PatientAge = \"> 1" + k + "\", Modality = \"CT\"",
        "not = { any = [ { Modality = \"CT\" }, { StationName = \"X" + k + "\" } ] }",
        "Rows = \"" + std::to_string(1 + i % 60000) + "\", ConvolutionKernel = \"K" + k + "\"",
        "Modality = \"CT\", SliceThickness = \"< 1.5\"",
        "AccessionNumber = [\"A" + k + "\", \"B" + k + "\"]",
        "ReferringPhysicianName = \"Dr" + k + "*\", ProtocolName = '/^P" + k + "/'",
    };
    text += "[[rule]]\nname = \"" + k + "\"\nroute = [\"" + (i % 2 == 0 ? "orthanc" : "archive") +
            "\"]\nwhen = { " + conditions[i % std::size(conditions)] + " }\n";
  }
  return text;
}

/// A CT of the emergency department, for the time of a benchmark.
struct Sent {
  const Uid syntax = uid_literal("1.2.840.10008.1.2.1");
  const Uid sop_class = uid_literal("1.2.840.10008.5.1.4.1.1.2");
  const AeTitle calling = *AeTitle::parse("ED_CT2");
  const AeTitle called = *AeTitle::parse("ROUTER");
  const std::string address = "10.1.2.3";
  const std::string listener = "modalities";
  const std::string none;

  rules::Facts facts(const HeaderScanner& header) const {
    return {calling, called, address, listener, none, none, sop_class, syntax, UtcMicros{}, header};
  }
};

void decide(benchmark::State& state, const std::string& text, const Bytes& octets) {
  const auto rules = load(text);
  if (!rules) return state.SkipWithError("the rules are wrong");
  const Sent sent;
  HeaderScanner header(rules->scan_plan(), sent.syntax);
  header.feed(octets);
  header.finish();
  for ([[maybe_unused]] auto _ : state) {
    auto decision = rules->decide(sent.facts(header));
    benchmark::DoNotOptimize(decision);
  }
}

void mixed_rules(benchmark::State& state) {
  const auto rules = load(mixed(state.range(0)));
  if (!rules) return state.SkipWithError("the rules are wrong");
  const Sent sent;
  const Bytes octets = whole_ct();
  const bool scans = state.range(1) != 0;
  HeaderScanner header(rules->scan_plan(), sent.syntax);
  header.feed(octets);
  std::size_t matched = 0;
  for ([[maybe_unused]] auto _ : state) {
    if (scans) {
      HeaderScanner again(rules->scan_plan(), sent.syntax);
      again.feed(octets);
      matched = rules->decide(sent.facts(again)).matched.size();
    } else {
      matched = rules->decide(sent.facts(header)).matched.size();
    }
    benchmark::DoNotOptimize(matched);
  }
  state.counters["matched"] = static_cast<double>(matched);
  state.counters["per_rule"] =
      benchmark::Counter(static_cast<double>(state.iterations() * state.range(0)),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(mixed_rules)
    ->ArgsProduct({{10, 100, 1'000, 10'000}, {0, 1}})
    ->ArgNames({"rules", "with_scan"})
    ->Repetitions(9)
    ->ReportAggregatesOnly();

constexpr std::string_view kAscii = "Mueller^Joerg";
constexpr std::string_view kLatin1 = "M\xfcller^J\xf6rg ";

BENCHMARK_CAPTURE(decide, one_rule, many(0, "", ""), ct(kAscii));
BENCHMARK_CAPTURE(decide, literals_100, many(98, "Modality = \"CT\", StationName = \"ST", "\""),
                  ct(kAscii));
BENCHMARK_CAPTURE(decide, senders_100,
                  many(98, "source.ae_title = \"ED_CT_", "*\", Modality = \"CT\""), ct(kAscii));
BENCHMARK_CAPTURE(decide, globs_100, many(98, "StudyDescription = \"*TRIAL-", "9*\""), ct(kAscii));
BENCHMARK_CAPTURE(decide, comparisons_100, many(98, "SliceThickness = \"> 1", ".5\""), ct(kAscii));
BENCHMARK_CAPTURE(decide, expressions_100, many(98, "StationName = '/^ED\\d", "x$/'"), ct(kAscii));
BENCHMARK_CAPTURE(decide, latin1_100, many(98, "PatientName = \"Müller^", "*\""), ct(kLatin1));
BENCHMARK_CAPTURE(decide, private_100, many(98, "\"(0019,GEMS_ACQU_01,30)\" = \"> 1", "\""),
                  ct(kAscii));

}  // namespace
