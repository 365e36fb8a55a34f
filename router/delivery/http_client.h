#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "router/delivery/object_source.h"
#include "router/delivery/settings.h"

namespace dr::delivery {

/// What came of one request.
struct HttpReply {
  int status = 0;            // 0: no answer came, `trouble` says why
  std::string body;          // its first kMostBody octets
  std::string_view trouble;  // "timeout", "closed", "tls", …: the word of OutcomeRecord::outcome
  bool connected = true;     // an answer could have come
  bool sent_all = false;     // of the request
  std::optional<Error> failure;  // the object could not be read to its end, and was not sent
};

/// One connection to an HTTP server, kept open between requests: bearer or basic authentication,
/// TLS with the system's certificate authorities, no redirections. Blocking; one thread at a time,
/// but stop() from any.
class HttpClient {
 public:
  static constexpr std::size_t kMostBody = 1U << 20;

  explicit HttpClient(const DestinationSettings& settings);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// The parts of a request's body, in this order.
  struct Upload {
    std::string content_type;
    Bytes before;
    StoredObject* object = nullptr;  // its data set
    Bytes after;
    std::string md5;  // out: hexadecimal, of all that was sent
  };
  /// `path` is relative to the URL's. Reads the object a buffer at a time; what can not be read to
  /// its end never arrives whole.
  HttpReply post(const std::string& path, Upload& upload, BlockPool& blocks);
  /// `sink`, where there is one, gets the body of an answer 200; it returns false to end it.
  HttpReply get(const std::string& path, const std::function<bool(ByteSpan)>& sink = {});
  /// Ends what is under way; from then on nothing is asked any more.
  void stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether the server answers, and takes the credentials: what it said.
Result<std::string> http_echo(const DestinationSettings& settings);

}  // namespace dr::delivery
