// One whole PDU; its type octet says which decoder gets what follows the header. What decodes must
// encode to octets that decode to the same again, and PDVs must tile their PDU.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "dimse/ul/pdu.h"

namespace {

using namespace dr;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Pdu>
void stable(Result<Pdu> (*decode)(ByteSpan), ByteSpan body) {
  // A sub-item that the encoder adds could outgrow the 16 bit length of a larger one.
  constexpr std::size_t kMostToEncode = 0xff00;
  const auto pdu = decode(body);
  if (!pdu || body.size() > kMostToEncode) return;
  const Bytes once = ul::encode(*pdu);
  const auto again = decode(ByteSpan(once).subspan(ul::kPduHeaderLength));
  require(again && ul::encode(*again) == once);
}

void p_data(ByteSpan body) {
  const auto pdvs = ul::decode_p_data(body);
  if (!pdvs) return;
  const std::byte* at = body.data();
  for (const ul::Pdv& pdv : *pdvs) {
    require(pdv.data.data() == at + 6);
    at = pdv.data.data() + pdv.data.size();
  }
  require(at == body.data() + body.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < ul::kPduHeaderLength) return 0;
  const ByteSpan pdu = std::as_bytes(std::span(data, size));
  const ByteSpan body = pdu.subspan(ul::kPduHeaderLength);
  switch (ul::PduType{ul::decode_pdu_header(pdu.data()).type}) {
    case ul::PduType::kAAssociateRq:
      stable(ul::decode_associate_rq, body);
      break;
    case ul::PduType::kAAssociateAc:
      stable(ul::decode_associate_ac, body);
      break;
    case ul::PduType::kAAssociateRj:
      stable(ul::decode_associate_rj, body);
      break;
    case ul::PduType::kPDataTf:
      p_data(body);
      break;
    case ul::PduType::kAAbort:
      stable(ul::decode_abort, body);
      break;
    default:  // release PDUs have no field, others are unrecognised by their type
      break;
  }
  return 0;
}
