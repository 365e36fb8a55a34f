#include "router/extraction/expectations.h"

#include <algorithm>
#include <limits>

#include "router/rules/toml_reader.h"

namespace dr::extraction {
namespace {

constexpr double kMostVolume = 1e6;  // cm³

void read_names(rules::TableReader& root, rtstruct::Expectations& out, rules::Findings& findings) {
  const toml::table* table = root.table("names");
  if (table == nullptr) return;
  rules::TableReader names(*table, "[names]", findings);
  for (const auto& [key, value] : *table) {
    const std::string written(key.str());
    std::string standard;
    if (!names.require(written, standard)) continue;
    if (!rtstruct::is_tg263_form(standard)) {
      names.error(
          written,
          "'" + standard + "' is no standard name: at most 16 letters, digits, _ ^ ~ - + . ( )");
      continue;
    }
    out.names[written] = standard;
  }
  names.finish();
}

void read_volumes(rules::TableReader& root, rtstruct::Expectations& out,
                  rules::Findings& findings) {
  for (const toml::table* table : root.tables("volume")) {
    rules::TableReader volume(*table, "[[volume]]", findings);
    std::string name;
    constexpr double kAbsent = std::numeric_limits<double>::infinity();
    double least = kAbsent, most = kAbsent;
    const bool named = volume.require("name", name);
    volume.read("least", least, 0, kMostVolume);
    volume.read("most", most, 0, kMostVolume);
    volume.finish();
    if (least != kAbsent && most != kAbsent && least > most) {
      volume.error("least", "'least' is above 'most'");
    }
    if (!named) continue;
    auto& limits = out.volumes[name];
    if (least != kAbsent) limits.least = least;
    if (most != kAbsent) limits.most = most;
  }
}

void read_exclusive(rules::TableReader& root, rtstruct::Expectations& out,
                    rules::Findings& findings) {
  for (const toml::table* table : root.tables("exclusive")) {
    rules::TableReader group(*table, "[[exclusive]]", findings);
    std::vector<std::string> rois;
    group.read("rois", rois);
    group.finish();
    if (rois.size() < 2) {
      group.error("rois", "'rois' must name two or more");
      continue;
    }
    out.exclusive.push_back(std::move(rois));
  }
}

}  // namespace

bool LoadedExpectations::good() const {
  return std::ranges::none_of(diagnostics, [](const rules::Diagnostic& d) {
    return d.severity == rules::Diagnostic::Severity::kError;
  });
}

LoadedExpectations load_expectations(const std::filesystem::path& file) {
  LoadedExpectations loaded;
  rules::Findings findings(file.string());
  if (const auto table = rules::read_toml(file, findings)) {
    rules::TableReader root(*table, "the file", findings);
    read_names(root, loaded.expectations, findings);
    read_volumes(root, loaded.expectations, findings);
    read_exclusive(root, loaded.expectations, findings);
    root.read("unknown_names", loaded.expectations.unknown_names);
    root.read("overlap", loaded.expectations.overlap, 0, kMostVolume);
    root.finish();
  }
  loaded.diagnostics = findings.take();
  return loaded;
}

}  // namespace dr::extraction
