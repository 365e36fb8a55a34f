#include "router/admin/metrics.h"

#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "router/admin/sop_class_group.h"

namespace dr::admin {
namespace {

/// The text format (version 0.0.4) taken apart: a family's labels, and each sample's value.
struct Parsed {
  std::map<std::string, std::string> type, help;
  std::map<std::string, std::set<std::string>> labels;  // by family
  std::map<std::string, double> samples;                // by name{labels}
};

std::string family_of(const std::string& sample, const Parsed& parsed) {
  if (parsed.type.contains(sample)) return sample;
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (sample.ends_with(suffix)) return sample.substr(0, sample.size() - suffix.size());
  }
  return sample;
}

Parsed parse(const std::string& text) {
  static const std::regex kComment("# (HELP|TYPE) ([a-z_]+) (.+)");
  static const std::regex kSample(R"re(([a-z_]+)(\{(.*)\})? (\S+))re");
  static const std::regex kLabel(R"re(([a-z_]+)="((?:[^"\\]|\\.)*)",?)re");
  Parsed parsed;
  std::istringstream in(text);
  std::smatch match;
  for (std::string line; std::getline(in, line);) {
    if (std::regex_match(line, match, kComment)) {
      (match[1] == "HELP" ? parsed.help : parsed.type)[match[2]] = match[3];
      continue;
    }
    if (!std::regex_match(line, match, kSample)) {
      ADD_FAILURE() << "neither comment nor sample: " << line;
      continue;
    }
    parsed.samples[line.substr(0, line.rfind(' '))] = std::stod(match[4]);
    auto& labels = parsed.labels[family_of(match[1], parsed)];
    const std::string inside = match[3];
    for (std::sregex_iterator at(inside.begin(), inside.end(), kLabel), end; at != end; ++at) {
      if ((*at)[1] != "le") labels.insert((*at)[1]);
    }
  }
  return parsed;
}

Gauges some_gauges() {
  Gauges gauges;
  gauges.now = from_micros(100'000'000);
  gauges.journal.octets = 4096;
  gauges.journal.damaged_records = 2;
  gauges.disk_free_octets = 1'000'000;
  gauges.unrouted_objects = 4;
  delivery::DestinationStatus orthanc;
  orthanc.name = "orthanc";
  orthanc.counts.held = 6;
  orthanc.oldest = from_micros(40'000'000);
  orthanc.associations = 3;
  delivery::DestinationStatus archive;
  archive.name = "archive";
  archive.up = false;
  archive.paused = true;
  gauges.destinations = {orthanc, archive};
  gauges.audit_sinks = {{"sqlite", 12}};
  auto& lost = gauges.loss.emplace_back();
  lost.destination = "orthanc";
  lost.violations = 1;
  return gauges;
}

journal::OutcomeRecord outcome(journal::DeliveryState state, const std::string& word) {
  journal::OutcomeRecord record;
  record.destination = "orthanc";
  record.state = state;
  record.outcome = word;
  record.started = from_micros(10'000'000);
  record.finished = from_micros(12'000'000);
  return record;
}

const Uid kCt = uid_literal("1.2.840.10008.5.1.4.1.1.2");

void use_everything(Metrics& metrics) {
  metrics.association_opened();
  metrics.association_opened();
  metrics.association_ended("modalities", "released");
  metrics.association_rejected("modalities", "calling-ae-title");
  metrics.object_received("modalities", kCt, 1000);
  metrics.rule_matched("everything else");
  metrics.store_response("modalities", 0xA700, 0.02);
  metrics.synced({0.004, 3, 3000});
  const auto delivered = outcome(journal::DeliveryState::kDelivered, "delivered");
  metrics.delivery_ended({delivered, from_micros(2'000'000)});
  auto returned = outcome(journal::DeliveryState::kSkipped, "skipped");
  returned.reason = "loop";
  metrics.delivery_ended({returned, from_micros(2'000'000)});
  metrics.audit_written("sqlite", 5);
  metrics.audit_refused("sqlite", 1);
  metrics.rules_reloaded(true, from_micros(50'000'000));
  metrics.extraction_ended("held", 1.5);
}

// The interface description, as far as it is true now. A name here is not changed.
const std::map<std::string, std::set<std::string>> kNames = {
    {"associations_total", {"listener", "outcome"}},
    {"associations_open", {}},
    {"objects_received_total", {"listener", "sop_class_group"}},
    {"received_bytes_total", {}},
    {"store_response_seconds", {}},
    {"journal_sync_seconds", {}},
    {"journal_bytes", {}},
    {"journal_batch_objects", {}},
    {"rule_matches_total", {"rule"}},
    {"deliveries_total", {"destination", "outcome"}},
    {"delivery_seconds", {"destination"}},
    {"queue_objects", {"destination", "state"}},
    {"queue_oldest_seconds", {"destination"}},
    {"destination_up", {"destination"}},
    {"route_latency_seconds", {"destination"}},
    {"extractions_total", {"outcome"}},
    {"extraction_seconds", {}},
    {"audit_lag_records", {"sink"}},
    {"audit_rows_total", {"sink"}},
    {"audit_rows_refused_total", {"sink"}},
    {"journal_fenced", {}},
    {"journal_sync_probe_seconds", {}},
    {"journal_damaged_records_total", {}},
    {"journal_scrubbed_bytes_total", {}},
    {"journal_scrub_timestamp_seconds", {}},
    {"disk_free_bytes", {}},
    {"objects_unrouted", {}},
    {"rules_reload_success", {}},
    {"rules_last_reload_timestamp_seconds", {}},
    {"store_responses_total", {"listener", "status"}},
    {"association_rejections_total", {"listener", "reason"}},
    {"destination_concurrency", {"destination"}},
    {"destination_paused", {"destination"}},
    {"loop_guard_total", {"destination"}},
    {"loss_invariant_violations", {"destination"}},
    {"build_info", {"version", "commit"}},
};

TEST(Metrics, NamesAndLabelsAreThoseOfTheInterface) {
  Metrics metrics("0.1.0", "abc");
  use_everything(metrics);
  const auto parsed = parse(metrics.text(some_gauges()));
  std::map<std::string, std::set<std::string>> expected;
  for (const auto& [name, labels] : kNames) expected["dicom_router_" + name] = labels;
  EXPECT_EQ(parsed.labels, expected);
}

TEST(Metrics, EachFamilyHasHelpAndTypeAndSaysItsUnit) {
  Metrics metrics("0.1.0", "abc");
  use_everything(metrics);
  const auto parsed = parse(metrics.text(some_gauges()));
  for (const auto& [name, labels] : parsed.labels) {
    ASSERT_TRUE(parsed.help.contains(name)) << name;
    const auto& help = parsed.help.at(name);
    if (name.find("_seconds") != std::string::npos) {
      EXPECT_NE(help.find("in seconds"), std::string::npos) << name << ": " << help;
    }
    if (name.find("_bytes") != std::string::npos) {
      EXPECT_NE(help.find("in bytes"), std::string::npos) << name << ": " << help;
    }
    EXPECT_EQ(parsed.type.at(name) == "counter", name.ends_with("_total")) << name;
  }
}

TEST(Metrics, CountsWhatHappened) {
  Metrics metrics("0.1.0", "abc");
  use_everything(metrics);
  auto samples = parse(metrics.text(some_gauges())).samples;
  const auto value = [&](const std::string& name) {
    EXPECT_TRUE(samples.contains("dicom_router_" + name)) << name;
    return samples["dicom_router_" + name];
  };
  EXPECT_EQ(value("associations_open"), 1);
  EXPECT_EQ(value(R"(associations_total{listener="modalities",outcome="released"})"), 1);
  EXPECT_EQ(value(R"(objects_received_total{listener="modalities",sop_class_group="ct"})"), 1);
  EXPECT_EQ(value("received_bytes_total"), 1000);
  EXPECT_EQ(value(R"(store_responses_total{listener="modalities",status="A700H"})"), 1);
  EXPECT_EQ(value(R"(store_response_seconds_bucket{le="0.01"})"), 0);
  EXPECT_EQ(value(R"(store_response_seconds_bucket{le="0.025"})"), 1);
  EXPECT_EQ(value("journal_batch_objects_sum"), 3);
  EXPECT_EQ(value(R"(deliveries_total{destination="orthanc",outcome="delivered"})"), 1);
  EXPECT_EQ(value(R"(delivery_seconds_sum{destination="orthanc"})"), 2);
  EXPECT_EQ(value(R"(route_latency_seconds_sum{destination="orthanc"})"), 10);
  EXPECT_EQ(value(R"(loop_guard_total{destination="orthanc"})"), 1);
  EXPECT_EQ(value(R"(queue_objects{destination="orthanc",state="held"})"), 6);
  EXPECT_EQ(value(R"(queue_oldest_seconds{destination="orthanc"})"), 60);
  EXPECT_EQ(value(R"(queue_oldest_seconds{destination="archive"})"), 0);
  EXPECT_EQ(value(R"(destination_up{destination="archive"})"), 0);
  EXPECT_EQ(value(R"(destination_paused{destination="archive"})"), 1);
  EXPECT_EQ(value(R"(destination_paused{destination="orthanc"})"), 0);
  EXPECT_EQ(value(R"(loss_invariant_violations{destination="orthanc"})"), 1);
  EXPECT_EQ(value(R"(destination_concurrency{destination="orthanc"})"), 3);
  EXPECT_EQ(value(R"(audit_lag_records{sink="sqlite"})"), 12);
  EXPECT_EQ(value(R"(audit_rows_total{sink="sqlite"})"), 5);
  EXPECT_EQ(value(R"(extractions_total{outcome="held"})"), 1);
  EXPECT_EQ(value("extraction_seconds_sum"), 1.5);
  EXPECT_EQ(value("journal_damaged_records_total"), 2);
  EXPECT_EQ(value("rules_last_reload_timestamp_seconds"), 50);
  EXPECT_EQ(value(R"(build_info{commit="abc",version="0.1.0"})"), 1);
}

TEST(Metrics, OnlyADeliveryCountsAsLatency) {
  Metrics metrics("0", "0");
  const auto refused = outcome(journal::DeliveryState::kWaiting, "refused");
  metrics.delivery_ended({refused, from_micros(0)});
  auto samples = parse(metrics.text({})).samples;
  EXPECT_EQ(samples.at(R"(dicom_router_delivery_seconds_count{destination="orthanc"})"), 1);
  EXPECT_EQ(samples.at(R"(dicom_router_route_latency_seconds_count{destination="orthanc"})"), 0);
}

TEST(Metrics, AFailedReloadKeepsTheTimeOfTheLastGoodOne) {
  Metrics metrics("0", "0");
  metrics.rules_reloaded(true, from_micros(50'000'000));
  metrics.rules_reloaded(false, from_micros(60'000'000));
  const auto samples = parse(metrics.text({})).samples;
  EXPECT_EQ(samples.at("dicom_router_rules_reload_success"), 0);
  EXPECT_EQ(samples.at("dicom_router_rules_last_reload_timestamp_seconds"), 50);
}

TEST(Metrics, AFencedJournalShowsAtOnceAndForGood) {
  Metrics metrics("0", "0");
  EXPECT_EQ(parse(metrics.text({})).samples.at("dicom_router_journal_fenced"), 0);
  metrics.fenced();
  EXPECT_EQ(parse(metrics.text({})).samples.at("dicom_router_journal_fenced"), 1);
}

TEST(Metrics, ADestinationThatIsGoneIsNoLongerShown) {
  Metrics metrics("0", "0");
  EXPECT_NE(metrics.text(some_gauges()).find("destination=\"archive\""), std::string::npos);
  EXPECT_EQ(metrics.text({}).find("destination=\"archive\""), std::string::npos);
}

TEST(Metrics, LabelsAreEscapedSoThatNamesCanNotForgeLines) {
  Metrics metrics("0", "0");
  metrics.rule_matched("a\"} 1\nforged 7\\");
  const auto parsed = parse(metrics.text({}));
  EXPECT_FALSE(parsed.samples.contains("forged"));
  EXPECT_EQ(parsed.samples.at(R"(dicom_router_rule_matches_total{rule="a\"} 1\nforged 7\\"})"), 1);
}

TEST(Metrics, UnboundedNamesEndInOther) {
  Metrics metrics("0", "0");
  for (int n = 0; n < 20'000; ++n) {
    metrics.rule_matched("rule " + std::to_string(n));
    metrics.association_rejected("in", "reason " + std::to_string(n));
  }
  std::size_t rules = 0;
  std::size_t reasons = 0;
  double counted = 0;
  for (const auto& [name, value] : parse(metrics.text({})).samples) {
    if (name.starts_with("dicom_router_rule_matches_total")) {
      ++rules;
      counted += value;
    }
    reasons += name.starts_with("dicom_router_association_rejections_total") ? 1 : 0;
  }
  EXPECT_EQ(rules, 4097U);
  EXPECT_EQ(reasons, 33U);
  EXPECT_EQ(counted, 20'000);
}

TEST(Metrics, CountsFromManyThreadsAreAllThere) {
  Metrics metrics("0", "0");
  constexpr int kThreads = 4;
  constexpr int kEach = 2'000;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&metrics] {
      for (int n = 0; n < kEach; ++n) {
        metrics.object_received("in " + std::to_string(n % 7), kCt, 1);
        metrics.rule_matched("rule " + std::to_string(n % 100));
        metrics.store_response("in 0", static_cast<std::uint16_t>(n % 3), 0.001);
        if (n % 500 == 0) {
          EXPECT_FALSE(metrics.text({}).empty());
        }
      }
    });
  }
  threads.clear();
  double objects = 0;
  double rules = 0;
  double responses = 0;
  for (const auto& [name, value] : parse(metrics.text({})).samples) {
    if (name.starts_with("dicom_router_objects_received_total")) objects += value;
    if (name.starts_with("dicom_router_rule_matches_total")) rules += value;
    if (name.starts_with("dicom_router_store_responses_total")) responses += value;
  }
  EXPECT_EQ(objects, kThreads * kEach);
  EXPECT_EQ(rules, kThreads * kEach);
  EXPECT_EQ(responses, kThreads * kEach);
}

TEST(SopClassGroup, IsTheFamilyOfAStorageClass) {
  const auto group = [](const char* uid) { return sop_class_group(uid_literal(uid)); };
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1.1"), "radiography");
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1.1.2.1"), "radiography");
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1.2.1"), "ct");
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1.4"), "mr");
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1.481.3"), "radiotherapy");
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1.88.67"), "structured_report");
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1.48"), "other");
  EXPECT_EQ(group("1.2.840.10008.5.1.4.1.1"), "other");
  EXPECT_EQ(group("1.2.840.113619.4.2"), "other");
  EXPECT_EQ(sop_class_group(Uid()), "other");
}

}  // namespace
}  // namespace dr::admin
