// The audit record repository as a hospital has it: down for a while, while the router takes
// objects and is killed. In the end it knows of every object, and of every start.
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "test/e2e/objects.h"
#include "test/support/router.h"
#include "test/support/rsyslog.h"
#include "test/support/temp_dir.h"

namespace dr::test {
namespace {

/// SOP Instance UIDs that messages with this EventID name.
std::set<std::string> named(const std::vector<std::string>& messages, const std::string& event) {
  std::set<std::string> uids;
  const std::regex instance("<Instance UID=\"([0-9.]+)\"");
  for (const std::string& message : messages) {
    if (message.find("<EventID csd-code=\"" + event + "\"") == std::string::npos) continue;
    for (std::sregex_iterator it(message.begin(), message.end(), instance), end; it != end; ++it) {
      uids.insert((*it)[1]);
    }
  }
  return uids;
}

/// Different messages with this text: one that is sent twice is the same octets.
std::size_t with(const std::vector<std::string>& messages, const std::string& text) {
  std::set<std::string> found;
  for (const std::string& message : messages) {
    if (message.find(text) != std::string::npos) found.insert(message);
  }
  return found.size();
}

TEST(Atna, ARepositoryThatWasDownLearnsEverythingAlthoughTheRouterWasKilled) {
  const Authority authority;
  authority.sign("repository", "DNS:localhost");
  Rsyslog repository(&authority, "repository", false);
  Router router(Router::Setup{
      .destinations = folder_destination("archive", "../archive"),
      .rules = route_all({"archive"}),
      .more = "[audit.syslog]\nurl = \"tls://localhost:" + std::to_string(repository.port()) +
              "\"\nca = \"" + authority.certificate() + "\"\n"});
  const TempDir folder;
  std::set<std::string> sent;
  const auto send = [&](int count) {
    std::vector<std::filesystem::path> files;
    for (int i = 0; i < count; ++i) {
      ObjectSpec spec;
      spec.pixel_octets = 64;
      files.push_back(write_part10(spec, folder / (spec.sop_instance_uid + ".dcm")));
      sent.insert(spec.sop_instance_uid);
    }
    EXPECT_EQ(Modality(router.port()).send(files).at("failed"), 0);
  };
  send(20);
  router.wait_until_idle();
  repository.stop();
  send(20);
  router.kill();
  router.start();
  send(20);
  router.wait_until_idle();
  repository.start();
  const auto lag = [&] {
    const auto status = nlohmann::json::parse(
        run({"curl", "-sS",
             "http://127.0.0.1:" + std::to_string(router.admin_port()) + "/api/v1/status"})
            .output);
    for (const auto& sink : status.at("audit")) {
      if (sink.at("sink") == "syslog") return sink.at("lag_records").get<int>();
    }
    throw std::runtime_error("no syslog in the status");
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(90);
  while (lag() > 0 && std::chrono::steady_clock::now() < end) {
  }
  EXPECT_EQ(lag(), 0) << router.log();
  ASSERT_EQ(router.stop(), 0);
  repository.stop();
  const auto messages = repository.messages();
  EXPECT_EQ(named(messages, "110104"), sent);
  EXPECT_EQ(named(messages, "110102"), sent);
  EXPECT_EQ(with(messages, "originalText=\"Application Start\""), 2U);
  EXPECT_EQ(with(messages, "originalText=\"Application Stop\""), 1U);
  for (const std::string& message : messages) EXPECT_TRUE(message.starts_with("<85>1 "));
  // Nobody who reads logs learns of patients or objects.
  EXPECT_EQ(router.log().find(*sent.begin()), std::string::npos);
}

}  // namespace
}  // namespace dr::test
