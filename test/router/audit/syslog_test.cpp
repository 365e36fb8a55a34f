// The audit as a repository of audit records (PS3.15 A.5, RFC 5424 to 5426) receives it.
#include <csignal>
#include <fstream>
#include <regex>
#include <set>

#include "router/audit/forget.h"
#include "router/audit/syslog_store.h"
#include "test/router/audit/audit_fixture.h"
#include "test/support/paths.h"
#include "test/support/rsyslog.h"
#include "test/support/server_folder.h"
#include "test/support/tcp_gate.h"

namespace dr::audit {
namespace {

using test::Authority;
using test::Rsyslog;

/// How often `what` occurs.
std::size_t count(const std::string& text, const std::string& what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++found;
  return found;
}

class SyslogTest : public AuditTest {
 protected:
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);  // as the program does
    AuditTest::SetUp();
  }

  Feed::Open to(const std::string& url, const std::string& ca = {},
                const std::string& client = {}) {
    SyslogSettings settings{.url = url, .ca = ca};
    if (!client.empty()) {
      settings.certificate = client + ".pem";
      settings.key = client + ".key";
    }
    return [this, settings]() -> Result<std::unique_ptr<db::AuditStore>> {
      auto transport = open_syslog_transport(settings);
      if (!transport) return std::move(transport).error();
      atna::Site site{.node = "router-1", .host = "here.example", .ae_title = "ROUTER"};
      site.destinations["orthanc"] = {"ORTHANC", "10.1.0.4"};
      site.object_of = [this](std::uint64_t sequence) -> std::optional<journal::ObjectRecord> {
        const auto record = journal_->read(Sequence{sequence});
        if (!record) return std::nullopt;
        return *journal::decode_object(record->head);
      };
      return std::unique_ptr<db::AuditStore>(
          std::make_unique<SyslogStore>(*std::move(transport), settings.msgid, std::move(site)));
    };
  }
  Following<Feed> syslog(Feed::Open open) {
    auto* made = new Feed("syslog", std::move(open), *journal_, "router-1", events(), &sealer_);
    forward_.to([made](Sequence watermark) { made->advanced(watermark); });
    return Following<Feed>(made, Unhook{&forward_});
  }
  bool wait_sent(const Feed& feed) { return feed.wait_written(journal_->watermark(), kPatience); }
  void append_security(const std::string& kind, const std::string& detail) {
    journal::SecurityRecord record;
    record.time = from_micros(1'700'000'002'000'000);
    record.kind = kind;
    record.listener = "modalities";
    record.peer_address = "10.1.0.66";
    record.calling_ae_title = "EVIL";
    record.called_ae_title = "ROUTER";
    record.detail = detail;
    ASSERT_TRUE(journal_->append(record).ok());
  }
  void append_action(const std::string& action) {
    journal::OperatorRecord record;
    record.time = from_micros(1'700'000'003'000'000);
    record.who = "ops";
    record.action = action;
    record.target = "target";
    ASSERT_TRUE(journal_->append(record).ok());
  }
  /// Something of everything: two studies in, one out at the first try, one refused.
  void append_all() {
    for (unsigned i = 1; i <= 6; ++i) {
      auto record = object(i, {"orthanc"});
      record.association = 7;
      record.peer_address = "10.1.0.9";
      record.patient_key = i <= 4 ? "hash-a" : "hash-b";
      record.study_instance_uid = uid_literal(i <= 4 ? "1.2.3.4" : "1.2.3.5");
      const Sequence sequence = append_record(std::move(record));
      auto outcome = journal::outcome(sequence, "orthanc", DeliveryState::kDelivered);
      outcome.started = from_micros(1'700'000'001'000'000);
      outcome.finished = from_micros(1'700'000'002'000'000);
      outcome.outcome = i == 6 ? "refused" : "delivered";
      outcome.has_status = true;
      outcome.status = i == 6 ? 0xA700 : 0;
      ASSERT_TRUE(journal_->append(outcome).ok());
    }
    append_security("association-refused", "calling AE title <not> \"known\" & \xC3\xA9\x01\xFF");
    append_security("hostile-input", "PDU length");
    append_security("admin-login-failed", "token");
    append_security("journal-damaged", "segment 3");
    for (const char* action : {atna::kStart, "reload", "retry", kForget, atna::kStop}) {
      append_action(action);
    }
    settle();
  }
  /// What xmllint(1) has against a message, by the schema of PS3.15 A.5.1.
  std::string complaints(const std::string& xml) const {
    const auto file = folder_ / "message.xml";
    std::ofstream(file) << xml;
    const auto checked = test::run(
        {"xmllint", "--noout", "--relaxng",
         (test::source_dir() / "test/router/audit/audit_message.rng").string(), file.string()});
    return checked.status == 0 ? "" : checked.output;
  }
  static std::string xml_of(const std::string& message) {
    return message.substr(std::min(message.find("<?xml"), message.size()));
  }
  /// "110104", and how many messages have that EventID.
  static std::map<std::string, int> events_in(const std::vector<std::string>& messages) {
    std::map<std::string, int> found;
    const std::regex event("<EventID csd-code=\"([0-9]+)\"");
    for (const std::string& message : messages) {
      std::smatch match;
      if (std::regex_search(message, match, event)) ++found[match[1]];
    }
    return found;
  }
  static std::string with(const std::vector<std::string>& messages, const std::string& text) {
    for (const std::string& message : messages) {
      if (message.find(text) != std::string::npos) return message;
    }
    ADD_FAILURE() << "no message has " << text;
    return {};
  }

  const Sealer sealer_{"a key for tests"};
};

TEST_F(SyslogTest, EveryEventArrivesAsAMessageOfTheStandardOverTls) {
  const Authority authority;
  authority.sign("repository", "DNS:localhost,IP:127.0.0.1");
  const Rsyslog repository(&authority, "repository", false);
  append_all();
  const auto feed =
      syslog(to("tls://localhost:" + std::to_string(repository.port()), authority.certificate()));
  ASSERT_TRUE(wait_sent(*feed));
  // Two studies in and the object that settles; begun and ended out: one study, half of the other,
  // and what was refused.
  constexpr std::size_t kMessages = 3 + 2 * 3 + 4 + 5;
  const auto messages = repository.wait_for(kMessages);
  ASSERT_EQ(messages.size(), kMessages);
  const std::regex header(
      R"(<85>1 2023-11-\d\dT\d\d:\d\d:\d\d\.\d{6}Z here\.example dicom-router - )"
      R"(IHE\+RFC-3881 - <\?xml version="1\.0" encoding="UTF-8"\?><AuditMessage>.*)");
  for (const std::string& message : messages) {
    EXPECT_TRUE(std::regex_match(message, header)) << message;
    EXPECT_EQ(complaints(xml_of(message)), "") << message;
    EXPECT_EQ(message.find_first_not_of(
                  "\t !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`"
                  "abcdefghijklmnopqrstuvwxyz{|}~"),
              std::string::npos);
  }
  EXPECT_EQ(events_in(messages), (std::map<std::string, int>{{"110100", 2},
                                                             {"110102", 3},
                                                             {"110104", 6},
                                                             {"110110", 1},
                                                             {"110113", 5},
                                                             {"110114", 1}}));
  const std::string received = with(messages, "NumberOfInstances=\"4\"");
  EXPECT_EQ(count(received, "<Instance UID=\"1.2.3."), 4U) << received;
  EXPECT_NE(received.find("ParticipantObjectID=\"hash-a\""), std::string::npos);
  EXPECT_NE(received.find("NetworkAccessPointID=\"10.1.0.9\""), std::string::npos);
  const std::string refused = with(messages, "refused, status A700H");
  EXPECT_NE(refused.find("EventOutcomeIndicator=\"4\""), std::string::npos) << refused;
  EXPECT_NE(refused.find("AETITLES=ORTHANC"), std::string::npos) << refused;
  with(messages, "originalText=\"Node Authentication\"");
  const std::string begun = with(messages, "Begin Transferring DICOM Instances");
  EXPECT_NE(begun.find("EventDateTime=\"2023-11-14T22:13:21.000000Z\""), std::string::npos);
}

TEST_F(SyslogTest, WhatHappenedWhileTheRepositoryWasDownArrivesInOrder) {
  const Authority authority;
  authority.sign("repository", "IP:127.0.0.1");
  Rsyslog repository(&authority, "repository", false);
  const auto feed =
      syslog(to("tls://127.0.0.1:" + std::to_string(repository.port()), authority.certificate()));
  append_action("one");
  settle();
  ASSERT_TRUE(wait_sent(*feed));
  repository.stop();
  for (int i = 0; i < 50; ++i) append_action("down-" + std::to_string(i));
  settle();
  EXPECT_FALSE(feed->wait_written(journal_->watermark(), std::chrono::milliseconds(500)));
  EXPECT_GT(feed->lag(), 0U);
  repository.start();
  ASSERT_TRUE(wait_sent(*feed));
  std::vector<std::string> seen;
  const std::regex action("<EventOutcomeDescription>((one|down-)[0-9]*)<");
  for (const std::string& message : repository.wait_for(53)) {
    std::smatch match;
    if (std::regex_search(message, match, action)) seen.push_back(match[1]);
  }
  std::vector<std::string> expected{"one"};
  for (int i = 0; i < 50; ++i) expected.push_back("down-" + std::to_string(i));
  EXPECT_EQ(seen, expected);
}

/// Cut at many places: all arrive, some twice, and what is told twice is the same octets.
TEST_F(SyslogTest, ConnectionsThatBreakLoseNothing) {
  const Authority authority;
  authority.sign("repository", "IP:127.0.0.1");
  Rsyslog repository(&authority, "repository", false);
  test::TcpGate gate(repository.port());
  const auto feed =
      syslog(to("tls://127.0.0.1:" + std::to_string(gate.port()), authority.certificate()));
  std::set<std::string> expected;
  for (const std::size_t octets : {0U, 100U, 600U, 2'000U, 20'000U}) {
    if (octets > 0) gate.cut_after(octets);
    for (int i = 0; i < 40; ++i) {
      const std::string name = "cut-" + std::to_string(octets) + "-" + std::to_string(i);
      append_action(name);
      expected.insert(name);
    }
    settle();
    (void)feed->wait_written(journal_->watermark(), std::chrono::milliseconds(700));
    gate.open();
    ASSERT_TRUE(wait_sent(*feed)) << octets;
  }
  std::map<std::string, std::set<std::string>> seen;
  const std::regex action("<EventOutcomeDescription>(cut-[-0-9]*)<");
  repository.stop();  // it has read everything; now it has written it, too
  for (const std::string& message : repository.messages()) {
    std::smatch match;
    if (std::regex_search(message, match, action)) seen[match[1]].insert(message);
  }
  EXPECT_EQ(seen.size(), expected.size());
  for (const auto& [name, octets] : seen) EXPECT_EQ(octets.size(), 1U) << name;
}

TEST_F(SyslogTest, OnlyTheRepositoryThatIsMeantIsSpokenTo) {
  const Authority authority;
  const Authority other;
  authority.sign("repository", "DNS:localhost");
  other.sign("repository", "DNS:localhost");
  const Rsyslog right(&authority, "repository", false);
  const Rsyslog wrong(&other, "repository", false);
  append_action("secret");
  settle();
  const auto refused = [&](const std::string& host, const Rsyslog& repository) {
    auto store =
        to("tls://" + host + ":" + std::to_string(repository.port()), authority.certificate())();
    EXPECT_TRUE(store.ok());
    db::OperatorActionRow row;
    row.action = "secret";
    const auto written = (*store)->write(std::vector<db::Row>{row});
    EXPECT_FALSE(written.ok());
    return written ? "" : written.error().to_string();
  };
  EXPECT_NE(refused("localhost", wrong).find("syslog: certificate: "), std::string::npos);
  EXPECT_NE(refused("127.0.0.1", right).find("IP address mismatch"), std::string::npos);
  EXPECT_TRUE(wrong.messages().empty());
  const auto feed =
      syslog(to("tls://localhost:" + std::to_string(wrong.port()), authority.certificate()));
  EXPECT_FALSE(feed->wait_written(journal_->watermark(), std::chrono::milliseconds(500)));
  EXPECT_TRUE(wrong.messages().empty());
  EXPECT_TRUE(right.messages().empty());
}

TEST_F(SyslogTest, ARepositoryThatAsksForACertificateGetsOurs) {
  const Authority authority;
  authority.sign("repository", "IP:127.0.0.1");
  authority.sign("router", "DNS:router.example");
  const Rsyslog repository(&authority, "repository", true);
  const std::string url = "tls://127.0.0.1:" + std::to_string(repository.port());
  db::OperatorActionRow row;
  row.action = "retry";
  const std::vector<db::Row> rows{row};
  EXPECT_FALSE((*to(url, authority.certificate())())->write(rows).ok()) << "without ours";
  EXPECT_TRUE(repository.messages().empty());
  const std::string files = authority.certificate("router");
  auto store = to(url, authority.certificate(), files.substr(0, files.size() - 4))();
  ASSERT_TRUE(store.ok());
  const auto written = (*store)->write(rows);
  EXPECT_TRUE(written.ok()) << written.error().to_string();
  EXPECT_EQ(repository.wait_for(1).size(), 1U);
}

TEST_F(SyslogTest, OverUdpEachMessageIsADatagram) {
  Rsyslog repository;
  append_all();
  const auto feed = syslog(to("udp://127.0.0.1:" + std::to_string(repository.port())));
  ASSERT_TRUE(wait_sent(*feed));
  const auto messages = repository.wait_for(18);
  EXPECT_EQ(messages.size(), 18U);
  for (const std::string& message : messages) EXPECT_EQ(complaints(xml_of(message)), "");
  // Where this machine itself says that nobody listens, it is sent again.
  repository.stop();
  append_action("down");
  settle();
  EXPECT_FALSE(feed->wait_written(journal_->watermark(), std::chrono::milliseconds(500)));
  repository.start();
  ASSERT_TRUE(wait_sent(*feed));
  repository.wait_for(20);
  with(repository.messages(), "<EventOutcomeDescription>down<");
}

TEST_F(SyslogTest, NoMessageIsLongerThanEveryRepositoryTakes) {
  std::vector<db::Row> rows;
  const std::string uid(64, '9');
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    db::InstanceRow row;
    row.key = {"router-1", std::string(36, 'f'), i + 1};
    row.sop_instance_uid = row.sop_class_uid = row.study_instance_uid = uid;
    row.patient_key = std::string(512, 'p');
    row.calling_ae_title = row.called_ae_title = "AETITLE890123456";
    rows.emplace_back(row);
  }
  db::SecurityEventRow event;
  for (int i = 0; i < 16'000; ++i) event.detail += "\xF0\x9F\x92\xA9";
  event.kind = "hostile-input";
  rows.emplace_back(event);
  const atna::Site site{.node = "router-1", .host = "here", .ae_title = "ROUTER"};
  const auto messages = atna::messages_of(rows, site);
  EXPECT_EQ(messages.size(), 5U + 1);
  for (const auto& message : messages) {
    const std::string xml = atna::to_xml(message);
    EXPECT_LT(syslog_message(site.host, "IHE+RFC-3881", message.time, xml).size(), 32'768U);
    EXPECT_EQ(complaints(xml), "");
  }
}

TEST_F(SyslogTest, WhatIsKeptOfPatientsIsToldAsWhatItIs) {
  db::InstanceRow row;
  row.patient_key = "4711";
  atna::Site site{.node = "n", .host = "h", .ae_title = "A", .hashed_patients = false};
  const auto told = [&] {
    const std::string xml = atna::to_xml(atna::messages_of(std::vector<db::Row>{row}, site).at(0));
    EXPECT_EQ(complaints(xml), "");
    return xml;
  };
  EXPECT_NE(told().find("ParticipantObjectID=\"4711\""), std::string::npos);
  EXPECT_NE(told().find("originalText=\"Patient Number\""), std::string::npos);
  site.hashed_patients = true;
  EXPECT_NE(told().find("originalText=\"keyed hash of the Patient ID\""), std::string::npos);
  row.patient_key.clear();
  EXPECT_NE(told().find("ParticipantObjectID=\"not kept\""), std::string::npos);
}

TEST(SyslogUrl, IsUdpOrTls) {
  const auto tls = parse_syslog_url("tls://arr.example");
  ASSERT_TRUE(tls.ok());
  EXPECT_TRUE(tls->tls);
  EXPECT_EQ(tls->host, "arr.example");
  EXPECT_EQ(tls->port, 6514);
  const auto udp = parse_syslog_url("udp://[::1]:1514");
  ASSERT_TRUE(udp.ok());
  EXPECT_FALSE(udp->tls);
  EXPECT_EQ(udp->host, "::1");
  EXPECT_EQ(udp->port, 1514);
  EXPECT_EQ(parse_syslog_url("udp://host")->port, 514);
  for (const char* url : {"", "tls://", "tcp://host", "tls://host:", "tls://host:0", "tls://[::1",
                          "tls://host:99999", "tls://host/path", "tls://user@host"}) {
    EXPECT_FALSE(parse_syslog_url(url).ok()) << url;
  }
}

}  // namespace
}  // namespace dr::audit
