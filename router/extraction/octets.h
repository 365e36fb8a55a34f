#pragma once

#include <cstddef>
#include <string>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "router/worker/descriptor.h"

namespace dr::extraction {

/// All octets of an open file, from its start. kTooLong above `limit`, before anything is
/// allocated; kIo.
Result<Bytes> read_all(int fd, std::size_t limit);
/// kIo, kNoSpace.
Result<void> write_all(int fd, ByteSpan octets);
/// A file without a name in `folder`: whatever ends this process ends the file.
Result<worker::Descriptor> unnamed_file(const std::string& folder);
/// A second descriptor of the same open file.
worker::Descriptor duplicate(const worker::Descriptor& file);

}  // namespace dr::extraction
