#pragma once

#include <span>
#include <string_view>

#include "dimse/base/uid.h"
#include "dimse/encoding/element_header.h"

namespace dr::encoding {

/// What a transfer syntax says about the octets of a data set (PS3.5 10 and annex A, PS3.6 A).
struct TransferSyntax {
  std::string_view uid;   // empty when unknown
  std::string_view name;  // as PS3.6 names it, shortened
  Encoding encoding = kExplicitLittleEndian;
  bool deflated = false;      // the whole data set is a raw deflate stream (PS3.5 A.5)
  bool encapsulated = false;  // pixel data in fragments (PS3.5 A.4)

  bool known() const noexcept { return !uid.empty(); }
};

/// The properties of `uid`. One that is not known is taken as explicit VR little endian, as all are
/// but the ones of PS3.5 A.1, A.3 and A.5.
const TransferSyntax& transfer_syntax(const Uid& uid) noexcept;

/// All that are known.
std::span<const TransferSyntax> transfer_syntaxes() noexcept;

}  // namespace dr::encoding
