#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>

#include "dimse/base/ae_title.h"
#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"

namespace dr::service {

/// Where an association is requested, and how long each step may take.
struct Peer {
  std::string host;
  std::uint16_t port = 0;
  AeTitle called_ae_title;
  AeTitle calling_ae_title;
  std::uint32_t max_pdu = 131072;  // what we announce for receiving
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds response_timeout{60'000};  // for A-ASSOCIATE-AC and each C-STORE-RSP
  std::chrono::milliseconds progress_timeout{30'000};  // for each write
};

/// One presentation context to propose: an abstract syntax with one transfer syntax, since an
/// acceptor picks one of several and the rest then can not be sent.
struct ProposedContext {
  Uid abstract_syntax;
  Uid transfer_syntax;
  friend bool operator==(const ProposedContext&, const ProposedContext&) = default;
};

/// The data set to send, in order; an empty span at its end. A failure aborts the association
/// before the last fragment has left, so that the peer never holds a whole but wrong object.
class DataSetSource {
 public:
  virtual ~DataSetSource() = default;
  virtual asio::awaitable<Result<ByteSpan>> next() = 0;
};

/// What a C-STORE came to. Without an error: `status` is the peer's. With one, `sent_all` tells
/// whether the last fragment had been handed to the network: then the outcome is unknown.
struct StoreOutcome {
  std::uint16_t status = 0;
  std::string error_comment;  // as the peer sent it, escaped
  std::optional<Error> error;
  bool sent_all = false;
  std::uint64_t octets = 0;
};

/// One association as requestor: Verification and Storage as SCU (PS3.4 A and B). Used by one
/// coroutine at a time. After any error it is closed and of no more use.
class StorageScu {
 public:
  virtual ~StorageScu() = default;

  /// Connects and associates (PS3.8 7.1). At most 128 contexts. kRejected carries the
  /// A-ASSOCIATE-RJ's numbers as `result/source/reason` at the head of its detail.
  static asio::awaitable<Result<std::unique_ptr<StorageScu>>> associate(
      asio::any_io_executor executor, Peer peer, std::vector<ProposedContext> contexts);

  /// Whether the acceptor took this context.
  virtual bool accepted(const ProposedContext& context) const = 0;
  virtual bool proposed(const ProposedContext& context) const = 0;

  virtual asio::awaitable<StoreOutcome> store(ProposedContext context, Uid sop_instance_uid,
                                              DataSetSource& source) = 0;
  /// C-ECHO; its status.
  virtual asio::awaitable<Result<std::uint16_t>> echo() = 0;
  /// A-RELEASE, bounded by the response time; closes in any case.
  virtual asio::awaitable<void> release() = 0;
  /// A-ABORT and close at once.
  virtual void abort() = 0;
  virtual bool open() const = 0;
};

}  // namespace dr::service
