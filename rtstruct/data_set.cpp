#include "rtstruct/data_set.h"

#include <mutex>

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcostrmb.h>
#include <dcmtk/oflog/oflog.h>
#include <zlib.h>

#include "dimse/encoding/transfer_syntax.h"
#include "rtstruct/decimal.h"

namespace dr::rtstruct {
namespace {

/// DCMTK would write to standard error what it thinks of a file, with values from it.
void silence_dcmtk() {
  static std::once_flag once;
  std::call_once(once, [] { OFLog::configure(OFLogger::OFF_LOG_LEVEL); });
}

/// Raw deflate (PS3.5 A.5).
Result<Bytes> inflate_all(ByteSpan octets, std::size_t limit) {
  z_stream z{};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return Error{Errc::kNoSpace, "inflate"};
  const std::unique_ptr<z_stream, int (*)(z_stream*)> guard(&z, inflateEnd);
  constexpr std::size_t kPiece = 1U << 20;
  Bytes out;
  auto* in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(octets.data()));
  std::size_t left = octets.size();
  for (int status = Z_OK; status != Z_STREAM_END;) {
    const std::size_t done = out.size();
    if (done >= limit) return Error{Errc::kTooLong, "inflated limit=" + std::to_string(limit)};
    out.resize(done + kPiece);
    const std::size_t fed = std::min(left, kPiece);
    z.next_in = in;
    z.avail_in = static_cast<uInt>(fed);
    z.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    z.avail_out = static_cast<uInt>(kPiece);
    status = inflate(&z, Z_NO_FLUSH);
    in += fed - z.avail_in;
    left -= fed - z.avail_in;
    out.resize(out.size() - z.avail_out);
    if (status != Z_OK && status != Z_STREAM_END) {
      return Error{Errc::kMalformed, "deflated data set: defect or cut"};
    }
  }
  return out;
}

}  // namespace

Result<DataSet> DataSet::parse(ByteSpan octets, const Uid& transfer_syntax,
                               const TreeLimits& limits) {
  silence_dcmtk();
  const encoding::TransferSyntax& syntax = encoding::transfer_syntax(transfer_syntax);
  Bytes inflated;
  if (syntax.deflated) {
    auto all = inflate_all(octets, limits.inflated);
    if (!all) return std::move(all).error();
    inflated = std::move(*all);
    // Deflate streams are padded to even length; what was inflated is not.
    octets = inflated;
  }
  if (auto fine = check_nesting(octets, syntax.encoding, limits); !fine) return fine.error();
  E_TransferSyntax xfer = EXS_LittleEndianExplicit;
  if (!syntax.encoding.explicit_vr) xfer = EXS_LittleEndianImplicit;
  if (syntax.encoding.big_endian) xfer = EXS_BigEndianExplicit;

  DataSet data;
  data.root_ = std::make_unique<DcmDataset>();
  DcmInputBufferStream stream;
  stream.setBuffer(octets.data(), static_cast<offile_off_t>(octets.size()));
  stream.setEos();
  data.root_->transferInit();
  const OFCondition read = data.root_->read(stream, xfer, EGL_noChange);
  data.root_->transferEnd();
  // Nothing that the object is to blame for: its lengths were looked at before.
  if (read == EC_MemoryExhausted) return Error{Errc::kNoSpace, "memory"};
  if (read.bad()) return Error{Errc::kMalformed, std::string("DCMTK: ") + read.text()};
  const std::string_view charset = data.raw(*data.root_, DCM_SpecificCharacterSet);
  data.text_ = std::make_unique<encoding::TextDecoder>(as_bytes(charset));
  return data;
}

std::string_view DataSet::raw(DcmItem& item, const DcmTagKey& tag) const {
  DcmElement* element = nullptr;
  char* octets = nullptr;
  Uint32 length = 0;
  if (item.findAndGetElement(tag, element).bad() || element == nullptr) return {};
  auto* string = dynamic_cast<DcmByteString*>(element);
  if (string == nullptr || string->getString(octets, length).bad() || octets == nullptr) return {};
  return {octets, length};
}

std::string DataSet::text(DcmItem& item, const DcmTagKey& tag, encoding::Vr v) const {
  auto values = text_->values(as_bytes(raw(item, tag).substr(0, kMostText)), v);
  return values.empty() ? std::string() : std::move(values.front());
}

Result<Bytes> encode(DcmDataset& data_set) {
  constexpr std::size_t kPiece = 256U << 10;
  Bytes piece(kPiece);
  Bytes octets;
  DcmOutputBufferStream stream(piece.data(), static_cast<offile_off_t>(piece.size()));
  data_set.transferInit();
  OFCondition done = EC_StreamNotifyClient;
  while (done == EC_StreamNotifyClient) {  // the piece is full
    done = data_set.write(stream, EXS_LittleEndianExplicit, EET_UndefinedLength, nullptr,
                          EGL_recalcGL, EPD_noChange);
    void* filled = nullptr;
    offile_off_t length = 0;
    stream.flushBuffer(filled, length);
    ByteWriter(octets).put(
        {static_cast<const std::byte*>(filled), static_cast<std::size_t>(length)});
  }
  data_set.transferEnd();
  if (done == EC_MemoryExhausted) return Error{Errc::kNoSpace, "memory"};
  if (done.bad()) return Error{Errc::kInvalid, std::string("DCMTK: ") + done.text()};
  return octets;
}

Uid read_uid(const DataSet& data, DcmItem& item, const DcmTagKey& tag) {
  const std::string_view octets = trim_padding(data.raw(item, tag));
  auto uid = Uid::parse(octets.substr(0, octets.find('\\')));
  return uid ? *uid : Uid();
}

std::optional<double> read_decimal(const DataSet& data, DcmItem& item, const DcmTagKey& tag) {
  const std::string_view octets = data.raw(item, tag);
  return parse_decimal(octets.substr(0, octets.find('\\')));
}

std::optional<std::int64_t> read_integer(const DataSet& data, DcmItem& item, const DcmTagKey& tag) {
  const auto value = read_decimal(data, item, tag);
  if (!value || std::trunc(*value) != *value || std::abs(*value) > 2147483648.0) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*value);
}

}  // namespace dr::rtstruct
