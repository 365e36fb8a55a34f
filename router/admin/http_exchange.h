#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <httplib.h>

#include "router/admin/api.h"
#include "router/admin/http_gate.h"
#include "router/admin/http_head.h"
#include "router/admin/http_stream.h"

namespace dr::admin {

/// One request and its answer: the HTTP library between the gate and the Api. Made for one request,
/// used on one thread.
class HttpExchange final : private httplib::Server {
 public:
  /// All references for as long as the exchange.
  HttpExchange(HttpGate& gate, Api& api, const HttpHead& head, const std::string& peer,
               std::uint64_t body_octets);

  /// Whether the body is a DICOM object for a path that takes one: then it may be that long.
  static bool brings_object(const HttpHead& head);

  /// Reads the request from `stream` and answers there. False: the connection must end, since the
  /// client wants that, or did not send what it announced, or may have sent a body that was not
  /// read.
  bool run(HttpStream& stream);

 private:
  HandlerResponse before_body(const httplib::Request& asked, httplib::Response& answer);
  void after_body(const httplib::Request& asked, httplib::Response& answer);
  /// An object: streamed to the Api, not held.
  void take_object(const httplib::Request& asked, httplib::Response& answer,
                   const httplib::ContentReader& body);
  void fill(const httplib::Request& asked, httplib::Response& answer);
  std::optional<Request> request_of(const httplib::Request& asked, httplib::Response& answer) const;
  Response refuse_body(const httplib::Request& asked) const;

  HttpGate& gate_;
  Api& api_;
  const HttpHead& head_;
  const std::string& peer_;
  const bool brings_object_;
  const std::uint64_t body_octets_;
  const bool has_body_;
  Admission admission_;
};

/// A whole HTTP response that ends the connection, for what never gets to an exchange.
std::string closing_response(int status, const std::string& reason, const std::string& message);

}  // namespace dr::admin
