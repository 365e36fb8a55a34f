// What happens to an extraction when its worker, its object or the node fails.

#include <csignal>
#include <fstream>
#include <thread>

#include "test/e2e/structure_sets.h"

namespace dr::test {

std::vector<pid_t> workers_of(pid_t router) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream stat(entry.path() / "stat");
    std::string text;
    std::getline(stat, text);
    const auto close = text.rfind(')');
    if (close == std::string::npos || close + 4 > text.size()) continue;
    std::istringstream rest(text.substr(close + 4));  // behind the state
    pid_t parent = 0;
    rest >> parent;
    if (parent == router) found.push_back(static_cast<pid_t>(std::stol(name)));
  }
  return found;
}

namespace {

Router::Setup setup(const TempDir& folder, const std::string& rtstruct = {}) {
  return {.destinations = folder_destination("archive", folder / "archive"),
          .rules = kExtractAll,
          .more = "[rtstruct]\nworkers = 1\nwait = \"1s\"\n" + rtstruct};
}

void send(const Router& router, const std::vector<std::filesystem::path>& files) {
  ASSERT_EQ(Modality(router.port()).send(files).at("sent"), files.size());
}

/// Whether its sandbox is closed: from then on it takes jobs.
bool is_ready(pid_t worker) {
  std::ifstream status("/proc/" + std::to_string(worker) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line == "Seccomp:\t2") return true;
  }
  return false;
}

/// Sends `signal` to every worker that there is or comes (and is ready), until it goes.
class Plague {
 public:
  enum class Who { kAll, kReady };
  Plague(pid_t router, int signal, Who who)
      : thread_([this, router, signal, who] {
          while (!over_) {
            for (const pid_t worker : workers_of(router)) {
              if (who == Who::kAll || is_ready(worker)) ::kill(worker, signal);
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
        }) {}
  ~Plague() {
    over_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> over_ = false;
  std::thread thread_;
};

/// As many ROIs and points as keep a worker busy for some seconds.
std::filesystem::path large_structure_set(const Patient& patient, const std::filesystem::path& file,
                                          int count = 10) {
  std::vector<rtstruct::Roi> rois;
  for (int i = 0; i < count; ++i) {
    rois.push_back(rtstruct::test::sphere(12, 0.1));
    rois.back().number = i;
  }
  patient.writer().write_structure_set(rois, file);
  return file;
}

std::string uid_of(const std::filesystem::path& file) {
  return file::Part10Reader::open(file.string())->header().sop_instance_uid.str();
}

TEST(ExtractionFaults, AWorkerThatHangsOnceCostsAnAttempt) {
  const TempDir folder;
  const Patient first, next;
  Router router(setup(folder, "timeout = \"2s\"\n"));
  send(router, {first.structure_set()});
  wait_for_state(router, first.uid(), {"done"});
  const auto idle = workers_of(router.process().pid());
  ASSERT_EQ(idle.size(), 1U);
  ASSERT_EQ(::kill(idle.front(), SIGSTOP), 0);
  send(router, {next.structure_set()});
  const auto json = wait_for_state(router, next.uid(), {"done", "held"});
  EXPECT_EQ(json["extraction"]["state"], "done");
  EXPECT_EQ(metric(router, "dicom_router_extractions_total{outcome=\"retried\"}"), "1");
}

TEST(ExtractionFaults, AWorkerThatHangsTwiceLeavesItsJobHeldWithTheReason) {
  const TempDir folder;
  const Patient patient;
  Router router(setup(folder, "timeout = \"1s\"\n"));
  const auto large = large_structure_set(patient, folder / "large.dcm");
  const Plague plague(router.process().pid(), SIGSTOP, Plague::Who::kReady);
  send(router, {large});
  const auto json = wait_for_state(router, uid_of(large), {"done", "held"});
  EXPECT_EQ(json["extraction"]["state"], "held");
  EXPECT_EQ(json["extraction"]["attempts"], 2);
  EXPECT_EQ(json["extraction"]["reason"], "timeout: timeout");
  EXPECT_TRUE(audit_says(router,
                         "SELECT count(*) FROM rt_structure_set WHERE outcome = 'held' AND "
                         "attempts = 2 AND reason = 'timeout: timeout'",
                         1));
  EXPECT_EQ(metric(router, "dicom_router_extractions_total{outcome=\"held\"}"), "1");
}

TEST(ExtractionFaults, AWorkerThatIsKilledAtAnyPointLeavesItsJobDoneOnceOrHeldWithTheReason) {
  const TempDir folder;
  const Patient patient;
  Router router(setup(folder));
  std::vector<std::string> uids;
  {
    const Plague plague(router.process().pid(), SIGKILL, Plague::Who::kAll);
    const auto large = large_structure_set(patient, folder / "large.dcm");
    send(router, {patient.structure_set(), large});
    uids = {patient.uid(), uid_of(large)};
    // Workers that are killed before they are ready cost no attempt: some get further than that.
    std::this_thread::sleep_for(std::chrono::seconds(3));
  }
  for (const auto& uid : uids) {
    const auto json = wait_for_state(router, uid, {"done", "held"});
    if (json["extraction"]["state"] == "held") {
      EXPECT_EQ(json["extraction"]["reason"], "aborted: crashed signal=9");
    }
    EXPECT_TRUE(audit_says(
        router, "SELECT count(*) FROM rt_structure_set WHERE sop_instance_uid = '" + uid + "'", 1));
  }
}

TEST(ExtractionFaults, AWorkerThatEatsMemoryLeavesItsJobHeld) {
  const TempDir folder;
  const Patient patient;
  Router router(setup(folder, "memory = \"256MiB\"\n"));
  const auto large = large_structure_set(patient, folder / "large.dcm", 40);
  send(router, {large});
  const auto json = wait_for_state(router, uid_of(large), {"done", "held", "failed"});
  EXPECT_EQ(json["extraction"]["state"], "held");
  EXPECT_EQ(json["extraction"]["reason"], "out of space: memory");
  // The node and the next object are as well as before.
  send(router, {patient.structure_set()});
  EXPECT_EQ(wait_for_state(router, patient.uid(), {"done", "held"})["extraction"]["state"], "done");
}

TEST(ExtractionFaults, AKillOfTheNodeAtAnyPointLosesAndRepeatsNothing) {
  const TempDir folder;
  std::vector<std::unique_ptr<Patient>> patients;
  Router router({.destinations = folder_destination("archive", folder / "archive") +
                                 folder_destination("made", folder / "made"),
                 .rules = kExtractAll +
                          "[[rule]]\nname = \"made here\"\nwhen = { source.listener = "
                          "\"rtstruct\" }\nroute = [\"made\"]\n",
                 .more = "[rtstruct]\nworkers = 1\nsegmentation = true\n"});
  for (int round = 0; round < 8; ++round) {
    patients.push_back(std::make_unique<Patient>());
    send(router, patients.back()->image_files());
    send(router, {patients.back()->structure_set()});
    std::this_thread::sleep_for(std::chrono::milliseconds(70 * round));
    router.kill();
    router.start();
  }
  for (const auto& patient : patients) {
    EXPECT_EQ(
        wait_for_state(router, patient->uid(), {"done", "held", "failed"})["extraction"]["state"],
        "done");
  }
  router.wait_until_idle();
  const auto count = std::to_string(patients.size());
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM rt_structure_set WHERE outcome = 'done'",
                         static_cast<std::int64_t>(patients.size())));
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM rt_roi",
                         2 * static_cast<std::int64_t>(patients.size())));
  EXPECT_TRUE(audit_says(router, "SELECT count(*) FROM instance WHERE listener = 'rtstruct'",
                         static_cast<std::int64_t>(patients.size())));
  EXPECT_EQ(stored(folder / "made").size(), patients.size());
}

/// A structure set by its head, whose ROIs are `octets`.
std::filesystem::path as_structure_set(const std::filesystem::path& octets, ObjectSpec& spec,
                                       const std::filesystem::path& file) {
  std::string content = read_text(octets);
  content.resize(std::min<std::size_t>(content.size(), 4U << 20));
  if (content.size() % 2 != 0) content.push_back('\0');
  spec.sop_class_uid = kRtStructureSetStorage;
  spec.modality = "RTSTRUCT";
  spec.pixel_octets = 0;
  spec.extra = {{0x3006, 0x0020, "SQ", content}};
  return write_part10(spec, file);
}

TEST(ExtractionFaults, EveryBadFileFedAsAStructureSetIsANamedFailure) {
  const auto shared = shared_data("bad files fed as structure sets; three of our own are");
  const TempDir folder;
  std::vector<std::filesystem::path> files;
  if (shared) files = files_below(*shared / "bad");
  for (const std::string& own : {std::string(100, '\xff'), std::string("text\0\0\0", 7),
                                 std::string("\xfe\xff\x00\xe0\xff\xff\xff\x7f", 8)}) {
    files.push_back(folder / ("own" + std::to_string(files.size())));
    std::ofstream(files.back()) << own;
  }
  Router router(setup(folder));
  std::size_t asked = 0;
  for (const auto& file : files) {
    if (std::filesystem::file_size(file) == 0) continue;
    ObjectSpec spec;
    const auto made = as_structure_set(file, spec, folder / "rs.dcm");
    if (Modality(router.port()).send({made}).at("sent") != 1) continue;  // refused at the door
    ++asked;
    const auto json = wait_for_state(router, spec.sop_instance_uid, {"done", "failed", "held"});
    EXPECT_EQ(json["extraction"]["state"], "failed") << file << json["extraction"];
    EXPECT_NE(json["extraction"]["reason"], "") << file;
  }
  EXPECT_GE(asked, 3U);
  EXPECT_TRUE(audit_says(router,
                         "SELECT count(*) FROM rt_structure_set WHERE outcome = 'failed' AND "
                         "reason <> ''",
                         static_cast<std::int64_t>(asked)));
}

}  // namespace
}  // namespace dr::test
