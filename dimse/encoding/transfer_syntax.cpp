#include "dimse/encoding/transfer_syntax.h"

#include <algorithm>
#include <iterator>

namespace dr::encoding {
namespace {

constexpr Encoding kExplicitBigEndian{true, true};

constexpr TransferSyntax native(std::string_view uid, std::string_view name, Encoding encoding) {
  return {uid, name, encoding, false, false};
}
constexpr TransferSyntax encapsulated(std::string_view uid, std::string_view name) {
  return {uid, name, kExplicitLittleEndian, false, true};
}
constexpr TransferSyntax deflated(std::string_view uid, std::string_view name) {
  return {uid, name, kExplicitLittleEndian, true, false};
}

// PS3.6 table A-1, the data set's transfer syntaxes, and two private ones in wide use.
constexpr TransferSyntax kTable[] = {
    native("1.2.840.10008.1.2", "Implicit VR Little Endian", kImplicitLittleEndian),
    native("1.2.840.10008.1.2.1", "Explicit VR Little Endian", kExplicitLittleEndian),
    native("1.2.840.10008.1.2.2", "Explicit VR Big Endian", kExplicitBigEndian),
    deflated("1.2.840.10008.1.2.1.99", "Deflated Explicit VR Little Endian"),
    encapsulated("1.2.840.10008.1.2.1.98", "Encapsulated Uncompressed Explicit VR Little Endian"),
    encapsulated("1.2.840.10008.1.2.4.50", "JPEG Baseline"),
    encapsulated("1.2.840.10008.1.2.4.51", "JPEG Extended"),
    encapsulated("1.2.840.10008.1.2.4.57", "JPEG Lossless"),
    encapsulated("1.2.840.10008.1.2.4.70", "JPEG Lossless SV1"),
    encapsulated("1.2.840.10008.1.2.4.80", "JPEG-LS Lossless"),
    encapsulated("1.2.840.10008.1.2.4.81", "JPEG-LS Near-lossless"),
    encapsulated("1.2.840.10008.1.2.4.90", "JPEG 2000 Lossless"),
    encapsulated("1.2.840.10008.1.2.4.91", "JPEG 2000"),
    encapsulated("1.2.840.10008.1.2.4.92", "JPEG 2000 Part 2 Lossless"),
    encapsulated("1.2.840.10008.1.2.4.93", "JPEG 2000 Part 2"),
    native("1.2.840.10008.1.2.4.94", "JPIP Referenced", kExplicitLittleEndian),
    deflated("1.2.840.10008.1.2.4.95", "JPIP Referenced Deflate"),
    encapsulated("1.2.840.10008.1.2.4.100", "MPEG2 Main Profile / Main Level"),
    encapsulated("1.2.840.10008.1.2.4.100.1", "Fragmentable MPEG2 Main Profile / Main Level"),
    encapsulated("1.2.840.10008.1.2.4.101", "MPEG2 Main Profile / High Level"),
    encapsulated("1.2.840.10008.1.2.4.101.1", "Fragmentable MPEG2 Main Profile / High Level"),
    encapsulated("1.2.840.10008.1.2.4.102", "MPEG-4 AVC High Profile"),
    encapsulated("1.2.840.10008.1.2.4.102.1", "Fragmentable MPEG-4 AVC High Profile"),
    encapsulated("1.2.840.10008.1.2.4.103", "MPEG-4 AVC BD-compatible"),
    encapsulated("1.2.840.10008.1.2.4.103.1", "Fragmentable MPEG-4 AVC BD-compatible"),
    encapsulated("1.2.840.10008.1.2.4.104", "MPEG-4 AVC High Profile 4.2 2D"),
    encapsulated("1.2.840.10008.1.2.4.104.1", "Fragmentable MPEG-4 AVC High Profile 4.2 2D"),
    encapsulated("1.2.840.10008.1.2.4.105", "MPEG-4 AVC High Profile 4.2 3D"),
    encapsulated("1.2.840.10008.1.2.4.105.1", "Fragmentable MPEG-4 AVC High Profile 4.2 3D"),
    encapsulated("1.2.840.10008.1.2.4.106", "MPEG-4 AVC Stereo High Profile"),
    encapsulated("1.2.840.10008.1.2.4.106.1", "Fragmentable MPEG-4 AVC Stereo High Profile"),
    encapsulated("1.2.840.10008.1.2.4.107", "HEVC Main Profile"),
    encapsulated("1.2.840.10008.1.2.4.108", "HEVC Main 10 Profile"),
    encapsulated("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"),
    encapsulated("1.2.840.10008.1.2.4.111", "JPEG XL JPEG Recompression"),
    encapsulated("1.2.840.10008.1.2.4.112", "JPEG XL"),
    encapsulated("1.2.840.10008.1.2.4.201", "High-Throughput JPEG 2000 Lossless"),
    encapsulated("1.2.840.10008.1.2.4.202", "High-Throughput JPEG 2000 RPCL Lossless"),
    encapsulated("1.2.840.10008.1.2.4.203", "High-Throughput JPEG 2000"),
    native("1.2.840.10008.1.2.4.204", "JPIP HTJ2K Referenced", kExplicitLittleEndian),
    deflated("1.2.840.10008.1.2.4.205", "JPIP HTJ2K Referenced Deflate"),
    encapsulated("1.2.840.10008.1.2.5", "RLE Lossless"),
    encapsulated("1.2.840.10008.1.2.8.1", "Deflated Image Frame Compression"),
    // General Electric: only the pixel data is big endian.
    native("1.2.840.113619.5.2", "GE Private Implicit VR Big Endian", kImplicitLittleEndian),
    native("1.3.46.670589.33.1.4.1", "Philips Private CT", kExplicitLittleEndian),
};

constexpr TransferSyntax kUnknown{"", "unknown", kExplicitLittleEndian, false, false};

}  // namespace

const TransferSyntax& transfer_syntax(const Uid& uid) noexcept {
  const auto* const row = std::ranges::find(kTable, uid.view(), &TransferSyntax::uid);
  return row == std::end(kTable) ? kUnknown : *row;
}

std::span<const TransferSyntax> transfer_syntaxes() noexcept { return kTable; }

}  // namespace dr::encoding
