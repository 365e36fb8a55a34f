#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "rtstruct/reader.h"
#include "test/support/dicom_objects.h"

namespace dr::rtstruct::test {

/// A TSV file without quoting: each line by the names of its head.
inline std::vector<std::map<std::string, std::string>> read_tsv(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::vector<std::string> head;
  std::vector<std::map<std::string, std::string>> rows;
  while (std::getline(in, line)) {
    std::vector<std::string> cells(1);
    for (const char c : line) {
      if (c == '\t') {
        cells.emplace_back();
      } else {
        cells.back() += c;
      }
    }
    if (head.empty()) {
      head = cells;
      continue;
    }
    auto& row = rows.emplace_back();
    for (std::size_t i = 0; i < head.size() && i < cells.size(); ++i) row[head[i]] = cells[i];
  }
  return rows;
}

/// As the command line reads it.
inline Result<StructureSet> read_file(const std::filesystem::path& file) {
  auto loaded = load_file(file.string());
  if (!loaded) return std::move(loaded).error();
  return read_structure_set(loaded->data_set, loaded->transfer_syntax);
}

inline bool has(const std::vector<Finding>& findings, std::string_view code) {
  for (const Finding& finding : findings) {
    if (finding.code == code) return true;
  }
  return false;
}

}  // namespace dr::rtstruct::test
