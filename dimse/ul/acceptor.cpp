#include "dimse/ul/acceptor.h"

#include <algorithm>

#include "dimse/base/uid.h"

namespace dr::ul {
namespace {

// 0 means unlimited on both sides of the comparison's wire meaning; ours never is.
std::uint16_t lower(std::uint16_t theirs, std::uint16_t ours) {
  return theirs == 0 ? ours : std::min(theirs, ours);
}

ContextResult judge(const PresentationContextRq& context, const AcceptorPolicy& policy) {
  if (context.abstract_syntax.empty() || !policy.serves(context.abstract_syntax)) {
    return ContextResult::kAbstractSyntaxNotSupported;
  }
  return context.transfer_syntaxes.empty() ? ContextResult::kTransferSyntaxesNotSupported
                                           : ContextResult::kAcceptance;
}

}  // namespace

std::optional<AAssociateRj> judge_application_context(const AAssociateRq& request) {
  if (trim_padding(request.application_context) == kApplicationContext) return std::nullopt;
  return AAssociateRj{.result = 1, .source = 1, .reason = 2};
}

Negotiated negotiate(const AAssociateRq& request, const AcceptorPolicy& policy) {
  Negotiated out;
  out.answer.called_ae_title = request.called_ae_title;
  out.answer.calling_ae_title = request.calling_ae_title;
  out.answer.application_context = std::string(kApplicationContext);
  auto contexts = std::make_shared<AcceptedContexts>();
  for (const PresentationContextRq& proposed : request.contexts) {
    const ContextResult result = judge(proposed, policy);
    // The transfer syntax of a refused context is not significant, but is sent (PS3.8 9.3.3.2).
    const Uid syntax =
        proposed.transfer_syntaxes.empty() ? Uid() : proposed.transfer_syntaxes.front();
    out.answer.contexts.push_back({.id = proposed.id, .result = result, .transfer_syntax = syntax});
    if (result != ContextResult::kAcceptance) continue;
    (*contexts)[static_cast<std::uint8_t>(proposed.id)] =
        AcceptedContext{proposed.abstract_syntax, syntax};
    ++out.accepted;
  }
  out.contexts = std::move(contexts);

  UserInformation& user = out.answer.user;
  user.max_pdu_length = policy.max_pdu;
  user.implementation_class_uid = policy.implementation_class_uid.str();
  user.implementation_version_name = policy.implementation_version_name;
  if (const auto& theirs = request.user.async_operations) {
    out.window = std::max<std::uint16_t>(1, lower(theirs->invoked, policy.async_ops));
    // We invoke nothing on this association.
    user.async_operations = AsyncOperationsWindow{.invoked = out.window, .performed = 1};
  }
  for (const RoleSelection& role : request.user.roles) {
    if (role.scu && policy.serves(role.sop_class_uid)) {
      user.roles.push_back({.sop_class_uid = role.sop_class_uid, .scu = true, .scp = false});
    }
  }
  return out;
}

}  // namespace dr::ul
