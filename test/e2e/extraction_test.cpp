// Structure sets that pass through the node: results in the databases and over HTTP.

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>

#include "test/e2e/structure_sets.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

Router::Setup setup(const TempDir& folder, const std::string& rtstruct = {},
                    const std::string& rules = kExtractAll) {
  return {.destinations = folder_destination("archive", folder / "archive"),
          .rules = rules,
          .more = "[rtstruct]\nworkers = 1\n" + rtstruct};
}

void send(const Router& router, const std::vector<std::filesystem::path>& files) {
  ASSERT_EQ(Modality(router.port()).send(files).at("sent"), files.size());
}

TEST(Extraction, TheResultIsThatOfTheCommandOverHttpAndInTheAudit) {
  const TempDir folder;
  const Patient patient;
  Router router(setup(folder));
  send(router, patient.image_files());
  send(router, {patient.structure_set()});
  auto json = wait_for_state(router, patient.uid(), {"done"});
  EXPECT_EQ(json["extraction"]["attempts"], 0);
  json.erase("extraction");
  EXPECT_EQ(json, extracted({"--reference", patient.images().string(),
                             patient.structure_set().string()}));
  EXPECT_EQ(json["reference"]["verdict"], "complete");

  EXPECT_TRUE(
      audit_says(router,
                 "SELECT count(*) FROM rt_structure_set WHERE outcome = 'done' AND rois = 2 "
                 "AND reference_verdict = 'complete' AND instances_present = 30 AND "
                 "sop_instance_uid = '" +
                     patient.uid() + "'",
                 1));
  EXPECT_TRUE(audit_says(router,
                         "SELECT count(*) FROM rt_roi WHERE name = 'CUBE' AND roi_number = 8 AND "
                         "abs(volume_cm3 - 1.728) < 1e-6 AND centroid_z_mm < 1e-9",
                         1));
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM rt_contour", 32));
  EXPECT_TRUE(audit_says(router,
                         "SELECT count(*) FROM rt_contour WHERE roi_number = 8 AND "
                         "abs(area_mm2 - 144) < 1e-6 AND referenced_sop_instance_uid <> ''",
                         12));
  EXPECT_EQ(metric(router, "dicom_router_extractions_total{outcome=\"done\"}"), "1");
  EXPECT_EQ(metric(router, "dicom_router_extraction_seconds_count"), "1");

  const auto mask = ask_http(router, "/api/v1/rtstruct/" + patient.uid() + "/masks/8.nii.gz");
  EXPECT_EQ(mask.status, 200);
  const auto masks = folder / "masks";
  extracted({"--reference", patient.images().string(), "--masks", "--output", masks.string(),
             patient.structure_set().string()});
  EXPECT_EQ(mask.body, read_text(masks / "8.nii.gz"));
  EXPECT_EQ(ask_http(router, "/api/v1/rtstruct/" + patient.uid() + "/masks/9.nii.gz").status, 404);
  EXPECT_EQ(ask_http(router, "/api/v1/rtstruct/1.2.3").status, 404);
  EXPECT_EQ(ask_http(router, "/api/v1/rtstruct/x").status, 400);
}

TEST(Extraction, WithoutARuleThatSaysSoNothingIsExtracted) {
  const TempDir folder;
  const Patient patient;
  Router router(setup(folder, "", route_all({"archive"})));
  send(router, {patient.structure_set()});
  router.wait_until_idle();
  EXPECT_EQ(ask_http(router, "/api/v1/rtstruct/" + patient.uid()).status, 404);
}

TEST(Extraction, WaitsForTheImagesThatItRefersToEvenOverARestart) {
  const TempDir folder;
  const Patient patient;
  Router router(setup(folder));
  send(router, {patient.structure_set()});
  const auto images = patient.image_files();
  send(router, {images.begin(), images.begin() + 10});
  EXPECT_EQ(wait_for_state(router, patient.uid(), {"waiting", "done"})["extraction"]["state"],
            "waiting");
  router.kill();
  router.start();
  EXPECT_EQ(state(router, patient.uid()), "waiting");
  send(router, {images.begin() + 10, images.end()});
  EXPECT_EQ(wait_for_state(router, patient.uid(), {"done"})["reference"]["verdict"], "complete");
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM rt_structure_set", 1));
}

TEST(Extraction, WhatDoesNotComeInTimeIsToldInTheVerdict) {
  const TempDir folder;
  const Patient partial, missing;
  Router router(setup(folder, "wait = \"1s\"\n"));
  const auto images = partial.image_files();
  send(router, {images.begin(), images.begin() + 10});
  send(router, {partial.structure_set(), missing.structure_set()});
  auto json = wait_for_state(router, partial.uid(), {"done"});
  EXPECT_EQ(json["reference"]["verdict"], "partial");
  EXPECT_EQ(json["reference"]["instances_present"], 10);
  EXPECT_EQ(json["reference"]["reason"], "20 of 30 instances referred to are not there");
  json = wait_for_state(router, missing.uid(), {"done"});
  EXPECT_EQ(json["reference"]["verdict"], "missing");
  EXPECT_EQ(json["rois"][1]["measured_on"], "contours");
  EXPECT_TRUE(audit_says(router,
                         "SELECT count(*) FROM rt_structure_set WHERE reference_verdict = "
                         "'partial' AND reference_reason LIKE '20 of 30%'",
                         1));
}

TEST(Extraction, ADoseThatComesBeforeOrAfterGivesHistograms) {
  const TempDir folder;
  Patient before, after;
  Router router(setup(folder));
  send(router, before.image_files());
  send(router, {before.dose()});
  send(router, {before.structure_set()});
  auto json = wait_for_state(router, before.uid(), {"done"});
  ASSERT_EQ(json["rois"][1]["dvh"].size(), 1U);
  EXPECT_EQ(json["rois"][1]["dvh"][0]["dose_link"], "frame_of_reference");
  EXPECT_NEAR(json["rois"][1]["dvh"][0]["mean"], 20, 0.1);
  send(router, after.image_files());
  send(router, {after.structure_set()});
  json = wait_for_state(router, after.uid(), {"done"});
  EXPECT_TRUE(json["rois"][1]["dvh"].empty());
  send(router, {after.dose()});
  EXPECT_TRUE(
      soon([&] { return !told(router, after.uid())["rois"][1]["dvh"].empty(); }, kExtracted));
  EXPECT_TRUE(audit_says(router,
                         "SELECT count(*) FROM rt_dvh d JOIN rt_structure_set s USING (node, "
                         "spool_id, sequence) WHERE d.result_sequence >= s.result_sequence AND "
                         "d.dose_link = 'frame_of_reference' AND abs(d.mean_dose - 20) < 0.1",
                         4));
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM rt_structure_set", 2));
}

TEST(Extraction, SegAndSrGoWhereTheRulesSendThemOnce) {
  const TempDir folder;
  const Patient patient;
  Router router(
      {.destinations = folder_destination("archive", folder / "archive") +
                       folder_destination("made", folder / "made"),
       .rules = kExtractAll +
                "[[rule]]\nname = \"made here\"\nwhen = { source.listener = \"rtstruct\", "
                "Modality = [\"SEG\", \"SR\"] }\nroute = [\"made\"]\nextract = true\n",
       .more = "[rtstruct]\nworkers = 1\nsegmentation = true\nreport = true\n"});
  send(router, patient.image_files());
  send(router, {patient.structure_set()});
  wait_for_state(router, patient.uid(), {"done"});
  router.wait_until_idle();
  EXPECT_TRUE(soon([&] { return files_below(folder / "made").size() == 2; }, kExtracted));
  EXPECT_EQ(metric(router, "dicom_router_loss_invariant_violations{destination=\"made\"}"), "0");
  for (const auto& file : files_below(folder / "made")) {
    std::istringstream lines(run({"dciodvfy", file.string()}).output);
    for (std::string line; std::getline(lines, line);) {
      EXPECT_FALSE(line.starts_with("Error")) << file << ": " << line;
    }
  }
  router.stop();
  router.start();
  router.wait_until_idle();
  EXPECT_EQ(files_below(folder / "made").size(), 2U);
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM instance WHERE listener = 'rtstruct'", 2));
}

TEST(Extraction, AWebhookIsToldOfEachResult) {
  const TempDir folder;
  const Patient patient;
  httplib::Server server;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> bodies;
  server.Post("/hook", [&](const httplib::Request& asked, httplib::Response&) {
    const std::scoped_lock lock(mutex);
    bodies.push_back(asked.body);
    changed.notify_all();
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::thread thread([&] { server.listen_after_bind(); });
  {
    auto with = setup(folder, "wait = \"1s\"\n");
    with.more += "[webhook]\nurl = \"http://127.0.0.1:" + std::to_string(port) +
                 "/hook\"\nsecret = \"key\"\n";
    Router router(with);
    send(router, {patient.structure_set()});
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, kExtracted, [&] { return !bodies.empty(); }));
    lock.unlock();
    EXPECT_EQ(router.stop(), 0);
  }
  server.stop();
  thread.join();
  ASSERT_EQ(bodies.size(), 1U);
  const auto json = nlohmann::json::parse(bodies.front());
  EXPECT_EQ(json["event"], "extraction");
  EXPECT_EQ(json["outcome"], "done");
  EXPECT_EQ(json["sop_instance_uid"], patient.uid());
  EXPECT_EQ(json["reference"]["verdict"], "missing");
  EXPECT_EQ(bodies.front().find("SPHERE"), std::string::npos);
}

TEST(Extraction, AForgottenPatientLeavesNothingBehind) {
  const TempDir folder;
  const Patient patient, waiting;
  auto with = setup(folder);
  with.more += "[keys]\naudit = \"a key of the tests\"\n";
  Router router(with);
  send(router, patient.image_files());
  send(router, {patient.structure_set(), waiting.structure_set()});
  wait_for_state(router, patient.uid(), {"done"});
  wait_for_state(router, waiting.uid(), {"waiting"});
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM rt_structure_set", 1));
  const auto kept = files_below(router.folder() / "spool/extraction");
  EXPECT_EQ(kept.size(), 2U);
  const auto forgotten = router.run({"audit", "forget", "PHANTOM"});
  EXPECT_EQ(forgotten.status, 0) << forgotten.output;
  for (const char* table : {"rt_structure_set", "rt_roi", "rt_contour", "rt_finding", "rt_dvh"}) {
    EXPECT_TRUE(audit_says(router, std::string("SELECT count(*) FROM ") + table, 0));
  }
  const auto is_gone = [&](const Patient& whose) {
    return ask_http(router, "/api/v1/rtstruct/" + whose.uid()).status == 404;
  };
  EXPECT_TRUE(soon([&] { return is_gone(patient) && is_gone(waiting); }, kExtracted));
  EXPECT_TRUE(
      soon([&] { return files_below(router.folder() / "spool/extraction").empty(); }, kExtracted));
  // What is sent again is received anew.
  send(router, patient.image_files());
  send(router, {patient.structure_set()});
  EXPECT_EQ(wait_for_state(router, patient.uid(), {"done"})["reference"]["verdict"], "complete");
}

TEST(Extraction, SharedStructureSetsAreAsTheCommandSays) {
  const auto shared = shared_data("real structure sets passing through the node");
  if (!shared) return;
  const TempDir folder;
  Router router(setup(folder, "wait = \"1s\"\n"));
  std::size_t compared = 0;
  std::map<std::string, nlohmann::json> told_before;  // sequences; two of them share one UID
  for (const auto& set : std::filesystem::directory_iterator(*shared / "rtstruct")) {
    if (!set.is_directory()) continue;
    std::vector<std::filesystem::path> structure_sets, others;
    std::uintmax_t octets = 0;
    for (const auto& path : files_below(set.path())) {
      const auto reader = file::Part10Reader::open(path.string());
      if (!reader) continue;
      octets += std::filesystem::file_size(path);
      const bool is_set = reader->header().sop_class_uid == kRtStructureSetStorage;
      (is_set ? structure_sets : others).push_back(path);
    }
    if (structure_sets.empty() || octets > (100U << 20)) continue;
    if (!others.empty()) Modality(router.port()).send(others);
    for (const auto& path : structure_sets) {
      if (Modality(router.port()).send({path}).at("sent") != 1) continue;
      const auto uid = file::Part10Reader::open(path.string())->header().sop_instance_uid.str();
      EXPECT_TRUE(
          soon([&] { return told(router, uid)["extraction"]["sequence"] != told_before[uid]; },
               kExtracted));
      auto json = wait_for_state(router, uid, {"done", "failed", "held"});
      told_before[uid] = json["extraction"]["sequence"];
      EXPECT_EQ(json["extraction"]["state"], "done") << path << json["extraction"];
      json.erase("extraction");
      const auto expected = extracted({"--reference", set.path().string(), path.string()});
      EXPECT_EQ(json["rois"].size(), expected["rois"].size()) << path;
      for (std::size_t i = 0; i < json["rois"].size() && i < expected["rois"].size(); ++i) {
        for (const char* key : {"number", "name", "contours", "points", "volume_cm3"}) {
          EXPECT_EQ(json["rois"][i][key], expected["rois"][i][key]) << path << " ROI " << i;
        }
      }
      EXPECT_EQ(json["reference"], expected["reference"]) << path;
      ++compared;
    }
  }
  EXPECT_GT(compared, 3U);
}

}  // namespace
}  // namespace dr::test
