// An object of 1 GiB passes in flat memory.
#include <fstream>

#include <gtest/gtest.h>

#include "test/e2e/objects.h"
#include "test/support/router.h"
#include "test/support/storescp.h"

namespace dr::test {
namespace {

/// A Part 10 file with `octets` of Pixel Data, written in pieces.
std::filesystem::path write_large(const std::filesystem::path& path, std::uint64_t octets) {
  ObjectSpec spec;
  spec.pixel_octets = 0;
  const Bytes head = make_part10(spec);
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(head.data()), static_cast<std::streamsize>(head.size()));
  const auto length = static_cast<std::uint32_t>(octets);
  const unsigned char pixel_data[] = {0xe0, 0x7f, 0x10, 0x00, 'O', 'W', 0, 0};
  out.write(reinterpret_cast<const char*>(pixel_data), sizeof pixel_data);
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  std::vector<std::uint64_t> piece(1 << 17);  // 1 MiB
  for (std::uint64_t written = 0; written < octets; written += piece.size() * 8) {
    for (std::size_t i = 0; i < piece.size(); ++i) piece[i] = (written + i) * 0x9e3779b97f4a7c15U;
    out.write(reinterpret_cast<const char*>(piece.data()),
              static_cast<std::streamsize>(piece.size() * 8));
  }
  return path;
}

std::uint64_t peak_memory(pid_t pid) {
  const std::string status = read_text("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find("VmHWM:");
  return std::stoull(status.substr(at + 6)) * 1024;
}

/// Compares in pieces from where the data sets begin.
bool same_data_set(const std::filesystem::path& a, const std::filesystem::path& b) {
  const auto x = file::Part10Reader::open(a.string());
  const auto y = file::Part10Reader::open(b.string());
  if (!x || !y || x->data_set_length() != y->data_set_length()) return false;
  Bytes p(1 << 20), q(1 << 20);
  for (std::uint64_t at = 0; at < x->data_set_length();) {
    const auto n = x->read(at, p);
    const auto m = y->read(at, q);
    if (!n || !m || *n != *m || *n == 0 || p != q) return false;
    at += *n;
  }
  return true;
}

TEST(LargeObject, OfOneGibibyteNeedsLessThan128MebibytesOfMemory) {
  TempDir folder;
  const auto file = write_large(folder / "large.dcm", 1ULL << 30);
  Storescp storescp;
  Router router({.destinations = dimse_destination("storescp", storescp.port()) +
                                 folder_destination("archive", "../archive"),
                 .rules = route_all({"storescp", "archive"})});
  const auto sent = Modality(router.port()).send({file});
  EXPECT_EQ(sent.at("sent"), 1) << sent.dump();
  router.wait_until_idle(std::chrono::seconds(120));
  const std::uint64_t peak = peak_memory(router.process().pid());
  std::cout << "peak memory " << peak / (1 << 20) << " MiB\n";
  EXPECT_LT(peak, 128U << 20);
  const auto archived = files_below(router.folder() / "archive");
  ASSERT_EQ(archived.size(), 1U);
  EXPECT_TRUE(same_data_set(file, archived[0]));
  ASSERT_EQ(storescp.files().size(), 1U);
  EXPECT_TRUE(same_data_set(file, storescp.files()[0]));
}

}  // namespace
}  // namespace dr::test
