#pragma once

#include <memory>
#include <string>

#include "dimse/base/clock.h"
#include "dimse/base/http_url.h"
#include "dimse/base/result.h"

namespace dr::extraction {

/// Where messages go ([webhook]).
struct WebhookSettings {
  HttpUrl url;
  std::string secret;  // empty: messages are not signed
};

/// Posts the messages that the extraction store holds, one after another, as JSON, until a 2xx
/// answers; between tries 5 s, then twice as long each time, at most 15 min; after a week one is
/// given up. With a secret each carries `X-Router-Signature: sha256=` and the HMAC-SHA-256 of its
/// body (hexadecimal). `X-Router-Delivery` is the same for each try of one message. A thread of its
/// own; its logs name neither URL nor message.
class Webhook {
 public:
  /// `store`: the file of extraction::Store. `clock` must outlive it.
  static Result<std::unique_ptr<Webhook>> start(const std::string& store, WebhookSettings settings,
                                                const std::string& spool_id, const Clock& clock);
  /// stop().
  ~Webhook();
  Webhook(const Webhook&) = delete;
  Webhook& operator=(const Webhook&) = delete;

  /// There is a new message. Any thread.
  void wake();
  /// Waits for the try that is under way, some seconds at most.
  void stop();

 private:
  class Impl;
  explicit Webhook(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::extraction
