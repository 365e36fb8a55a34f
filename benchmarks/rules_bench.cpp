// What the decision costs an object: sets of rules as sites have them, on a scanned CT header. The
// scan itself is header_scan_bench's subject.
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
  std::ofstream(folder / "10.toml") << text;
  auto loaded = RuleSet::load(folder.string(), {"archive", "orthanc"});
  std::filesystem::remove_all(folder);
  return loaded.rules;
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

void decide(benchmark::State& state, const std::string& text, std::string_view patient_name) {
  const auto rules = load(text);
  if (!rules) return state.SkipWithError("the rules are wrong");
  const Uid syntax = uid_literal("1.2.840.10008.1.2.1");
  const Uid sop_class = uid_literal("1.2.840.10008.5.1.4.1.1.2");
  const AeTitle calling = *AeTitle::parse("ED_CT2");
  const AeTitle called = *AeTitle::parse("ROUTER");
  const std::string address = "10.1.2.3";
  const std::string listener = "modalities";
  const std::string none;
  const Bytes octets = ct(patient_name);
  HeaderScanner header(rules->scan_plan(), syntax);
  header.feed(octets);
  header.finish();
  const rules::Facts facts{calling, called,    address, listener,    none,
                           none,    sop_class, syntax,  UtcMicros{}, header};
  for ([[maybe_unused]] auto _ : state) {
    auto decision = rules->decide(facts);
    benchmark::DoNotOptimize(decision);
  }
}

constexpr std::string_view kAscii = "Mueller^Joerg";
constexpr std::string_view kLatin1 = "M\xfcller^J\xf6rg ";

BENCHMARK_CAPTURE(decide, one_rule, many(0, "", ""), kAscii);
BENCHMARK_CAPTURE(decide, literals_100, many(98, "Modality = \"CT\", StationName = \"ST", "\""),
                  kAscii);
BENCHMARK_CAPTURE(decide, senders_100,
                  many(98, "source.ae_title = \"ED_CT_", "*\", Modality = \"CT\""), kAscii);
BENCHMARK_CAPTURE(decide, globs_100, many(98, "StudyDescription = \"*TRIAL-", "9*\""), kAscii);
BENCHMARK_CAPTURE(decide, comparisons_100, many(98, "SliceThickness = \"> 1", ".5\""), kAscii);
BENCHMARK_CAPTURE(decide, expressions_100, many(98, "StationName = '/^ED\\d", "x$/'"), kAscii);
BENCHMARK_CAPTURE(decide, latin1_100, many(98, "PatientName = \"Müller^", "*\""), kLatin1);
BENCHMARK_CAPTURE(decide, private_100, many(98, "\"(0019,GEMS_ACQU_01,30)\" = \"> 1", "\""),
                  kAscii);

}  // namespace
