#include "router/admin/http_server.h"

#include <array>
#include <fstream>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dimse/file/part10_writer.h"
#include "test/dimse/encoding/data_set_builder.h"
#include "test/router/admin/fake_node.h"
#include "test/support/temp_dir.h"

namespace dr::admin {
namespace {

using namespace std::chrono_literals;

constexpr const char* kSecret = "0123456789abcdef-reader";
constexpr const char* kOperator = "0123456789abcdef-operator";

class HttpServerTest : public testing::Test {
 protected:
  void serve(std::vector<Token> tokens = {}, HttpLimits limits = {}) {
    Settings settings;
    settings.port = 0;
    settings.tokens = std::move(tokens);
    auto opened = HttpServer::open(
        settings, api_,
        [this](const std::string& peer, const std::string& detail) {
          const std::lock_guard lock(mutex_);
          failures_.push_back(peer + ' ' + detail);
        },
        limits);
    if (!opened) throw std::runtime_error(opened.error().to_string());
    server_ = *std::move(opened);
    server_->start();
  }
  int status(const std::string& path, const httplib::Headers& headers = {}) {
    httplib::Client client("127.0.0.1", server_->port());
    const auto answer = client.Get(path, headers);
    return answer ? answer->status : -1;
  }
  static httplib::Headers bearer(const std::string& token) {
    return {{"Authorization", "Bearer " + token}};
  }
  /// The first line that is answered to these octets; what is sent stays open.
  std::string raw(const std::string& octets, bool all = false) {
    const int fd = connected();
    EXPECT_GE(::send(fd, octets.data(), octets.size(), MSG_NOSIGNAL), 0);
    std::string answer;
    char piece[4096];
    for (ssize_t n = 0; (n = ::recv(fd, piece, sizeof piece, 0)) > 0;) {
      answer.append(piece, static_cast<std::size_t>(n));
      if (!all && answer.find("\r\n") != std::string::npos) break;
    }
    ::close(fd);
    return all ? answer : answer.substr(0, answer.find("\r\n"));
  }
  int connected() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  std::vector<std::string> failures() {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

  test::FakeNode node_;
  Api api_{node_};
  std::mutex mutex_;
  std::vector<std::string> failures_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersWhatTheApiAnswers) {
  serve();
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(status("/readyz"), 200);
  EXPECT_EQ(status("/metrics"), 200);
  EXPECT_EQ(status("/nowhere"), 404);
}

TEST_F(HttpServerTest, ReadinessThatIsNotIs503) {
  node_.ready = {false, {"journal fenced"}};
  serve();
  EXPECT_EQ(status("/readyz"), 503);
  EXPECT_EQ(status("/healthz"), 200);
}

TEST_F(HttpServerTest, KeepsAConnectionForManyRequests) {
  serve();
  httplib::Client client("127.0.0.1", server_->port());
  client.set_keep_alive(true);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(client.Get("/healthz")->status, 200);
}

TEST_F(HttpServerTest, AnAnswerTellsBrowsersToKeepNothingAndTrustNothing) {
  serve();
  httplib::Client client("127.0.0.1", server_->port());
  const auto answer = client.Get("/healthz");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->get_header_value("Cache-Control"), "no-store");
  EXPECT_EQ(answer->get_header_value("X-Content-Type-Options"), "nosniff");
  EXPECT_NE(answer->get_header_value("Content-Security-Policy").find("default-src 'none'"),
            std::string::npos);
}

// A page in the operator's browser that reaches the port by DNS rebinding.
TEST_F(HttpServerTest, WithoutTokensAForeignHostOrOriginIsRefused) {
  serve();
  EXPECT_EQ(status("/healthz", {{"Host", "evil.example:" + std::to_string(server_->port())}}), 403);
  EXPECT_EQ(status("/metrics", {{"Origin", "http://evil.example"}}), 403);
  EXPECT_EQ(status("/metrics", {{"Origin", "null"}}), 403);
  const std::string own = "http://localhost:" + std::to_string(server_->port());
  EXPECT_EQ(status("/metrics", {{"Origin", own}}), 200);
  EXPECT_EQ(raw("GET /healthz HTTP/1.1\r\n\r\n").substr(0, 12), "HTTP/1.1 403");
}

TEST_F(HttpServerTest, WithTokensOnlyTheirHoldersAreAnswered) {
  serve({{"ops", kSecret, {"read"}}, {"boss", kOperator, {"operate"}}});
  EXPECT_EQ(status("/healthz"), 200);
  EXPECT_EQ(status("/readyz"), 200);
  EXPECT_EQ(status("/metrics"), 200);  // from the loopback
  EXPECT_EQ(status("/api/v1/status"), 401);
  EXPECT_TRUE(failures().empty());
  EXPECT_EQ(status("/api/v1/status", bearer("0123456789abcdef-wrong!")), 401);
  EXPECT_EQ(status("/api/v1/status", {{"Authorization", "Basic b3BzOnNlY3JldA=="}}), 401);
  EXPECT_EQ(status("/api/v1/status", bearer(kOperator)), 403);
  EXPECT_EQ(failures().size(), 3U);
  EXPECT_EQ(status("/api/v1/status", bearer(kSecret)), 200);
  for (const auto& failure : failures()) {
    EXPECT_EQ(failure.find("0123456789"), std::string::npos) << "a token in the log";
  }
}

TEST_F(HttpServerTest, OnlyWhoMayOperateChangesAQueueAndIsNamed) {
  serve({{"ops", kSecret, {"read"}}, {"boss", kOperator, {"operate"}}});
  node_.known.emplace_back().name = "orthanc";
  httplib::Client client("127.0.0.1", server_->port());
  const auto post = [&](const httplib::Headers& headers) {
    const auto answer = client.Post("/api/v1/queue/pause", headers, R"({"destination": "orthanc"})",
                                    "application/json");
    return answer ? answer->status : -1;
  };
  EXPECT_EQ(post({}), 401);
  EXPECT_EQ(post(bearer(kSecret)), 403);
  EXPECT_FALSE(node_.operated);
  EXPECT_EQ(post(bearer(kOperator)), 200);
  ASSERT_TRUE(node_.operated);
  EXPECT_EQ(node_.operated->who, "boss");
}

/// A file that is mostly pixel data, in pieces of a megabyte.
httplib::ContentProvider object_of(std::string head, std::size_t octets) {
  return [head = std::move(head), octets](std::size_t at, std::size_t, httplib::DataSink& sink) {
    static const std::string kZeros(1U << 20, '\0');
    const std::string_view piece =
        at < head.size() ? std::string_view(head).substr(at) : std::string_view(kZeros);
    return sink.write(piece.data(), std::min(piece.size(), octets - at));
  };
}

std::string small_object() {
  const Bytes head = file::part10_head({uid_literal("1.2.840.10008.5.1.4.1.1.2"),
                                        uid_literal("1.2.3"),
                                        uid_literal("1.2.840.10008.1.2.1"),
                                        uid_literal("1.2.4"),
                                        "",
                                        {}});
  encoding::DataSetBuilder set;
  set.element(encoding::tags::kSopInstanceUid, encoding::vr('U', 'I'),
              std::string_view("1.2.3\0", 6))
      .element(encoding::tags::kModality, encoding::vr('C', 'S'), "CT");
  return std::string(as_text(head)) + std::string(as_text(set.bytes()));
}

class ExplainOverHttp : public HttpServerTest {
 protected:
  ExplainOverHttp() {
    const test::TempDir folder;
    std::ofstream(folder / "10.toml")
        << "[[rule]]\nname = \"r\"\nroute = [\"archive\"]\n"
           "when = { Modality = \"CT\", source.ae_title = \"ED_*\" }\n";
    node_.in_force = rules::RuleSet::load(folder.path().string(), {"archive"}).rules;
  }
  httplib::Result post(const std::string& body, const std::string& type,
                       const std::string& query = "", const httplib::Headers& headers = {}) {
    httplib::Client client("127.0.0.1", server_->port());
    return client.Post("/api/v1/explain" + query, headers, body, type);
  }
};

TEST_F(ExplainOverHttp, AnObjectComesInAndTheDecisionOut) {
  serve();
  const auto answer = post(small_object(), "application/dicom", "?calling=ED_1");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 200) << answer->body;
  const auto document = nlohmann::json::parse(answer->body);
  EXPECT_EQ(document.at("sop_instance_uid"), "1.2.3");
  EXPECT_EQ(document.at("route"), nlohmann::json({"archive"}));
  EXPECT_EQ(document.at("rules").at(0).at("matched"), true);
  EXPECT_EQ(document.at("rules").at(0).at("conditions").at(0),
            (nlohmann::json{
                {"key", "Modality"}, {"expected", "\"CT\""}, {"seen", "CT"}, {"matched", true}}));
  EXPECT_TRUE(document.at("rejected").is_null());
  EXPECT_EQ(document.at("extract"), false);
  EXPECT_EQ(document.at("transforms"), nlohmann::json::object());
  const auto other = post(small_object(), "application/dicom", "?calling=CT1");
  ASSERT_TRUE(other);
  EXPECT_EQ(nlohmann::json::parse(other->body).at("route"), nlohmann::json::array());
}

TEST_F(ExplainOverHttp, ACopyThatCanNotBeTriedIsSaidToBeSo) {
  const test::TempDir folder;
  std::ofstream(folder / "10.toml") << "[[rule]]\nname = \"r\"\nwhen = {}\nroute = [\"archive\"]\n"
                                       "transform = [{ remove = \"PatientName\" }]\n";
  node_.in_force = rules::RuleSet::load(folder.path().string(), {"archive"}).rules;
  delivery::TransformerSettings settings;
  settings.folder = folder / "no such folder";
  node_.transformer = std::make_unique<delivery::Transformer>(settings);
  serve();
  const auto answer = post(small_object(), "application/dicom");
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->status, 200) << answer->body;
  const auto document = nlohmann::json::parse(answer->body);
  EXPECT_EQ(document.at("route"), nlohmann::json({"archive"}));
  EXPECT_NE(document.at("untried").value("archive", ""), "") << answer->body;
  EXPECT_EQ(document.at("transforms"), nlohmann::json::object());
  EXPECT_EQ(document.at("held"), nlohmann::json::object());
}

TEST_F(ExplainOverHttp, AnObjectIsNotHeldInMemory) {
  serve();
  httplib::Client client("127.0.0.1", server_->port());
  client.set_read_timeout(60);
  const std::size_t octets = 200U << 20;
  const auto resident = [] {
    std::ifstream statm("/proc/self/statm");
    std::size_t all = 0;
    std::size_t pages = 0;
    statm >> all >> pages;
    return pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  };
  const std::size_t before = resident();
  std::size_t most = 0;
  auto provider = object_of(small_object(), octets);
  const auto answer = client.Post(
      "/api/v1/explain?calling=ED_1", octets,
      [&](std::size_t at, std::size_t length, httplib::DataSink& sink) {
        most = std::max(most, resident());
        return provider(at, length, sink);
      },
      "application/dicom");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200) << answer->body;
  EXPECT_LT(most - std::min(before, most), 64U << 20);
}

TEST_F(ExplainOverHttp, WhatIsNoObjectIsSaid) {
  serve();
  EXPECT_EQ(post("no object", "application/dicom")->status, 400);
  EXPECT_EQ(post(small_object() + "cut", "application/dicom")->status, 400);
  EXPECT_EQ(post(small_object(), "application/dicom", "?calling=SEVENTEEN_LETTERS")->status, 400);
  EXPECT_EQ(post(small_object(), "application/dicom", "?from=ct1")->status, 400);
  EXPECT_EQ(post(small_object(), "application/dicom", "?caling=CT1")->status, 400);
  EXPECT_EQ(post(small_object(), "text/plain")->status, 400);
  EXPECT_EQ(status("/api/v1/explain"), 405);
}

TEST_F(ExplainOverHttp, AnObjectOfTheJournalGoesByItsUid) {
  serve();
  EXPECT_EQ(post(R"({"sop_instance_uid": "1.2.3"})", "application/json")->status, 200);
  EXPECT_EQ(post(R"({"sop_instance_uid": "1.2.4"})", "application/json")->status, 404);
  for (const char* bad :
       {"", "{}", "[]", R"({"sop_instance_uid": 5})", R"({"sop_instance_uid": "x"})",
        R"({"sop_instance_uid": "1.2.3", "more": 1})"}) {
    EXPECT_EQ(post(bad, "application/json")->status, 400) << bad;
  }
}

TEST_F(ExplainOverHttp, IsForThoseWhoMayRead) {
  serve({{"ops", kSecret, {"read"}}, {"boss", kOperator, {"operate"}}});
  EXPECT_EQ(post(small_object(), "application/dicom")->status, 401);
  EXPECT_EQ(post(small_object(), "application/dicom", "", bearer(kOperator))->status, 403);
  EXPECT_EQ(post(small_object(), "application/dicom", "", bearer(kSecret))->status, 200);
}

TEST_F(ExplainOverHttp, ABodyAboveAGibibyteOrOfUnknownLengthIsRefusedUnread) {
  serve();
  const std::string head =
      "POST /api/v1/explain HTTP/1.1\r\nHost: localhost:" + std::to_string(server_->port()) +
      "\r\nContent-Type: application/dicom\r\n";
  EXPECT_EQ(raw(head + "Content-Length: 1073741825\r\n\r\n").substr(0, 12), "HTTP/1.1 413");
  EXPECT_EQ(raw(head + "Transfer-Encoding: chunked\r\n\r\n").substr(0, 12), "HTTP/1.1 411");
}

TEST_F(ExplainOverHttp, OthersAreAnsweredWhileTwoObjectsCome) {
  serve();
  const std::string head =
      "POST /api/v1/explain HTTP/1.1\r\nHost: localhost:" + std::to_string(server_->port()) +
      "\r\nContent-Type: application/dicom\r\nContent-Length: 1000000\r\n\r\nx";
  const std::array<int, 2> slow{connected(), connected()};
  for (const int fd : slow) {
    EXPECT_GT(::send(fd, head.data(), head.size(), MSG_NOSIGNAL), 0);
  }
  // They are being taken once a third one is told so.
  int third = 200;
  while (third == 200) third = post(small_object(), "application/dicom")->status;
  EXPECT_EQ(third, 503);
  EXPECT_EQ(status("/healthz"), 200);
  for (const int fd : slow) ::close(fd);
  while (third == 503) third = post(small_object(), "application/dicom")->status;
  EXPECT_EQ(third, 200);
}

TEST_F(HttpServerTest, MalformedHeadsAreRefused) {
  serve();
  for (const char* head : {"\r\n\r\n", "GET\r\n\r\n", "GET /healthz\r\n\r\n",
                           "GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n",
                           "GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                           "GET /healthz HTTP/1.1\r\nHost : localhost\r\n\r\n",
                           "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"}) {
    SCOPED_TRACE(head);
    const std::string line = raw(head);
    EXPECT_EQ(line.substr(0, 10), "HTTP/1.1 4") << line;
  }
  EXPECT_EQ(status("/healthz"), 200);
}

TEST_F(HttpServerTest, AHeadAboveItsCeilingIs431) {
  serve();
  EXPECT_EQ(raw("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x')).substr(0, 12), "HTTP/1.1 431");
}

TEST_F(HttpServerTest, SlowClientsHoldNoWorkerAndAreLetGo) {
  HttpLimits limits;
  limits.head = 300ms;
  limits.workers = 1;
  serve({}, limits);
  std::vector<int> slow;
  for (int i = 0; i < 20; ++i) {
    slow.push_back(connected());
    EXPECT_EQ(::send(slow.back(), "GET ", 4, MSG_NOSIGNAL), 4);
  }
  EXPECT_EQ(status("/healthz"), 200);
  for (const int fd : slow) {
    char octet = 0;
    EXPECT_LE(::recv(fd, &octet, 1, 0), 0);
    ::close(fd);
  }
}

TEST_F(HttpServerTest, TheOneThatWaitsLongestGivesWay) {
  HttpLimits limits;
  limits.connections = 2;
  serve({}, limits);
  const int first = connected();
  const int second = connected();
  EXPECT_EQ(status("/healthz"), 200);
  char octet = 0;
  EXPECT_LE(::recv(first, &octet, 1, 0), 0);
  ::close(first);
  ::close(second);
}

TEST_F(HttpServerTest, ATakenPortIsSaid) {
  serve();
  Settings settings;
  settings.port = server_->port();
  const auto second = HttpServer::open(settings, api_, [](const auto&, const auto&) {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().detail.find("127.0.0.1:" + std::to_string(settings.port)),
            std::string::npos);
}

TEST_F(HttpServerTest, StopEndsIdleConnections) {
  serve();
  const int idle = connected();
  EXPECT_EQ(status("/healthz"), 200);
  server_->stop();
  char octet = 0;
  EXPECT_LE(::recv(idle, &octet, 1, 0), 0);
  ::close(idle);
  server_->stop();
}

}  // namespace
}  // namespace dr::admin
