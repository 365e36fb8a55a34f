#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <asio/awaitable.hpp>

#include "dimse/base/ae_title.h"
#include "dimse/base/bytes.h"
#include "dimse/base/clock.h"
#include "dimse/base/uid.h"
#include "dimse/ul/pdu.h"

namespace dr::service {

/// Who is at the other end of an association, as rules, logs and audit name it.
struct AssociationInfo {
  std::uint64_t number = 0;  // of this process; (start, number) is unique
  std::string listener;
  std::string peer_address;  // numeric, without port
  std::uint16_t peer_port = 0;
  AeTitle calling_ae_title;
  AeTitle called_ae_title;
  std::string tls_subject;
  std::string user;
  std::string implementation;  // peer's class UID and version name, escaped
  UtcMicros started{};
};

/// How an association went, told once, after its socket is closed.
struct AssociationSummary {
  std::string outcome;  // "released", "aborted", "peer-aborted", "closed", "timeout", "rejected"
  std::string reason;   // one line for people; escaped, no patient data
  std::uint64_t objects = 0;  // C-STORE requests answered
  std::uint64_t octets = 0;   // of data sets received
  bool hostile = false;       // malformed PDUs: a security event
};

struct StoreRequest {
  std::shared_ptr<const AssociationInfo> association;
  std::uint16_t message_id = 0;
  Uid affected_sop_class_uid;
  Uid affected_sop_instance_uid;
  Uid transfer_syntax_uid;  // of the presentation context: how the data set is encoded
};

/// PS3.7 9.1.1.1: status, and an optional Error Comment (0000,0902) of at most 64 characters,
/// without patient data.
struct StoreResponse {
  std::uint16_t status = 0;
  std::string error_comment;
};

/// Takes the data set of one C-STORE-RQ, octet for octet. Destroyed before finish() was called: the
/// object is discarded without a trace. Lives on the association's io_context.
class ObjectSink {
 public:
  virtual ~ObjectSink() = default;
  /// Where the next octets belong; the listener reads from the socket straight into it. Never
  /// empty: a sink that can not keep the object takes the rest into scratch memory and says so in
  /// finish().
  virtual asio::awaitable<MutableByteSpan> buffer() = 0;
  /// `n` octets of that memory are filled.
  virtual void filled(std::size_t n) = 0;
  /// After the last fragment. 0000H only once the object is durable.
  virtual asio::awaitable<StoreResponse> finish() = 0;
};

/// What the layers above decide and learn. Called on the association's io_context; must not block.
class Handler {
 public:
  virtual ~Handler() = default;
  /// nullopt: admitted. Otherwise the A-ASSOCIATE-RJ to send (PS3.8 9.3.4).
  virtual std::optional<ul::AAssociateRj> admit(const AssociationInfo& peer) = 0;
  virtual void associated(const AssociationInfo& peer) = 0;
  /// Told for refused associations too.
  virtual void ended(const AssociationInfo& peer, const AssociationSummary& summary) = 0;
  virtual std::unique_ptr<ObjectSink> begin_store(StoreRequest request) = 0;
  /// A C-STORE-RSP left; `seconds` from the last octet of the data set to the response.
  virtual void responded(const AssociationInfo& peer, std::uint16_t status, double seconds) = 0;
};

}  // namespace dr::service
