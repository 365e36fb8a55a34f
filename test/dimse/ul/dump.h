#pragma once

#include <stdexcept>
#include <string_view>

#include "dimse/base/bytes.h"

namespace dr::ul {

/// Octets from an annotated dump: hexadecimal digits in pairs, spaces where they read well, and
/// text between single quotes: `dump("10 00 0003 '1.2'")`.
inline Bytes dump(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  Bytes out;
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
    } else if (text.front() == '\'') {
      const std::size_t end = text.find('\'', 1);
      if (end == std::string_view::npos) throw std::invalid_argument("unclosed text in a dump");
      const ByteSpan quoted = as_bytes(text.substr(1, end - 1));
      out.insert(out.end(), quoted.begin(), quoted.end());
      text.remove_prefix(end + 1);
    } else {
      const std::size_t high = kDigits.find(text.at(0));
      const std::size_t low = kDigits.find(text.at(1));
      if (high > 15 || low > 15) throw std::invalid_argument("not a hexadecimal digit in a dump");
      out.push_back(static_cast<std::byte>(high << 4 | low));
      text.remove_prefix(2);
    }
  }
  return out;
}

/// The PDU of `type` around `body`.
inline Bytes pdu_of(std::uint8_t type, const Bytes& body) {
  Bytes out;
  ByteWriter writer(out);
  writer.u8(type);
  writer.zeros(1);
  writer.be(static_cast<std::uint32_t>(body.size()));
  writer.put(body);
  return out;
}

/// What follows the header.
inline ByteSpan body_of(const Bytes& pdu) { return ByteSpan(pdu).subspan(6); }

// Whole PDUs, written from PS3.8 9.3, for several tests.

inline Bytes associate_rq_dump() {
  return dump(
      "01 00 0000011a"                              // A-ASSOCIATE-RQ, 282 octets follow
      "0001 0000"                                   // protocol version 1, reserved
      "'ROUTER          '"                          // called AE title
      "'  MODALITY_1    '"                          // calling AE title
      "0000000000000000 0000000000000000"           // 32 reserved
      "0000000000000000 0000000000000000"           //
      "10 00 0015 '1.2.840.10008.3.1.1.1'"          // application context
      "20 00 002e 01 00 00 00"                      // presentation context 1
      "30 00 0011 '1.2.840.10008.1.1'"              //   abstract syntax: Verification
      "40 00 0011 '1.2.840.10008.1.2'"              //   transfer syntax: implicit VR LE
      "50 00 0087"                                  // user information
      "51 00 0004 00004000"                         //   maximum length 16384
      "52 00 001b '1.2.276.0.7230010.3.0.3.6.7'"    //   implementation class UID
      "53 00 0004 0005 0001"                        //   5 invoked, 1 performed
      "54 00 0015 0011 '1.2.840.10008.1.1' 00 01"   //   role: SCP only
      "55 00 000f 'OFFIS_DCMTK_367'"                //   implementation version name
      "56 00 0016 0011 '1.2.840.10008.1.1' 010203"  //   extended negotiation
      "58 00 000e 02 01 0004 'user' 0004 'pass'");  //   user identity
}

inline Bytes associate_ac_dump() {
  return dump(
      "02 00 000000d5"                            // A-ASSOCIATE-AC, 213 octets follow
      "0001 0000"                                 // protocol version 1, reserved
      "'ROUTER          ' 'MODALITY_1      '"     // echoed, not to be tested
      "0000000000000000 0000000000000000"         // 32 reserved
      "0000000000000000 0000000000000000"         //
      "10 00 0015 '1.2.840.10008.3.1.1.1'"        // application context
      "21 00 0019 01 00 00 00"                    // context 1: accepted
      "40 00 0011 '1.2.840.10008.1.2'"            //   with implicit VR LE
      "21 00 0019 03 00 03 00"                    // context 3: abstract syntax unknown
      "40 00 0011 '1.2.840.10008.1.2'"            //   not significant
      "50 00 003a"                                // user information
      "51 00 0004 00020000"                       //   maximum length 131072
      "52 00 001b '1.2.276.0.7230010.3.0.3.6.7'"  //   implementation class UID
      "55 00 000f 'OFFIS_DCMTK_367'");            //   implementation version name
}

inline Bytes p_data_dump() {
  return dump(
      "04 00 00000013"           // P-DATA-TF, 19 octets follow
      "00000006 01 01 61626364"  // PDV: 6 octets, context 1, command, not last, 4 octets
      "00000005 01 02 656667");  // PDV: 5 octets, context 1, data set, last, 3 octets
}

}  // namespace dr::ul
