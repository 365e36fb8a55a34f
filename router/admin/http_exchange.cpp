#include "router/admin/http_exchange.h"

#include <chrono>
#include <map>
#include <utility>

namespace dr::admin {
namespace {

// No path here is longer than a trace's; the library matches paths by recursive expressions.
constexpr std::size_t kMostPath = 512;

// What a browser must not do with answers (they are data, and for the one who asked).
const httplib::Headers kSecurityHeaders = {
    {"X-Content-Type-Options", "nosniff"},
    {"Cache-Control", "no-store"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"}};

void set(const Response& from, httplib::Response& answer) {
  answer.status = from.status;
  if (!from.allow.empty()) answer.set_header("Allow", from.allow);
  answer.set_content(from.body, from.content_type);
}

/// The query by name; nullopt when a name comes twice.
std::optional<std::map<std::string, std::string>> query_of(const httplib::Params& params) {
  std::map<std::string, std::string> query;
  for (const auto& [name, value] : params) {
    if (!query.emplace(name, value).second) return {};
  }
  return query;
}

}  // namespace

HttpExchange::HttpExchange(HttpGate& gate, Api& api, const HttpHead& head, const std::string& peer,
                           std::uint64_t body_octets)
    : gate_(gate),
      api_(api),
      head_(head),
      peer_(peer),
      brings_object_(brings_object(head)),
      body_octets_(body_octets),
      has_body_(head.has("Content-Length") || head.has("Transfer-Encoding")) {
  set_default_headers(kSecurityHeaders);
  set_payload_max_length(body_octets);
  set_pre_routing_handler([this](const httplib::Request& asked, httplib::Response& answer) {
    return before_body(asked, answer);
  });
  set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& answer) {
    if (answer.body.empty()) {
      set(error_response(answer.status, "bad_request", "not a request that this node takes"),
          answer);
    }
    return HandlerResponse::Handled;
  }));
  if (!has_body_) return;
  if (brings_object_) {
    Post(".*", [this](const httplib::Request& asked, httplib::Response& answer,
                      const httplib::ContentReader& body) { take_object(asked, answer, body); });
    return;
  }
  const Handler handler = [this](const httplib::Request& asked, httplib::Response& answer) {
    after_body(asked, answer);
  };
  Post(".*", handler);
  Put(".*", handler);
  Patch(".*", handler);
  Delete(".*", handler);
}

bool HttpExchange::brings_object(const HttpHead& head) {
  const auto type = head.values("Content-Type");
  const auto path = head.target().substr(0, head.target().find('?'));
  return head.method() == "POST" && type.size() == 1 && type[0] == "application/dicom" &&
         Api::most_object_octets(path) > 0;
}

bool HttpExchange::run(HttpStream& stream) {
  bool client_closes = false;
  const bool answered = process_request(stream, has_body_, client_closes, nullptr);
  return answered && !client_closes && !has_body_;
}

/// Everything that can be said without the body is said without reading it.
HttpExchange::HandlerResponse HttpExchange::before_body(const httplib::Request& asked,
                                                        httplib::Response& answer) {
  admission_ = gate_.check(head_, asked.path, peer_, std::chrono::steady_clock::now());
  if (admission_.refusal) {
    if (!admission_.authenticate.empty()) {
      answer.set_header("WWW-Authenticate", admission_.authenticate);
    }
    set(*admission_.refusal, answer);
    return HandlerResponse::Handled;
  }
  if (asked.path.size() > kMostPath) {
    set(error_response(414, "too_long", "the path is too long"), answer);
    return HandlerResponse::Handled;
  }
  if (has_body_) {
    if (const auto refused = refuse_body(asked); refused.status != 200) {
      set(refused, answer);
      return HandlerResponse::Handled;
    }
    if (asked.method != "GET" && asked.method != "HEAD") return HandlerResponse::Unhandled;
  }
  fill(asked, answer);
  return HandlerResponse::Handled;
}

/// Bodies whose length is not known before are not taken: the library would read them without end.
Response HttpExchange::refuse_body(const httplib::Request& asked) const {
  if (head_.has("Transfer-Encoding") || head_.values("Content-Length").size() != 1) {
    return error_response(411, "length_required", "a body needs one Content-Length");
  }
  if (head_.has("Content-Encoding")) {
    return error_response(415, "unsupported_encoding", "a body must not be compressed");
  }
  const auto digits = head_.values("Content-Length").front();
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return error_response(400, "bad_request", "Content-Length is not a number");
  }
  if (digits.size() > 18 || std::stoull(std::string(digits)) > body_octets_) {
    return error_response(413, "too_long",
                          "a body may have " + std::to_string(body_octets_) + " octets");
  }
  if (asked.is_multipart_form_data()) {
    return error_response(415, "unsupported_type", "a body must be JSON");
  }
  return {};
}

void HttpExchange::after_body(const httplib::Request& asked, httplib::Response& answer) {
  fill(asked, answer);
}

void HttpExchange::take_object(const httplib::Request& asked, httplib::Response& answer,
                               const httplib::ContentReader& body) {
  const auto request = request_of(asked, answer);
  if (!request) return;
  auto taker = api_.take_object(*request);
  if (const auto* refused = std::get_if<Response>(&taker)) return set(*refused, answer);
  auto& object = *std::get<std::unique_ptr<BodyTaker>>(taker);
  const bool whole = body([&](const char* octets, std::size_t n) {
    object.take(as_bytes(std::string_view(octets, n)));
    return true;
  });
  if (!whole) {
    return set(error_response(400, "bad_request", "the body ended before its length"), answer);
  }
  set(object.answer(), answer);
}

void HttpExchange::fill(const httplib::Request& asked, httplib::Response& answer) {
  if (auto request = request_of(asked, answer)) {
    request->body = asked.body;
    set(api_.handle(*request), answer);
  }
}

/// Without the body; nullopt: the answer says why not.
std::optional<Request> HttpExchange::request_of(const httplib::Request& asked,
                                                httplib::Response& answer) const {
  auto query = query_of(asked.params);
  if (!query) {
    set(error_response(400, "bad_query", "a query parameter stands twice"), answer);
    return std::nullopt;
  }
  Request request;
  request.method = asked.method;
  request.path = asked.path;
  request.query = std::move(*query);
  request.operator_name = admission_.operator_name;
  return request;
}

std::string closing_response(int status, const std::string& reason, const std::string& message) {
  const auto body = error_response(status, "bad_request", message).body;
  std::string text = "HTTP/1.1 " + std::to_string(status) + " " + reason + "\r\n";
  for (const auto& [name, value] : kSecurityHeaders) text += name + ": " + value + "\r\n";
  return text + "Connection: close\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace dr::admin
