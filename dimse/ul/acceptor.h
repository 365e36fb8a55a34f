#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "dimse/base/uid.h"
#include "dimse/ul/pdu.h"

namespace dr::ul {

/// What this acceptor offers (PS3.8 7.1.2, PS3.7 D.3).
struct AcceptorPolicy {
  std::function<bool(const Uid& abstract_syntax)> serves;
  std::uint32_t max_pdu = 131072;
  std::uint16_t async_ops = 1;  // most operations that a peer may have outstanding
  Uid implementation_class_uid;
  std::string implementation_version_name;
};

/// An accepted presentation context: all that its PDVs mean.
struct AcceptedContext {
  Uid abstract_syntax;
  Uid transfer_syntax;
};

/// By presentation context ID; absent where none was accepted.
using AcceptedContexts = std::array<std::optional<AcceptedContext>, 256>;

struct Negotiated {
  AAssociateAc answer;
  std::shared_ptr<const AcceptedContexts> contexts;
  std::size_t accepted = 0;
  std::uint16_t window = 1;  // operations that the peer may have outstanding; never 0
};

/// A-ASSOCIATE-RJ 1/1/2 for an application context other than DICOM's (PS3.7 A.2.1).
std::optional<AAssociateRj> judge_application_context(const AAssociateRq& request);

/// The answer to every proposed context, in the request's order: an abstract syntax that `serves`
/// refuses gets result 3; of the transfer syntaxes the proposer's first is taken, whatever it is;
/// a context without any gets result 4. The asynchronous operations window is only ever lowered
/// (PS3.7 D.3.3.3), the SCU role confirmed where it was asked for (D.3.3.4).
Negotiated negotiate(const AAssociateRq& request, const AcceptorPolicy& policy);

}  // namespace dr::ul
