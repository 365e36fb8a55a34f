#include "router/rules/rule_set.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <system_error>
#include <tuple>

#include <sys/stat.h>
#include <toml++/toml.h>

#include "router/rules/lint.h"
#include "router/rules/program.h"
#include "router/rules/rule_file.h"
#include "router/rules/toml_reader.h"
#include "router/rules/toml_shape.h"
#include "router/rules/transform.h"
#include "router/rules/transform_csv.h"

namespace dr::rules {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFile = 1U << 20;
constexpr std::size_t kMaxAll = 16U << 20;
constexpr std::size_t kMaxFiles = 1000;

class CompiledRuleSet final : public RuleSet {
 public:
  CompiledRuleSet(std::vector<RuleInfo> infos, Program program, std::string sha256,
                  std::vector<RuleFileInfo> files)
      : infos_(std::move(infos)),
        program_(std::move(program)),
        plan_(program_.scan_plan()),
        sha256_(std::move(sha256)),
        files_(std::move(files)) {}

  const std::vector<RuleInfo>& rules() const override { return infos_; }
  const encoding::ScanPlan& scan_plan() const override { return plan_; }
  const std::string& sha256() const override { return sha256_; }
  const std::vector<RuleFileInfo>& files() const override { return files_; }
  Decision decide(const Facts& facts) const override { return program_.decide(facts); }
  bool extracts() const override {
    return std::ranges::any_of(program_.rules, &Program::Rule::extract);
  }
  Explanation explain(const Facts& facts) const override { return program_.explain(facts); }
  std::string canonical() const override { return program_.canonical(); }
  std::vector<Question> questions() const override { return questions_of(program_); }

 private:
  const std::vector<RuleInfo> infos_;
  const Program program_;
  const encoding::ScanPlan plan_;
  const std::string sha256_;
  const std::vector<RuleFileInfo> files_;
};

toml::source_region at(std::uint32_t line, std::uint32_t column) {
  return {{line, column}, {line, column}, nullptr};
}

/// Names of *.toml, in octet order; hidden ones are editors' own.
std::vector<std::string> rule_files(const fs::path& folder, Findings& findings) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') || !name.ends_with(".toml")) continue;
    names.push_back(name);
  }
  if (error) findings.error({}, "the rule folder can not be read: " + error.message());
  if (names.size() > kMaxFiles) {
    findings.error({}, "more than " + std::to_string(kMaxFiles) + " rule files");
    names.clear();
  }
  std::ranges::sort(names);
  return names;
}

std::optional<std::string> read_text(const fs::path& path, Findings& findings) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) {  // a pipe would keep us waiting
    findings.error({}, error ? "can not be read: " + error.message() : "is not a file");
    return std::nullopt;
  }
  std::ifstream in(path, std::ios::binary);
  std::string text(kMaxFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.eof()) {
    findings.error({}, in ? "is longer than " + std::to_string(kMaxFile) + " octets"
                          : std::string("can not be read"));
    return std::nullopt;
  }
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::optional<toml::table> parse(std::string_view text, Findings& findings) {
  if (const auto place = too_deep(text)) {
    findings.error(at(place->line, place->column), "nests too deep");
    return std::nullopt;
  }
  toml::parse_result parsed = toml::parse(text, findings.file());
  if (parsed) return std::move(parsed).table();
  findings.error(parsed.error().source(), std::string(parsed.error().description()));
  return std::nullopt;
}

std::uint32_t owner_of(const fs::path& file) {
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? status.st_uid : std::uint32_t(-1);
}

/// A folder that is exchanged by exchanging a link must not be read half from each.
fs::path real_path(const fs::path& folder) {
  std::error_code error;
  const fs::path real = fs::canonical(folder, error);
  return error ? folder : real;
}

class Loader {
 public:
  Loader(const std::string& folder, const Site& site)
      : folder_(folder), real_(real_path(folder)), site_(site), compiler_(site) {}

  RuleSet::Loaded load() {
    Findings findings(folder_.string());
    for (const std::string& name : rule_files(real_, findings)) add(name);
    take(findings);
    std::ranges::move(missing_keys(compiler_.infos(), folder_.string(), site_.has_pseudonym_key),
                      std::back_inserter(diagnostics_));
    const auto is_error = [](const Diagnostic& d) {
      return d.severity == Diagnostic::Severity::kError;
    };
    if (std::ranges::any_of(diagnostics_, is_error)) {
      return {nullptr, std::move(diagnostics_), std::move(files_)};
    }
    add_maps();
    for (Diagnostic& warning : lint(compiler_.program(), compiler_.infos(), site_, folder_)) {
      diagnostics_.push_back(std::move(warning));
    }
    return {std::make_shared<CompiledRuleSet>(compiler_.take_infos(), compiler_.take_program(),
                                              sha256_of(canonical_), files_),
            std::move(diagnostics_), std::move(files_)};
  }

 private:
  void add(const std::string& name) {
    Findings findings((folder_ / name).string());
    if (const auto text = read_text(real_ / name, findings)) {
      files_.push_back({name, sha256_of(*text), owner_of(real_ / name)});
      for (const std::string_view part : {std::string_view(name), std::string_view(*text)}) {
        canonical_ += std::to_string(part.size()) + ':';
        canonical_ += part;
      }
      if (canonical_.size() > kMaxAll) {
        findings.error(
            {}, "all rule files together are longer than " + std::to_string(kMaxAll) + " octets");
        canonical_.clear();
      } else if (const auto table = parse(*text, findings)) {
        compiler_.add_file(*table, name, findings);
      }
    }
    take(findings);
  }

  /// CSV files are part of the rules: a change of one is a change of them.
  void add_maps() {
    std::map<std::string, std::string> digests;
    for (const RuleInfo& rule : compiler_.infos()) {
      if (rule.transform.empty()) continue;
      const auto transform = parse_transform(rule.transform);
      if (!transform) continue;
      for (const MapAction* map : transform->maps()) digests[map->file] = map->sha256;
    }
    for (const auto& [file, sha256] : digests) {
      files_.push_back({file, sha256, owner_of(file)});
      canonical_ += std::to_string(file.size()) + ':' + file + sha256;
    }
  }

  void take(Findings& findings) {
    auto found = findings.take();
    std::ranges::stable_sort(found, {},
                             [](const Diagnostic& d) { return std::tuple(d.line, d.column); });
    std::ranges::move(found, std::back_inserter(diagnostics_));
  }

  const fs::path folder_;  // as people name it
  const fs::path real_;    // what it was when the reading began
  const Site& site_;
  RuleCompiler compiler_;
  std::string canonical_;  // every file's name and content, each behind its length
  std::vector<Diagnostic> diagnostics_;
  std::vector<RuleFileInfo> files_;
};

}  // namespace

RuleSet::Loaded RuleSet::load(const std::string& folder, const Site& site) {
  return Loader(folder, site).load();
}

RuleSet::Loaded RuleSet::load(const std::string& folder, const std::set<std::string>& targets) {
  Site site;
  site.targets = targets;
  return load(folder, site);
}

}  // namespace dr::rules
