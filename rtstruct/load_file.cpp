#include <algorithm>
#include <filesystem>
#include <fstream>

#include "dimse/encoding/element_header.h"
#include "dimse/file/part10_header.h"
#include "rtstruct/reader.h"

namespace dr::rtstruct {
namespace {

/// A first element of group 0008 tells how a data set without meta information is encoded.
Result<Uid> guess_transfer_syntax(ByteSpan octets) {
  const auto header = encoding::decode_element_header(octets, encoding::kExplicitLittleEndian);
  if (!header || header->tag.group != 0x0008) {
    return Error{Errc::kUnsupported, "neither file meta information nor a data set"};
  }
  const auto letters = static_cast<std::uint16_t>(header->vr);
  const auto is_letter = [](int c) { return c >= 'A' && c <= 'Z'; };
  const bool explicit_vr = is_letter(letters >> 8) && is_letter(letters & 0xff);
  return uid_literal(explicit_vr ? "1.2.840.10008.1.2.1" : "1.2.840.10008.1.2");
}

}  // namespace

Result<LoadedFile> load_file(const std::string& path, std::size_t limit) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) {
    return Error{
        failed || !std::filesystem::exists(path, failed) ? Errc::kNotFound : Errc::kInvalid,
        "not a file"};
  }
  const std::uintmax_t size = std::filesystem::file_size(path, failed);
  if (failed) return Error{Errc::kIo, failed.message()};
  if (size > limit) {
    return Error{Errc::kTooLong,
                 "file length=" + std::to_string(size) + " limit=" + std::to_string(limit)};
  }
  LoadedFile loaded;
  loaded.data_set.resize(static_cast<std::size_t>(size));
  std::ifstream in(path, std::ios::binary);
  in.read(reinterpret_cast<char*>(loaded.data_set.data()), static_cast<std::streamsize>(size));
  if (!in) return Error{Errc::kIo, "read"};

  const auto header = file::read_part10_header(
      [&](std::uint64_t offset, MutableByteSpan into) -> Result<std::size_t> {
        const ByteSpan all = loaded.data_set;
        const ByteSpan rest = all.subspan(std::min<std::uint64_t>(offset, all.size()));
        const std::size_t n = std::min(rest.size(), into.size());
        std::copy_n(rest.begin(), n, into.begin());
        return n;
      });
  if (header) {
    const auto offset = static_cast<std::ptrdiff_t>(
        std::min<std::uint64_t>(header->data_set_offset, loaded.data_set.size()));
    loaded.data_set.erase(loaded.data_set.begin(), loaded.data_set.begin() + offset);
    loaded.transfer_syntax = header->transfer_syntax_uid;
    return loaded;
  }
  if (header.error().code != Errc::kUnsupported) return header.error();
  auto guess = guess_transfer_syntax(loaded.data_set);
  if (!guess) return std::move(guess).error();
  loaded.transfer_syntax = *guess;
  return loaded;
}

}  // namespace dr::rtstruct
