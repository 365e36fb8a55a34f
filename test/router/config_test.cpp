#include "router/config.h"

#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "test/support/paths.h"
#include "test/support/process.h"
#include "test/support/temp_dir.h"

namespace dr {
namespace {

using std::chrono::milliseconds;

class ConfigTest : public testing::Test {
 protected:
  LoadedConfig load(const std::string& text) {
    std::ofstream(file_) << text;
    return load_config(file_);
  }
  /// All diagnostics, one a line, without the folder.
  std::string complaints(const std::string& text) {
    std::string all;
    for (const auto& diagnostic : load(text).diagnostics) {
      all += diagnostic.to_string().substr(folder_.path().string().size() + 1) + "\n";
    }
    return all;
  }

  test::TempDir folder_;
  std::filesystem::path file_ = folder_ / "router.toml";
};

TEST_F(ConfigTest, WhatIsShippedIsValidWithoutAWarning) {
  const auto loaded = load_config((test::source_dir() / "conf/router.toml").string());
  for (const auto& diagnostic : loaded.diagnostics) ADD_FAILURE() << diagnostic.to_string();
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->spool, (test::source_dir() / "var/spool").string());
  EXPECT_EQ(loaded.config->targets(), std::set<std::string>{"archive"});
  EXPECT_EQ(loaded.config->listeners.at(0).port, 11112);
  EXPECT_EQ(loaded.config->admin.address, "127.0.0.1");
}

TEST_F(ConfigTest, WhatIsShippedAsACommentIsValidToo) {
  std::istringstream shipped(test::read_text((test::source_dir() / "conf/router.toml").string()));
  const std::regex commented(R"(^# (\[|[a-z_]+ *=).*)");
  std::string text;
  int uncommented = 0;
  for (std::string line; std::getline(shipped, line);) {
    if (std::regex_match(line, commented)) {
      line.erase(0, 2);
      ++uncommented;
    }
    text += line + "\n";
  }
  EXPECT_GT(uncommented, 30);
  ::setenv("ROUTER_AUDIT_KEY", "a key for tests", 1);
  ::setenv("ROUTER_PSEUDONYM_KEY", "a longer key for tests", 1);
  ::setenv("ROUTER_WEBHOOK_SECRET", "a secret for tests", 1);
  ::setenv("ROUTER_ADMIN_TOKEN", "a token for tests only", 1);
  ::setenv("ORTHANC_PASSWORD", "o", 1);
  ::setenv("TOKEN", "t", 1);
  ::setenv("PG_PASSWORD", "p", 1);
  ::setenv("MYSQL_PASSWORD", "m", 1);
  EXPECT_EQ(complaints(text), "");
  const auto loaded = load(text);
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->destinations.size(), 6U);
  EXPECT_EQ(loaded.config->admin.tokens.at(0).token, "a token for tests only");
  EXPECT_EQ(loaded.config->postgresql->url, "postgresql://router@127.0.0.1/router");
  EXPECT_EQ(loaded.config->postgresql->password, "p");
  EXPECT_EQ(loaded.config->mysql->password, "m");
}

TEST_F(ConfigTest, WhatIsAbsentHasTheDefaultOfTheInterfaceDescription) {
  const auto loaded = load("[[listener]]\nname = \"in\"\n");
  ASSERT_TRUE(loaded.config);
  const Config& config = *loaded.config;
  EXPECT_EQ(config.node, "router-1");
  EXPECT_EQ(config.ae_title.view(), "ROUTER");
  EXPECT_EQ(config.memory, 1ULL << 30);
  EXPECT_EQ(config.disk_reserve, 2ULL << 30);
  EXPECT_EQ(config.scrub.octets_per_second, 16U << 20);
  EXPECT_EQ(config.scrub.every, std::chrono::hours(24));
  EXPECT_EQ(config.access.associations, 4096U);
  EXPECT_EQ(config.access.associations_per_source, 256U);
  EXPECT_EQ(config.access.associations_per_address, 1024U);
  const auto& listener = config.listeners.at(0);
  EXPECT_EQ(listener.address, "0.0.0.0");
  EXPECT_EQ(listener.port, 11112);
  EXPECT_EQ(listener.max_pdu, 131072U);
  EXPECT_EQ(listener.async_ops, 8);
  EXPECT_EQ(listener.artim, milliseconds(30'000));
  EXPECT_EQ(listener.idle, milliseconds(300'000));
  EXPECT_EQ(listener.response, milliseconds(8'000));
  EXPECT_EQ(config.access.called.at("in"), std::vector<std::string>{"ROUTER"});
  EXPECT_FALSE(config.sqlite);
  const auto& workers = config.extraction.workers;
  EXPECT_EQ(workers.workers, 2U);
  EXPECT_EQ(workers.limits.memory, 1ULL << 30);
  EXPECT_EQ(workers.limits.wall, milliseconds(120'000));
  EXPECT_EQ(workers.limits.cpu, std::chrono::seconds(120));
  EXPECT_FALSE(config.webhook);
}

TEST_F(ConfigTest, ReadsWhatExtractionMayUseAndWhoIsTold) {
  const auto loaded = load(
      "[rtstruct]\nworkers = 3\nmemory = \"512MiB\"\ntimeout = \"1500ms\"\nwait = \"1m\"\n"
      "segmentation = true\n[webhook]\nurl = \"http://127.0.0.1:9/x/\"\n");
  ASSERT_TRUE(loaded.config);
  const auto& extraction = loaded.config->extraction;
  EXPECT_EQ(extraction.workers.workers, 3U);
  EXPECT_EQ(extraction.workers.limits.memory, 512U << 20);
  EXPECT_EQ(extraction.workers.limits.wall, milliseconds(1'500));
  EXPECT_EQ(extraction.workers.limits.cpu, std::chrono::seconds(2));
  EXPECT_EQ(extraction.wait, milliseconds(60'000));
  EXPECT_TRUE(extraction.segmentation);
  EXPECT_FALSE(extraction.report);
  EXPECT_TRUE(extraction.messages);
  EXPECT_EQ(loaded.config->webhook->url.origin + loaded.config->webhook->url.path,
            "http://127.0.0.1:9/x/");
  EXPECT_EQ(complaints("[webhook]\nurl = \"ftp://x\"\non = [\"extractoin\"]\n[[listener]]\nname = "
                       "\"rtstruct\"\n"),
            "router.toml:2:7: 'url' does not begin with http:// or https://\n"
            "router.toml:3:6: unknown event 'extractoin', did you mean 'extraction'?\n"
            "router.toml:5:8: the name 'rtstruct' is that of what extraction makes\n");
}

TEST_F(ConfigTest, ReadsADimseDestination) {
  const auto loaded = load(
      "[[destination]]\nname = \"pacs\"\nkind = \"dimse\"\nprofile = \"dcm4chee\"\n"
      "host = \"pacs.example\"\nport = 11113\nae_title = \"DCM4CHEE\"\n"
      "calling_ae_title = \"$source\"\nassociations = 2\nidle_close = \"1s\"\n"
      "retry = { first = \"1s\", factor = 3, most = \"1m\", give_up_after = \"1d\", attempts = 9 "
      "}\n"
      "status = { \"A700\" = \"permanent\", \"C123\" = \"hold\" }\n");
  ASSERT_TRUE(loaded.config);
  const auto& d = loaded.config->destinations.at(0);
  EXPECT_EQ(d.profile, delivery::Profile::kDcm4chee);
  EXPECT_EQ(d.host, "pacs.example");
  EXPECT_EQ(d.port, 11113);
  EXPECT_TRUE(d.calling_from_source);
  EXPECT_EQ(d.associations, 2U);
  EXPECT_EQ(d.idle_close, milliseconds(1'000));
  EXPECT_EQ(d.retry.factor, 3.0);
  EXPECT_EQ(d.retry.give_up_after, std::chrono::hours(24));
  EXPECT_EQ(d.status.at(0xa700), delivery::Verdict::kPermanent);
  EXPECT_EQ(d.status.at(0xc123), delivery::Verdict::kHold);
}

TEST_F(ConfigTest, PathsAreRelativeToTheFile) {
  const auto loaded = load(
      "[node]\nspool = \"../spool\"\nrules = \"/etc/rules\"\n[audit.sqlite]\npath = \"a.db\"\n"
      "[[destination]]\nname = \"f\"\nkind = \"folder\"\npath = \"x/../y\"\n");
  ASSERT_TRUE(loaded.config);
  EXPECT_EQ(loaded.config->spool, folder_.path().parent_path() / "spool");
  EXPECT_EQ(loaded.config->rules, "/etc/rules");
  EXPECT_EQ(loaded.config->sqlite, folder_ / "a.db");
  EXPECT_EQ(loaded.config->destinations.at(0).path, (folder_ / "y").string());
}

TEST_F(ConfigTest, RulesAreToldWhatTheyReferTo) {
  const auto loaded = load(
      "[node]\ntimezone = \"Europe/Berlin\"\n"
      "[[listener]]\nname = \"in\"\nbind = \"0.0.0.0:11199\"\n"
      "[[source]]\nae_title = \"PACS\"\n[[source]]\nae_title = \"*\"\n"
      "[[destination]]\nname = \"f\"\nkind = \"folder\"\npath = \"x\"\n"
      "[[destination]]\nname = \"pacs\"\nkind = \"dimse\"\nhost = \"pacs.example\"\n"
      "port = 11199\nae_title = \"PACS\"\n"
      "[[destination]]\nname = \"self\"\nkind = \"dimse\"\nhost = \"127.0.0.1\"\n"
      "port = 11199\nae_title = \"ROUTER\"\n");
  ASSERT_TRUE(loaded.config);
  const rules::Site site = loaded.config->site();
  EXPECT_EQ(site.targets, (std::set<std::string>{"f", "pacs", "self"}));
  EXPECT_EQ(site.destinations, site.targets);
  EXPECT_EQ(site.listeners, std::set<std::string>{"in"});
  EXPECT_EQ(site.sources, std::set<std::string>{"PACS"});
  ASSERT_EQ(site.peers.size(), 2U);
  EXPECT_EQ(site.peers[0].ae_title, "PACS");
  EXPECT_FALSE(site.peers[0].is_this_node);
  EXPECT_TRUE(site.peers[1].is_this_node);
  EXPECT_EQ(site.zone.week_time(UtcMicros{}), "Thu 01:00");
}

TEST_F(ConfigTest, WithErrorsWhatIsUnderstoodIsThereForTheRules) {
  const auto loaded = load(
      "[node]\nnmae = \"x\"\n"
      "[[destination]]\nname = \"f\"\nkind = \"folder\"\npath = \"x\"\n");
  EXPECT_FALSE(loaded.config);
  ASSERT_TRUE(loaded.understood);
  EXPECT_EQ(loaded.understood->targets(), std::set<std::string>{"f"});
  EXPECT_FALSE(load("[node\n").understood);
}

struct Wrong {
  const char* text;
  const char* complaint;
};

class WrongConfig : public ConfigTest, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongConfig, IsRefusedWithItsPlace) {
  const std::string text = std::string("[[listener]]\nname = \"in\"\n") + GetParam().text;
  EXPECT_EQ(complaints(text), std::string("router.toml:") + GetParam().complaint + "\n");
  EXPECT_FALSE(load(text).config);
}

INSTANTIATE_TEST_SUITE_P(
    Files, WrongConfig,
    testing::Values(
        Wrong{"bindd = \"x\"\n", "3:1: unknown key 'bindd' in [[listener]], did you mean 'bind'?"},
        Wrong{"bind = \"11112\"\n",
              "3:8: expected ADDRESS:PORT, such as \"0.0.0.0:11112\" or \"[::]:11112\""},
        Wrong{"max_pdu = 100\n", "3:11: 'max_pdu' must be a whole number from 4096 to 16777216"},
        Wrong{"kind = \"dicomweb\"\n",
              "3:8: 'kind = \"dicomweb\"' is not supported by this version yet; it has only "
              "\"dimse\""},
        Wrong{"tls = { certificate = \"x\" }\n", "3:7: 'tls' is not supported by this version yet"},
        Wrong{"[[listener]]\nname = \"in\"\n", "4:8: the name 'in' is already taken"},
        Wrong{"[[listener]]\nbind = \"0.0.0.0:1\"\n", "3:1: [[listener]] needs 'name'"},
        Wrong{"[[group]]\nname = \"g\"\n", "3:1: 'group' is not supported by this version yet"},
        Wrong{"[nodes]\n", "3:2: unknown key 'nodes' in the configuration, did you mean 'node'?"},
        Wrong{"[timeouts]\nartim = \"soon\"\n",
              "4:9: 'artim': expected a duration such as \"250ms\", \"5s\", \"15m\" or \"7d\""},
        Wrong{"[limits]\nmemory = \"1 GiB\"\n",
              "4:10: 'memory': expected a size such as \"64KiB\", \"10MB\" or \"2GiB\""},
        Wrong{"[limits]\nmemory = \"1MiB\"\n", "4:10: 'memory' must be at least 67108864B"},
        Wrong{"[node]\ntimezone = \"Europe/Berlyn\"\n",
              "4:12: 'Europe/Berlyn': there is no such time zone: write \"UTC\" or "
              "\"Europe/Berlin\""},
        Wrong{"[node]\nae_title = \"ANAMETHATISTOOLONG\"\n",
              "4:12: an AE title has 1 to 16 characters, without backslash"},
        Wrong{"[[source]]\nae_title = \"CT1\"\naddresses = [\"10.1.0.0/33\"]\n",
              "5:13: '10.1.0.0/33': the prefix length must be 0 to 32"},
        Wrong{"[[source]]\nae_title = \"CT1\"\nlisteners = [\"out\"]\n", "5:13: no listener 'out'"},
        Wrong{"[[destination]]\nname = \"d\"\nkind = \"xnat\"\nhost=\"h\"\nae_title=\"X\"\n",
              "5:8: kind 'xnat' is not supported by this version yet"},
        Wrong{"[[destination]]\nname = \"d\"\nkind = \"folder\"\n",
              "3:1: [[destination]] needs 'path'"},
        Wrong{"[[destination]]\nname = \"a b\"\nkind = \"folder\"\npath = \"x\"\n",
              "4:8: a name has 1 to 64 letters, digits, '-', '_' and '.'"},
        Wrong{"[[destination]]\nname=\"d\"\nkind=\"dimse\"\nhost=\"h\"\nae_title=\"A\"\n"
              "status = { \"A7\" = \"done\" }\n",
              "8:12: expected a status of four hexadecimal digits, as \"A700\""},
        Wrong{"[[destination]]\nname=\"d\"\nkind=\"dimse\"\nhost=\"h\"\nae_title=\"A\"\n"
              "verify = \"commitment\"\n",
              "8:10: 'verify = \"commitment\"' is not supported by this version yet; it has only "
              "\"none\""},
        Wrong{"[audit]\npatient_data = \"keyed-hsah\"\n",
              "4:16: 'patient_data' can not be 'keyed-hsah', did you mean 'keyed-hash'?"},
        Wrong{"[audit.postgresql]\nurl = \"mysql://r@h/d\"\n",
              "4:7: expected postgresql://USER@HOST/DATABASE"},
        Wrong{"[audit.mysql]\nurl = \"mysql://host\"\n",
              "4:7: expected mysql://USER@HOST/DATABASE"},
        Wrong{"[audit.mysql]\nurl = \"mysql://r@h/d\"\npassword = \"geheim\"\n",
              "5:12: a password is taken from the environment: \"${NAME}\""},
        Wrong{"[audit.postgresql]\nurl = \"postgresql://r:geheim@h/d\"\n",
              "4:7: a password is taken from the environment: password = \"${NAME}\""},
        Wrong{"[audit.syslog]\nurl = \"tcp://x\"\n",
              "4:7: expected tls://HOST[:PORT] or udp://HOST[:PORT]"},
        Wrong{"[audit.syslog]\nurl = \"tls://x:70000\"\n",
              "4:7: expected tls://HOST[:PORT] or udp://HOST[:PORT]"},
        Wrong{"[audit.syslog]\nurl = \"udp://x\"\nmsgid = \"a b\"\n",
              "5:9: expected 1 to 32 printable ASCII characters without spaces"},
        Wrong{"[audit.syslog]\nurl = \"udp://x\"\nca = \"/dev/null\"\n",
              "5:6: udp:// knows no certificates"},
        Wrong{"[audit.syslog]\nurl = \"tls://x\"\nca = \"/nowhere/ca.pem\"\n",
              "5:6: /nowhere/ca.pem can not be read"},
        Wrong{"[audit.syslog]\nurl = \"tls://x\"\nkey = \"/dev/null\"\n",
              "5:7: 'certificate' and 'key' come together"},
        Wrong{"[retention]\naudit = \"12h\"\n",
              "4:9: 'audit': expected a duration of a day or more, such as \"3650d\", or \"never\" "
              "(to remove any)"},
        Wrong{"[admin]\nbind = \"0.0.0.0:8080\"\n",
              "4:8: bound to more than loopback, [admin] needs an [[admin.token]]"},
        Wrong{"[[admin.token]]\nname = \"ops\"\ntoken = \"short\"\n",
              "5:9: a token has at least 16 characters"},
        Wrong{"[keys]\naudit = \"${DR_TEST_NOT_SET}\"\n",
              "4:9: environment variable DR_TEST_NOT_SET is not set"},
        Wrong{"max_pdu = [\n", "3:13: Error while parsing array: encountered end-of-file"}));

TEST_F(ConfigTest, ReadsTheRepositoryAndTheRetentionOfTheAudit) {
  std::ofstream(folder_ / "ca.pem") << "no certificate is read here";
  const auto loaded = load(
      "[audit.syslog]\nurl = \"tls://arr.example\"\nca = \"ca.pem\"\n"
      "[retention]\naudit = \"3650d\"\n");
  ASSERT_TRUE(loaded.config);
  ASSERT_TRUE(loaded.config->syslog);
  EXPECT_EQ(loaded.config->syslog->url, "tls://arr.example");
  EXPECT_EQ(loaded.config->syslog->msgid, "IHE+RFC-3881");
  EXPECT_EQ(loaded.config->syslog->ca, folder_ / "ca.pem");
  EXPECT_EQ(loaded.config->audit_retention, std::chrono::hours(24) * 3650);
  EXPECT_EQ(load("[retention]\naudit = \"never\"\n").config->audit_retention.count(), 0);
}

TEST_F(ConfigTest, AFileThatIsNotThereIsSaid) {
  const auto loaded = load_config(folder_ / "none.toml");
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_NE(loaded.diagnostics[0].message.find("can not be read"), std::string::npos);
}

TEST_F(ConfigTest, EveryErrorIsShownNotOnlyTheFirst) {
  EXPECT_EQ(complaints("[node]\nnam = \"x\"\n[limits]\nmemory = 5\n[[listener]]\nname = \"in\"\n"),
            "router.toml:2:1: unknown key 'nam' in [node], did you mean 'name'?\n"
            "router.toml:4:10: 'memory' must be a text in quotes\n");
}

TEST_F(ConfigTest, AnOpenDoorIsAWarning) {
  const auto loaded = load(
      "[[listener]]\nname = \"in\"\n[[source]]\nae_title = \"*\"\naddresses = [\"0.0.0.0/0\"]\n");
  ASSERT_TRUE(loaded.config);
  ASSERT_EQ(loaded.diagnostics.size(), 1U);
  EXPECT_EQ(loaded.diagnostics[0].severity, rules::Diagnostic::Severity::kWarning);
}

}  // namespace
}  // namespace dr
