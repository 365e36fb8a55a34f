#include <atomic>
#include <fstream>

#include <sys/stat.h>

#include "router/delivery/folder_store.h"
#include "test/router/delivery/delivery_fixture.h"

namespace dr::delivery {
namespace {

using namespace std::chrono_literals;
using test::data_set_of;
using test::FaultFileSystem;
using test::Operation;
using test::Survives;
using test::TempDir;

class FolderDestinationTest : public DeliveryTest {
 protected:
  std::filesystem::path series_of(const Object& object) const {
    return archive_.path() / object.record.study_instance_uid.str() /
           object.record.series_instance_uid.str();
  }
  std::vector<std::string> names_in(const std::filesystem::path& dir) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  journal::OutcomeRecord deliver(const Object& object) {
    append(object);
    return observer_->wait_for_outcomes("archive", ++delivered_).back();
  }
  void start_archive() { start({folder("archive", archive_.path())}); }

  TempDir archive_;
  std::size_t delivered_ = 0;
};

TEST_F(FolderDestinationTest, KeepsOtherOctetsOfTheSameUidBesideAndEqualOnesOnce) {
  start_archive();
  Object first = an_object({"archive"});
  Object second = first;
  second.data.back() ^= std::byte{1};
  EXPECT_EQ(deliver(first).comment, "");
  EXPECT_EQ(deliver(second).state, DeliveryState::kDelivered);
  const std::string uid = first.record.sop_instance_uid.str();
  const std::vector<std::string> both{uid + ".2.dcm", uid + ".dcm"};
  EXPECT_EQ(names_in(series_of(first)), both);
  // From another sender, so with another head.
  first.record.calling_ae_title = *AeTitle::parse("CT2");
  EXPECT_EQ(deliver(first).comment, "already there");
  EXPECT_EQ(deliver(second).comment, "already there");
  EXPECT_EQ(names_in(series_of(first)), both);
  EXPECT_EQ(data_set_of(series_of(first) / (uid + ".dcm")), first.data);
  EXPECT_EQ(data_set_of(series_of(first) / (uid + ".2.dcm")), second.data);
  EXPECT_TRUE(names_in(archive_.path() / ".incoming").empty());
}

TEST_F(FolderDestinationTest, NamesFoldersByWhatIsMissing) {
  start_archive();
  Object object = an_object({"archive"});
  object.record.study_instance_uid = {};
  object.record.series_instance_uid = {};
  EXPECT_EQ(deliver(object).state, DeliveryState::kDelivered);
  EXPECT_TRUE(std::filesystem::exists(archive_.path() / "no-study-uid" / "no-series-uid" /
                                      (object.record.sop_instance_uid.str() + ".dcm")));
}

TEST_F(FolderDestinationTest, AnObjectWithoutALegalUidIsHeld) {
  start_archive();
  Object object = an_object({"archive"});
  object.record.sop_instance_uid = {};
  const auto outcome = deliver(object);
  EXPECT_EQ(outcome.state, DeliveryState::kHeld);
  EXPECT_EQ(outcome.reason, "no_legal_name");
}

TEST(FolderNames, AHostileUidNeverComesOutOfTheJournal) {
  for (const char* hostile : {"../../etc", "..", ".", "/etc/x", "1.2/../3", "1..2", "1.2\n"}) {
    EXPECT_FALSE(Uid::parse(hostile)) << hostile;
  }
  journal::ObjectRecord record;
  record.sop_instance_uid = uid_literal("1.2.3.4.5.6.7");
  Bytes head = encode(record);
  const std::string_view uid = "1.2.3.4.5.6.7";
  const std::string_view path = "../../../../x";
  ASSERT_EQ(uid.size(), path.size());
  const std::size_t at = as_text(head).find(uid);
  ASSERT_NE(at, std::string_view::npos);
  std::copy_n(as_bytes(path).begin(), path.size(), head.begin() + static_cast<std::ptrdiff_t>(at));
  EXPECT_FALSE(journal::decode_object(head));
}

TEST_F(FolderDestinationTest, FollowsNoLinkOutOfItsFolder) {
  manual_time_ = true;
  TempDir outside;
  start_archive();
  const Object object = an_object({"archive"});
  std::filesystem::create_directory_symlink(
      outside.path(), archive_.path() / object.record.study_instance_uid.str());
  const auto outcome = deliver(object);
  EXPECT_EQ(outcome.state, DeliveryState::kWaiting);
  EXPECT_TRUE(names_in(outside.path()).empty());
}

TEST_F(FolderDestinationTest, LetsItsGroupRead) {
  start_archive();
  const Object object = an_object({"archive"});
  deliver(object);
  struct stat status {};
  ASSERT_EQ(::stat(series_of(object).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0750U);
  const auto file = series_of(object) / (object.record.sop_instance_uid.str() + ".dcm");
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
}

TEST_F(FolderDestinationTest, AFullDiskIsWaitedForAndUsesUpNoAttempts) {
  manual_time_ = true;
  std::atomic<bool> full = true;
  open_folder_ = [&](const std::string&) -> Result<std::unique_ptr<FileSystem>> {
    auto files = std::make_unique<FaultFileSystem>();
    files->set_hook([&](const Operation& operation) -> std::optional<Error> {
      if (full && operation.kind == Operation::Kind::kWrite) return Error{Errc::kNoSpace, ""};
      return std::nullopt;
    });
    return std::unique_ptr<FileSystem>(std::move(files));
  };
  start_archive();
  const auto outcome = deliver(an_object({"archive"}));
  EXPECT_EQ(outcome.state, DeliveryState::kWaiting);
  EXPECT_EQ(outcome.outcome, "no_space");
  EXPECT_EQ(outcome.attempt, 0U);
  observer_->wait_for_change("archive down no_space");
  full = false;
  ASSERT_TRUE(timers_.wait_until_armed_within(5s));
  timers_.advance(5s);
  const auto delivered = observer_->wait_for_outcomes("archive", 2)[1];
  EXPECT_EQ(delivered.state, DeliveryState::kDelivered);
  EXPECT_EQ(delivered.attempt, 1U);
  observer_->wait_for_change("archive up");
}

TEST_F(FolderDestinationTest, AfterAKillNothingIsMissingAndNothingTwice) {
  start_archive();
  std::vector<Object> objects;
  for (int i = 0; i < 40; ++i) {
    objects.push_back(an_object({"archive"}));
    append(objects.back());
  }
  observer_->wait_for_outcomes("archive", 5);
  die();
  start_archive();
  objects.push_back(an_object({"archive"}));
  const Sequence last = append(objects.back());
  for (std::size_t n = 1;; ++n) {
    const auto outcomes = observer_->wait_for_outcomes("archive", n);
    ASSERT_EQ(outcomes.back().state, DeliveryState::kDelivered);
    if (outcomes.back().instance == last) break;
  }
  for (const Object& object : objects) {
    const std::string name = object.record.sop_instance_uid.str() + ".dcm";
    EXPECT_EQ(names_in(series_of(object)), std::vector<std::string>{name});
    EXPECT_EQ(data_set_of(series_of(object) / name), object.data);
  }
}

TEST_F(FolderDestinationTest, DamageInTheJournalIsToldAndNoFileAppears) {
  start_archive();
  deliver(an_object({"archive"}));
  std::atomic<bool> broken = true;
  disk_->set_hook([&](const Operation& operation) -> std::optional<Error> {
    if (broken && operation.kind == Operation::Kind::kRead) return Error{Errc::kCorrupt, "test"};
    return std::nullopt;
  });
  stop();
  const Object object = an_object({"archive"});
  append(object);
  start_archive();
  const auto outcome = observer_->wait_for_state("archive", DeliveryState::kDamaged, 1)[0];
  EXPECT_FALSE(std::filesystem::exists(series_of(object)));
  EXPECT_FALSE(outcome.reason.empty());
  broken = false;
  EXPECT_EQ(engine_->status()[0].counts.damaged, 1U);
}

// --- Power loss ----------------------------------------------------------------------------------

class OctetsInMemory final : public journal::BodyReader {
 public:
  explicit OctetsInMemory(Bytes octets) : octets_(std::move(octets)) {}
  std::uint64_t size() const override { return octets_.size(); }
  Result<std::size_t> read(MutableByteSpan into) override {
    const std::size_t n = std::min(into.size(), octets_.size() - done_);
    std::copy_n(octets_.begin() + static_cast<std::ptrdiff_t>(done_), n, into.begin());
    done_ += n;
    return n;
  }

 private:
  const Bytes octets_;
  std::size_t done_ = 0;
};

TEST(FolderStore, PowerLossAtEveryStepLeavesWholeFilesAndAfterTheSyncAllOfThem) {
  BlockPool blocks(4U << 20);
  auto owned = std::make_unique<FaultFileSystem>();
  FaultFileSystem& disk = *owned;
  FolderStore store(std::move(owned), "spool", blocks);
  ASSERT_TRUE(store.start());
  StoredObject object;
  object.record.sop_class_uid = uid_literal(test::kCtImageStorage);
  object.record.sop_instance_uid = uid_literal("1.2.3");
  object.record.transfer_syntax_uid = uid_literal(test::kExplicitLe);
  object.record.study_instance_uid = uid_literal("1.2");
  object.record.series_instance_uid = uid_literal("1.3");
  const Bytes data = test::make_data_set({});
  object.body = std::make_unique<OctetsInMemory>(data);
  ASSERT_TRUE(store.put(object, Sequence{7}));
  ASSERT_TRUE(store.sync_names());
  const std::string name = "1.2/1.3/1.2.3.dcm";
  const Bytes whole = disk.content(name);
  ASSERT_GT(whole.size(), data.size());
  for (const Survives what : {Survives::kNothing, Survives::kEverything, Survives::kTorn,
                              Survives::kSectors, Survives::kNoNames, Survives::kNamesOnly}) {
    for (std::size_t at = 0; at <= disk.operations(); ++at) {
      const auto after = disk.crash(at, what, 1);
      const auto files = after->all_files();
      const bool there = std::find(files.begin(), files.end(), name) != files.end();
      if (there) {
        EXPECT_EQ(after->content(name), whole) << at;
      }
      EXPECT_TRUE(there || at < disk.operations());
    }
  }
}

TEST(FolderStore, RemovesItsOwnUnfinishedFilesAndNobodyElses) {
  BlockPool blocks(1U << 20);
  auto owned = std::make_unique<FaultFileSystem>();
  FaultFileSystem& disk = *owned;
  ASSERT_TRUE(disk.make_dir(".incoming"));
  disk.set_content(".incoming/spool-3", Bytes(10));
  disk.set_content(".incoming/other-3", Bytes(10));
  FolderStore store(std::move(owned), "spool", blocks);
  ASSERT_TRUE(store.start());
  EXPECT_EQ(disk.all_files(), std::vector<std::string>{".incoming/other-3"});
}

}  // namespace
}  // namespace dr::delivery
