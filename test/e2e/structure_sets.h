#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <nlohmann/json.hpp>

#include "test/e2e/asking.h"
#include "test/e2e/objects.h"
#include "test/rtstruct/dicom_writer.h"
#include "test/rtstruct/phantoms.h"
#include "test/support/router.h"
#include "test/support/temp_dir.h"

namespace dr::test {

/// A phantom on a small CT: `ct/`, `rs.dcm`.
class Patient {
 public:
  explicit Patient(double radius = 10) {
    writer_.write_ct(folder_ / "ct");
    auto sphere = rtstruct::test::sphere(radius), cube = rtstruct::test::cube(12);
    sphere.number = 7;
    sphere.name = "SPHERE";
    cube.number = 8;
    cube.name = "CUBE";
    writer_.write_structure_set({sphere, cube}, structure_set());
    uid_ = file::Part10Reader::open(structure_set().string())->header().sop_instance_uid;
  }

  std::filesystem::path structure_set() const { return folder_ / "rs.dcm"; }
  std::filesystem::path images() const { return folder_ / "ct"; }
  std::vector<std::filesystem::path> image_files() const { return files_below(images()); }
  std::filesystem::path dose() {
    writer_.write_dose([](rtstruct::Vec3 p) { return 20 + p.x / 10; }, folder_ / "dose.dcm");
    return folder_ / "dose.dcm";
  }
  const std::string uid() const { return uid_.str(); }
  const std::filesystem::path folder() const { return folder_.path(); }
  const rtstruct::test::DicomWriter& writer() const { return writer_; }

 private:
  static rtstruct::ImageGrid grid() {
    rtstruct::ImageGrid grid;
    grid.columns = grid.rows = 48;
    grid.slices = 30;
    grid.origin = {-24, -24, -15};
    return grid;
  }

  TempDir folder_;
  rtstruct::test::DicomWriter writer_{grid()};
  Uid uid_;
};

constexpr std::chrono::seconds kExtracted{120};

/// What `dicom-router extract` says.
inline nlohmann::json extracted(const std::vector<std::string>& arguments) {
  const TempDir folder;
  std::vector<std::string> argv{router_program().string(), "extract"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  Process process({.argv = argv, .output = folder / "out", .errors = folder / "errors"});
  EXPECT_EQ(process.wait(std::chrono::minutes(2)), 0) << read_text(folder / "errors");
  return nlohmann::json::parse(read_text(folder / "out"));
}

struct Asked {
  int status = 0;
  std::string body;
};
inline Asked ask_http(const Router& router, const std::string& path) {
  httplib::Client client("127.0.0.1", router.admin_port());
  client.set_read_timeout(std::chrono::seconds(120));
  const auto answer = client.Get(path);
  return answer ? Asked{answer->status, answer->body} : Asked{};
}
/// The answer about a structure set; an empty object where there is none.
inline nlohmann::json told(const Router& router, const std::string& uid) {
  const auto answer = ask_http(router, "/api/v1/rtstruct/" + uid);
  if (answer.status != 200 && answer.status != 202) return nlohmann::json::object();
  return nlohmann::json::parse(answer.body);
}
inline std::string state(const Router& router, const std::string& uid) {
  return told(router, uid).value("/extraction/state"_json_pointer, std::string());
}
/// Until it is in one of these states; the answer then.
inline nlohmann::json wait_for_state(const Router& router, const std::string& uid,
                                     const std::vector<std::string>& states) {
  EXPECT_TRUE(soon([&] { return std::ranges::find(states, state(router, uid)) != states.end(); },
                   kExtracted))
      << told(router, uid).dump(1).substr(0, 600) << router.log();
  return told(router, uid);
}

/// A number out of the audit; -1 while there is none.
inline std::int64_t in_audit(const Router& router, const std::string& sql) {
  try {
    SQLite::Database db((router.folder() / "audit.sqlite").string(), SQLite::OPEN_READONLY, 5'000);
    SQLite::Statement query(db, sql);
    return query.executeStep() && !query.isColumnNull(0) ? query.getColumn(0).getInt64() : -1;
  } catch (const SQLite::Exception&) {
    return -1;
  }
}
inline testing::AssertionResult audit_says(const Router& router, const std::string& sql,
                                           std::int64_t number) {
  return soon([&] { return in_audit(router, sql) == number; }, kExtracted)
         << " " << sql << " is " << in_audit(router, sql);
}

inline const std::string kExtractAll =
    "[[rule]]\nname = \"rt\"\nwhen = { Modality = [\"RTSTRUCT\", \"RTPLAN\", \"RTDOSE\", \"CT\"] "
    "}\n"
    "route = [\"archive\"]\nextract = true\n";

/// The workers of a running node, by /proc.
std::vector<pid_t> workers_of(pid_t router);

}  // namespace dr::test
