#pragma once

#include <string_view>

#include "dimse/base/bytes.h"
#include "dimse/encoding/element_header.h"

namespace dr::encoding {

/// Data sets for tests, element by element, in any encoding.
class DataSetBuilder {
 public:
  explicit DataSetBuilder(Encoding encoding = kExplicitLittleEndian) : encoding_(encoding) {}

  const Bytes& bytes() const { return bytes_; }
  std::size_t size() const { return bytes_.size(); }

  /// An element's header that claims `length`.
  DataSetBuilder& header(Tag tag, Vr v, std::uint32_t length) {
    u16(tag.group);
    u16(tag.element);
    if (!encoding_.explicit_vr || tag.group == 0xfffe) {
      u32(length);
      return *this;
    }
    ByteWriter(bytes_).be(static_cast<std::uint16_t>(v));
    if (has_short_length(v)) {
      u16(static_cast<std::uint16_t>(length));
    } else {
      u16(0);
      u32(length);
    }
    return *this;
  }
  DataSetBuilder& element(Tag tag, Vr v, ByteSpan value) {
    header(tag, v, static_cast<std::uint32_t>(value.size()));
    return raw(value);
  }
  DataSetBuilder& element(Tag tag, Vr v, std::string_view value) {
    return element(tag, v, as_bytes(value));
  }
  DataSetBuilder& undefined(Tag tag, Vr v) { return header(tag, v, kUndefinedLength); }
  DataSetBuilder& item(std::uint32_t length = kUndefinedLength) {
    return header({0xfffe, 0xe000}, {}, length);
  }
  DataSetBuilder& end_item() { return header({0xfffe, 0xe00d}, {}, 0); }
  DataSetBuilder& end_sequence() { return header({0xfffe, 0xe0dd}, {}, 0); }
  DataSetBuilder& raw(ByteSpan octets) {
    ByteWriter(bytes_).put(octets);
    return *this;
  }

 private:
  void u16(std::uint16_t v) {
    encoding_.big_endian ? ByteWriter(bytes_).be(v) : ByteWriter(bytes_).le(v);
  }
  void u32(std::uint32_t v) {
    encoding_.big_endian ? ByteWriter(bytes_).be(v) : ByteWriter(bytes_).le(v);
  }

  Encoding encoding_;
  Bytes bytes_;
};

}  // namespace dr::encoding
