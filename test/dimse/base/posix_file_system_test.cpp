#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dimse/base/file_system.h"

namespace dr {
namespace {

using Mode = FileSystem::Mode;

class PosixFileSystem : public testing::Test {
 protected:
  PosixFileSystem() {
    std::string pattern = std::filesystem::temp_directory_path() / "dr-files-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    auto opened = open_posix_file_system(root_ / "spool");
    EXPECT_TRUE(opened.ok());
    files_ = std::move(*opened);
  }
  ~PosixFileSystem() override { std::filesystem::remove_all(root_); }

  static Result<void> write(File& file, std::uint64_t offset, std::string_view text) {
    const ByteSpan part = as_bytes(text);
    return file.write_at(offset, std::span(&part, 1));
  }
  static std::string read(const File& file) {
    Bytes octets(*file.size());
    EXPECT_EQ(*file.read_at(0, octets), octets.size());
    return std::string(as_text(octets));
  }

  std::filesystem::path root_;
  std::unique_ptr<FileSystem> files_;
};

TEST_F(PosixFileSystem, CreatesItsRootForTheOwnerAlone) {
  struct stat status {};
  ASSERT_EQ(::stat((root_ / "spool").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(PosixFileSystem, WritesMorePartsThanOneSystemCallTakes) {
  auto file = files_->open("a", Mode::kCreateNew);
  ASSERT_TRUE(file.ok());
  std::vector<std::string> texts;
  std::string all;
  for (int i = 0; i < 3000; ++i) {
    texts.push_back(i % 7 == 0 ? "" : std::to_string(i));
    all += texts.back();
  }
  std::vector<ByteSpan> parts;
  for (const auto& text : texts) parts.push_back(as_bytes(text));
  ASSERT_TRUE((*file)->write_at(3, parts).ok());
  EXPECT_EQ(read(**file), std::string(3, '\0') + all);
  EXPECT_TRUE((*file)->sync().ok());
  EXPECT_TRUE((*file)->close().ok());
}

TEST_F(PosixFileSystem, ReadsFewerOctetsOnlyAtTheEnd) {
  auto file = files_->open("a", Mode::kCreateNew);
  ASSERT_TRUE(write(**file, 0, "abcdef").ok());
  Bytes octets(10);
  EXPECT_EQ(*(*file)->read_at(4, octets), 2U);
  EXPECT_EQ(*(*file)->read_at(6, octets), 0U);
}

TEST_F(PosixFileSystem, TellsMissingFromExisting) {
  EXPECT_EQ(files_->open("a", Mode::kRead).error().code, Errc::kNotFound);
  ASSERT_TRUE(files_->open("a", Mode::kCreateNew).ok());
  EXPECT_EQ(files_->open("a", Mode::kCreateNew).error().code, Errc::kConflict);
  EXPECT_EQ(files_->unlink("b").error().code, Errc::kNotFound);
}

TEST_F(PosixFileSystem, RefusesNamesThatLeaveItsRoot) {
  for (const std::string name : {"", "..", "../a", "a/../../b", "/etc/passwd", ".", "a//b", "a/"}) {
    ASSERT_TRUE(files_->make_dir("a").ok());
    const auto opened = files_->open(name, Mode::kCreateNew);
    ASSERT_FALSE(opened.ok()) << name;
    EXPECT_EQ(opened.error().code, Errc::kInvalid) << name;
  }
  EXPECT_FALSE(files_->open(std::string("a\0b", 3), Mode::kCreateNew).ok());
}

TEST_F(PosixFileSystem, FollowsNoSymbolicLink) {
  std::filesystem::create_directory(root_ / "outside");
  std::filesystem::create_symlink(root_ / "outside", root_ / "spool" / "dir");
  std::filesystem::create_symlink(root_ / "outside" / "x", root_ / "spool" / "file");
  EXPECT_FALSE(files_->open("dir/x", Mode::kCreateNew).ok());
  EXPECT_FALSE(files_->open("file", Mode::kReadWrite).ok());
  EXPECT_FALSE(files_->make_dir("dir").ok());
  EXPECT_FALSE(files_->list("dir").ok());
  EXPECT_TRUE(std::filesystem::is_empty(root_ / "outside"));
}

TEST_F(PosixFileSystem, RenamesOverAndListsInOrder) {
  ASSERT_TRUE(files_->make_dir("d").ok());
  ASSERT_TRUE(files_->make_dir("d").ok());
  for (const std::string name : {"d/b", "d/a", "d/c"}) {
    auto file = files_->open(name, Mode::kCreateNew);
    ASSERT_TRUE(write(**file, 0, name).ok());
  }
  ASSERT_TRUE(files_->rename("d/b", "d/a").ok());
  ASSERT_TRUE(files_->sync_dir("d").ok());
  ASSERT_TRUE(files_->sync_dir("").ok());
  EXPECT_EQ(*files_->list("d"), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(read(**files_->open("d/a", Mode::kRead)), "d/b");
}

TEST_F(PosixFileSystem, AllocatedSpaceReadsAsZeros) {
  auto file = files_->open("a", Mode::kCreateNew);
  ASSERT_TRUE((*file)->allocate(10'000).ok());
  EXPECT_EQ(read(**file), std::string(10'000, '\0'));
}

TEST_F(PosixFileSystem, LocksOnceUntilReleased) {
  auto first = files_->lock("lock");
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(files_->lock("lock").error().code, Errc::kConflict);
  first->reset();
  EXPECT_TRUE(files_->lock("lock").ok());
}

TEST_F(PosixFileSystem, KnowsItsFreeSpace) { EXPECT_GT(*files_->free_octets(), 0U); }

TEST_F(PosixFileSystem, MakesFoldersWithAllAboveThem) {
  ASSERT_TRUE(make_folders(root_ / "a/b/c", 0750).ok());
  for (const char* made : {"a", "a/b", "a/b/c"}) {
    struct stat status {};
    ASSERT_EQ(::stat((root_ / made).c_str(), &status), 0) << made;
    EXPECT_EQ(status.st_mode & 0777, 0750U) << made;
  }
  EXPECT_TRUE(make_folders(root_ / "a/b/c", 0700).ok());  // there already
  EXPECT_TRUE(make_folders(root_ / "a/d/", 0700).ok());
  EXPECT_TRUE(std::filesystem::is_directory(root_ / "a/d"));
  std::ofstream(root_ / "file") << "x";
  const auto refused = make_folders(root_ / "file/e", 0700);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().detail.find("file/e"), std::string::npos);
}

}  // namespace
}  // namespace dr
