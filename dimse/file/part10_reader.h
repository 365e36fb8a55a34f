#pragma once

#include <cstdint>
#include <string>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/file/part10_header.h"

namespace dr::file {

/// One DICOM file, open for reading (PS3.10). Its data set is given as it lies there, octet for
/// octet; nothing is parsed but the header. Movable; one thread at a time.
class Part10Reader {
 public:
  /// Opens a regular file (symbolic links are followed: the path is the operator's). kIo, kNotFound
  /// or what read_part10_header says.
  static Result<Part10Reader> open(const std::string& path);

  Part10Reader() = default;
  Part10Reader(Part10Reader&& other) noexcept;
  Part10Reader& operator=(Part10Reader&& other) noexcept;
  ~Part10Reader();

  const Part10Header& header() const noexcept { return header_; }
  /// Octets of the data set, to the end of the file.
  std::uint64_t data_set_length() const noexcept { return length_; }
  /// Octets of the data set from `offset` on; fewer than asked only at its end. A file that has
  /// shrunk since it was opened is kCorrupt.
  Result<std::size_t> read(std::uint64_t offset, MutableByteSpan into) const;

 private:
  int fd_ = -1;
  std::uint64_t length_ = 0;
  Part10Header header_;
};

}  // namespace dr::file
