#pragma once

#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "dimse/encoding/header_scanner.h"
#include "router/rules/rule_set.h"
#include "test/dimse/encoding/data_set_builder.h"
#include "test/support/temp_dir.h"

namespace dr::rules {

inline constexpr std::string_view kImplicitLe = "1.2.840.10008.1.2";
inline constexpr std::string_view kExplicitLe = "1.2.840.10008.1.2.1";
inline constexpr std::string_view kExplicitBe = "1.2.840.10008.1.2.2";

/// A rule folder of its own; diagnostics name its files "rules.d/NAME".
class RuleFolder {
 public:
  RuleFolder() { std::filesystem::create_directory(folder()); }

  std::filesystem::path folder() const { return dir_ / "rules.d"; }
  void write(const std::string& name, std::string_view text) const {
    std::ofstream(folder() / name, std::ios::binary) << text;
  }
  RuleSet::Loaded load() const {
    return RuleSet::load(folder().string(), {"archive", "orthanc", "xnat", "archives"});
  }
  /// All diagnostics, as people see them, without the temporary folder's name.
  std::vector<std::string> findings() const {
    std::vector<std::string> lines;
    for (const Diagnostic& d : load().diagnostics) {
      lines.push_back(d.to_string().substr(dir_.path().string().size() + 1));
    }
    return lines;
  }

 private:
  test::TempDir dir_;
};

/// What `text`, as the only file 10.toml, is answered with.
inline std::vector<std::string> findings_of(std::string_view text) {
  const RuleFolder folder;
  folder.write("10.toml", text);
  return folder.findings();
}

/// The rules of `text`; fails the test on any error.
inline std::shared_ptr<const RuleSet> rules_of(std::string_view text) {
  const RuleFolder folder;
  folder.write("10.toml", text);
  auto loaded = folder.load();
  for (const Diagnostic& d : loaded.diagnostics) {
    if (d.severity == Diagnostic::Severity::kError) ADD_FAILURE() << d.to_string();
  }
  if (!loaded.rules) throw std::runtime_error("no rules");
  return loaded.rules;
}

/// An object and its sender.
struct Object {
  Bytes data_set;
  std::string_view transfer_syntax = kExplicitLe;
  std::string_view sop_class = "1.2.840.10008.5.1.4.1.1.2";
  std::string_view calling = "CT1";
  std::string_view called = "ROUTER";
  std::string address = "10.1.2.3";
  std::string listener = "modalities";
  std::string tls_subject{};
  std::string user{};
  UtcMicros received{};
  std::string character_set{};
};

/// Calls `ask` with the object as rules see it.
template <class Ask>
auto ask_about(const RuleSet& rules, const Object& object, Ask ask) {
  const AeTitle calling = *AeTitle::parse(object.calling);
  const AeTitle called = *AeTitle::parse(object.called);
  const Uid sop_class = uid_literal(object.sop_class);
  const Uid transfer_syntax = uid_literal(object.transfer_syntax);
  encoding::HeaderScanner header(rules.scan_plan(), transfer_syntax);
  header.feed(object.data_set);
  header.finish();
  return ask(Facts{calling, called, object.address, object.listener, object.tls_subject,
                   object.user, sop_class, transfer_syntax, object.received, header,
                   object.character_set});
}

inline Decision decide(const RuleSet& rules, const Object& object) {
  return ask_about(rules, object, [&](const Facts& facts) { return rules.decide(facts); });
}

inline Explanation explain(const RuleSet& rules, const Object& object) {
  return ask_about(rules, object, [&](const Facts& facts) { return rules.explain(facts); });
}

/// Whether a rule with this one condition (`{ ... }`) matches.
inline bool matches(std::string_view when, const Object& object) {
  const auto rules =
      rules_of("[[rule]]\nname = \"r\"\nwhen = " + std::string(when) + "\nroute = [\"archive\"]\n");
  return !decide(*rules, object).matched.empty();
}

/// One text element alone in a data set.
inline Object with(encoding::Tag tag, const char (&v)[3], std::string_view value) {
  encoding::DataSetBuilder set;
  set.element(tag, encoding::vr(v[0], v[1]), value);
  return {.data_set = set.bytes()};
}

}  // namespace dr::rules
