#include "router/delivery/http_client.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include <httplib.h>
#include <openssl/evp.h>

namespace dr::delivery {
namespace {

/// Where no answer came.
std::string_view word_of(httplib::Error error) {
  switch (error) {
    case httplib::Error::Connection:
    case httplib::Error::BindIPAddress:
      return "no_connection";
    case httplib::Error::ConnectionTimeout:
      return "timeout";
    case httplib::Error::SSLConnection:
    case httplib::Error::SSLLoadingCerts:
    case httplib::Error::SSLServerVerification:
      return "tls";
    case httplib::Error::Canceled:
      return "cancelled";
    default:
      return "closed";
  }
}

bool connected(httplib::Error error) {
  const std::string_view word = word_of(error);
  return word == "closed" || word == "cancelled";
}

/// MD5 of a stream; Orthanc names what it has stored by it. No security rests on it.
class Md5 {
 public:
  Md5() : good_(EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) == 1) {}
  void add(ByteSpan octets) {
    good_ = good_ && EVP_DigestUpdate(context_.get(), octets.data(), octets.size()) == 1;
  }
  /// Empty where this machine allows no MD5.
  std::string hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> octets{};
    unsigned length = 0;
    good_ = good_ && EVP_DigestFinal_ex(context_.get(), octets.data(), &length) == 1;
    return good_ ? to_hex(std::as_bytes(std::span(octets).first(length))) : "";
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_{EVP_MD_CTX_new()};
  bool good_;
};

/// Hands an upload's parts to the connection, a buffer at a time.
class Body {
 public:
  Body(HttpClient::Upload& upload, BlockPool& blocks) : upload_(upload), buffer_(blocks) {}

  std::uint64_t size() const {
    return upload_.before.size() + upload_.object->octets + upload_.after.size();
  }
  /// False: the object can not be read. The client itself asks until all is written, not beyond.
  bool next(httplib::DataSink& sink) {
    if (!std::exchange(begun_, true)) return write(sink, upload_.before);
    const auto n = upload_.object->body->read(buffer_.span());
    if (!n) {
      failure = n.error();
      return false;
    }
    if (*n > 0) return write(sink, buffer_.span().first(*n));
    if (std::exchange(ended_, true) || upload_.after.empty()) {
      failure = Error{Errc::kCorrupt,
                      "length=" + std::to_string(written_) + " expected=" + std::to_string(size())};
      return false;
    }
    return write(sink, upload_.after);
  }

  bool sent_all = false;
  std::optional<Error> failure;

 private:
  /// That the connection broke is told by the client, which sees it, too.
  bool write(httplib::DataSink& sink, ByteSpan octets) {
    md5_.add(octets);
    if (!sink.write(as_text(octets).data(), octets.size())) return true;
    written_ += octets.size();
    if (written_ == size()) {
      upload_.md5 = md5_.hex();
      sent_all = true;
    }
    return true;
  }

  HttpClient::Upload& upload_;
  const SendBuffer buffer_;
  Md5 md5_;
  std::uint64_t written_ = 0;
  bool begun_ = false;
  bool ended_ = false;
};

}  // namespace

class HttpClient::Impl {
 public:
  explicit Impl(const DestinationSettings& settings)
      : path_(settings.url.path), client_(settings.url.origin) {
    client_.set_connection_timeout(settings.connect_timeout);
    client_.set_read_timeout(settings.response_timeout);
    client_.set_write_timeout(settings.progress_timeout);
    client_.set_keep_alive(true);
    client_.set_tcp_nodelay(true);
    client_.set_follow_location(false);
    client_.set_decompress(false);
    if (!settings.token.empty()) client_.set_bearer_token_auth(settings.token);
    if (!settings.username.empty()) client_.set_basic_auth(settings.username, settings.password);
  }

  HttpReply post(const std::string& path, Upload& upload, BlockPool& blocks) {
    Body body(upload, blocks);
    httplib::Request request;
    request.method = "POST";
    request.path = path_ + path;
    request.headers = {{"Content-Type", upload.content_type}, {"Accept", "application/dicom+json"}};
    request.content_length_ = static_cast<std::size_t>(body.size());
    request.content_provider_ = [&body](std::size_t, std::size_t, httplib::DataSink& sink) {
      return body.next(sink);
    };
    HttpReply reply = send(request, {});
    reply.sent_all = body.sent_all;
    reply.failure = std::move(body.failure);
    return reply;
  }

  HttpReply get(const std::string& path, const std::function<bool(ByteSpan)>& sink) {
    httplib::Request request;
    request.method = "GET";
    request.path = path_ + path;
    request.headers = {{"Accept", "*/*"}};
    return send(request, sink);
  }

  void stop() {
    stopped_ = true;
    client_.stop();
  }

 private:
  HttpReply send(httplib::Request& request, const std::function<bool(ByteSpan)>& sink) {
    HttpReply reply;
    if (stopped_) {  // the client would open another connection
      reply.trouble = "cancelled";
      return reply;
    }
    int status = 0;
    request.response_handler = [&status](const httplib::Response& response) {
      status = response.status;
      return true;
    };
    request.content_receiver = [&](const char* data, std::size_t n, std::uint64_t, std::uint64_t) {
      if (sink && status == 200) return sink(as_bytes(std::string_view(data, n)));
      reply.body.append(data, std::min(n, kMostBody - reply.body.size()));
      return true;
    };
    const httplib::Result result = client_.send(request);
    if (result) {
      reply.status = result->status;
      return reply;
    }
    reply.trouble = word_of(result.error());
    reply.connected = connected(result.error());
    return reply;
  }

  const std::string path_;
  std::atomic<bool> stopped_{false};
  httplib::Client client_;
};

HttpClient::HttpClient(const DestinationSettings& settings)
    : impl_(std::make_unique<Impl>(settings)) {}
HttpClient::~HttpClient() = default;
HttpReply HttpClient::post(const std::string& path, Upload& upload, BlockPool& blocks) {
  return impl_->post(path, upload, blocks);
}
HttpReply HttpClient::get(const std::string& path, const std::function<bool(ByteSpan)>& sink) {
  return impl_->get(path, sink);
}
void HttpClient::stop() { impl_->stop(); }

Result<std::string> http_echo(const DestinationSettings& settings) {
  HttpClient client(settings);
  const bool orthanc = settings.kind == Kind::kOrthanc;
  const HttpReply reply = client.get(orthanc ? "/system" : "/studies?limit=1");
  if (reply.status == 0) return Error{Errc::kIo, std::string(reply.trouble)};
  const std::string said = "HTTP " + std::to_string(reply.status);
  if (reply.status == 200 || reply.status == 204) return said;
  return Error{Errc::kRejected, said};
}

}  // namespace dr::delivery
