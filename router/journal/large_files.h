#pragma once

#include <memory>
#include <string>

#include "router/journal/journal.h"
#include "router/journal/log_format.h"

namespace dr::journal {

/// A large object's file and the record that it belongs to.
struct LargeFile {
  Sequence instance{};
  std::string name;  // with its folder
  std::uint64_t octets = 0;
};

/// One file in `large/` while it is received; see LargeObject.
class LargeWriter final : public LargeObject {
 public:
  LargeWriter(FileSystem& files, std::unique_ptr<File> file, const std::array<std::byte, 16>& name);
  ~LargeWriter() override;

  Result<void> write(std::span<const ByteSpan> parts) override;
  Result<void> seal() override;
  std::uint64_t size() const override { return size_; }
  bool sealed() const { return sealed_; }
  LargeRef ref() const { return {name_, size_, crc_}; }
  /// The file belongs to a record now, or may do: it stays.
  void keep() { kept_ = true; }

 private:
  FileSystem& files_;
  std::unique_ptr<File> file_;
  const std::array<std::byte, 16> name_;
  std::uint64_t size_ = 0;
  std::uint64_t pushed_ = 0;  // octets whose writeback has begun
  std::uint32_t crc_ = 0;
  bool failed_ = false;
  bool sealed_ = false;
  bool kept_ = false;
};

std::string large_file_name(const LargeRef& ref);
Result<std::unique_ptr<LargeWriter>> create_large_file(FileSystem& files);
/// Deletes the files of `large/` that no record names: a crash left them.
Result<void> remove_unnamed_large_files(FileSystem& files, const std::vector<std::string>& named);

}  // namespace dr::journal
