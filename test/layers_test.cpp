#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "test/support/paths.h"

namespace {

// The table of the conventions: what a folder may include, besides itself and the standard library.
// Ours are named by folder, libraries by the first part of their header's name.
const std::map<std::string, std::set<std::string>> kAllowed = {
    {"dimse/base", {}},
    {"dimse/encoding", {"dimse/base", "dcmtk", "zlib"}},
    {"dimse/file", {"dimse/base", "dimse/encoding"}},
    {"dimse/ul", {"dimse/base", "asio", "openssl"}},
    {"dimse/message", {"dimse/base", "dimse/encoding", "dimse/ul", "asio"}},
    {"dimse/service",
     {"dimse/base", "dimse/encoding", "dimse/file", "dimse/ul", "dimse/message", "asio"}},
    {"rtstruct", {"dimse/base", "dimse/encoding", "dimse/file", "dcmtk", "zlib", "nlohmann"}},
    {"db", {"dimse/base", "pqxx", "libpq-fe", "cppconn", "mysql_driver", "SQLiteCpp", "sqlite3"}},
    {"router/journal", {"dimse/base", "openssl"}},
    {"router/worker", {"dimse/base", "seccomp"}},
    {"router/rules", {"dimse/base", "dimse/encoding", "toml++", "re2", "cctz", "openssl"}},
    {"router/delivery",
     {"dimse/base", "dimse/encoding", "dimse/file", "dimse/ul", "dimse/message", "dimse/service",
      "router/journal", "router/rules", "router/worker", "asio", "httplib", "nlohmann", "openssl"}},
    {"router/audit", {"dimse/base", "router/journal", "db", "openssl"}},
    {"router/replay",
     {"dimse/base", "dimse/encoding", "router/journal", "router/rules", "router/audit", "SQLiteCpp",
      "zlib", "openssl"}},
    {"router/admin",
     {"dimse/base", "dimse/encoding", "dimse/file", "dimse/ul", "dimse/message", "dimse/service",
      "router/journal", "router/rules", "router/delivery", "db", "asio", "httplib", "nlohmann",
      "prometheus", "openssl"}},
    {"router/extraction",
     {"dimse/base", "dimse/encoding", "rtstruct", "router/rules", "router/journal", "router/worker",
      "router/audit", "SQLiteCpp", "httplib", "nlohmann", "openssl", "zlib"}},
    {"router/cli",
     {"dimse/base", "rtstruct", "router/extraction", "dimse/file", "dimse/service", "router",
      "router/journal", "router/rules", "router/delivery", "router/worker", "router/audit",
      "router/admin", "router/replay", "db", "asio", "nlohmann", "CLI"}},
    {"router",
     {"dimse/base", "dimse/encoding", "dimse/message", "dimse/ul", "dimse/service",
      "router/journal", "router/rules", "router/worker", "router/delivery", "router/audit",
      "router/admin", "router/extraction", "router/replay", "db", "asio", "nlohmann", "spdlog",
      "toml++", "openssl"}},
    {"router/main", {"router/cli"}},
};

bool is_standard(const std::string& header) {
  static const std::regex kStandard(
      "[a-z_0-9]+|[a-z_0-9]+\\.h|(sys|netinet|arpa|linux)/[a-z_0-9]+\\.h");
  return std::regex_match(header, kStandard) && header != "zlib.h" && header != "httplib.h" &&
         header != "sqlite3.h" && header != "seccomp.h" && header != "asio.hpp";
}

std::string first_part(const std::string& header) {
  return header.substr(0, header.find_first_of("/."));
}

TEST(Layers, EachFolderIncludesOnlyWhatItMayKnow) {
  const std::filesystem::path root = dr::test::source_dir();
  const std::regex include("^\\s*#include\\s+([<\"])([^>\"]+)[>\"]");
  std::size_t seen = 0;
  for (const auto& [folder, allowed] : kAllowed) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::directory_iterator(root / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp") continue;
      std::ifstream in(entry.path());
      std::string line;
      for (int number = 1; std::getline(in, line); ++number) {
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        ++seen;
        const std::string header = match[2];
        const bool ours = match[1] == "\"";
        const std::string from =
            ours ? std::filesystem::path(header).parent_path().string() : first_part(header);
        const bool fine = ours ? from == folder || allowed.contains(from)
                               : is_standard(header) || allowed.contains(from);
        EXPECT_TRUE(fine) << entry.path().string() << ":" << number << ": " << folder
                          << " may not include " << header;
      }
    }
  }
  EXPECT_GT(seen, 20U);
}

}  // namespace
