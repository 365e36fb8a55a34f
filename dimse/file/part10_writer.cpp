#include "dimse/file/part10_writer.h"

#include "dimse/encoding/element_header.h"

namespace dr::file {
namespace {

using encoding::Tag;
using encoding::Vr;
using encoding::vr;

/// Elements of group 0002 in explicit VR little endian, each value padded to even length.
class MetaWriter {
 public:
  explicit MetaWriter(Bytes& out) : out_(out) {}

  void header(std::uint16_t element, Vr v, std::size_t length) {
    out_.le(std::uint16_t{0x0002});
    out_.le(element);
    out_.be(static_cast<std::uint16_t>(v));
    if (encoding::has_short_length(v)) {
      out_.le(static_cast<std::uint16_t>(length));
    } else {
      out_.zeros(2);
      out_.le(static_cast<std::uint32_t>(length));
    }
  }
  void text(std::uint16_t element, Vr v, std::string_view value) {
    const bool odd = value.size() % 2 != 0;
    header(element, v, value.size() + (odd ? 1 : 0));
    out_.text(value);
    if (odd) out_.u8(v == vr('U', 'I') ? 0 : ' ');
  }

 private:
  ByteWriter out_;
};

}  // namespace

Bytes part10_head(const Part10Meta& meta) {
  Bytes head;
  ByteWriter out(head);
  out.zeros(128);
  out.text("DICM");
  MetaWriter group(head);
  group.header(0x0000, vr('U', 'L'), 4);
  const std::size_t length_at = out.size();
  out.zeros(4);
  group.header(0x0001, vr('O', 'B'), 2);  // File Meta Information Version 1
  out.u8(0);
  out.u8(1);
  group.text(0x0002, vr('U', 'I'), meta.sop_class_uid.view());
  group.text(0x0003, vr('U', 'I'), meta.sop_instance_uid.view());
  group.text(0x0010, vr('U', 'I'), meta.transfer_syntax_uid.view());
  group.text(0x0012, vr('U', 'I'), meta.implementation_class_uid.view());
  if (!meta.implementation_version_name.empty()) {
    group.text(0x0013, vr('S', 'H'), meta.implementation_version_name);
  }
  if (!meta.source_ae_title.empty()) group.text(0x0016, vr('A', 'E'), meta.source_ae_title.view());
  out.patch_le(length_at, static_cast<std::uint32_t>(out.size() - length_at - 4));
  return head;
}

}  // namespace dr::file
