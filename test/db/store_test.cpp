#include <algorithm>
#include <random>

#include "db/text.h"
#include "test/db/backends.h"
#include "test/db/store_fixture.h"

namespace dr::db {
namespace {

TYPED_TEST_SUITE(Store, AllBackends, BackendNames);

TYPED_TEST(Store, WritingTheSameRowsTwiceChangesNothing) {
  const auto store = this->open();
  const auto rows = rows_of_every_kind();
  ASSERT_TRUE(store->write(rows).ok());
  const std::string once = this->dump();
  ASSERT_TRUE(store->write(rows).ok());
  EXPECT_EQ(this->dump(), once);
  EXPECT_EQ(this->number("SELECT count(*) FROM instance"), 2);
  EXPECT_EQ(this->number("SELECT count(*) FROM delivery"), 2);
  EXPECT_EQ(this->number("SELECT count(*) FROM association"), 1);
  EXPECT_EQ(this->number("SELECT count(*) FROM security_event"), 1);
  EXPECT_EQ(this->number("SELECT count(*) FROM operator_action"), 1);
}

TYPED_TEST(Store, AnyOrderOfRowsLeavesTheSameTables) {
  auto rows = rows_of_every_kind();
  ASSERT_TRUE(this->open()->write(rows).ok());
  const std::string expected = this->dump();
  std::minstd_rand random(1);
  const auto store = this->open();
  for (int round = 0; round < (TypeParam::kServer ? 10 : 50); ++round) {
    this->remove_all();
    std::shuffle(rows.begin(), rows.end(), random);
    const std::size_t cut = static_cast<std::size_t>(random()) % rows.size();
    ASSERT_TRUE(store->write(std::span(rows).first(cut)).ok());
    ASSERT_TRUE(store->write(std::span(rows).subspan(cut)).ok());
    ASSERT_EQ(this->dump(), expected) << "round " << round;
  }
}

TYPED_TEST(Store, AStateOnlyMovesToAGreaterSequence) {
  const auto store = this->open();
  ASSERT_TRUE(store->write(std::vector<Row>{state(1, "orthanc", "delivered", 9)}).ok());
  ASSERT_TRUE(store->write(std::vector<Row>{state(1, "orthanc", "waiting", 9)}).ok());
  ASSERT_TRUE(store->write(std::vector<Row>{state(1, "orthanc", "waiting", 8)}).ok());
  EXPECT_EQ(this->number("SELECT count(*) FROM instance_state WHERE state = 'delivered'"), 1);
  ASSERT_TRUE(store->write(std::vector<Row>{state(1, "orthanc", "verified", 10)}).ok());
  EXPECT_EQ(this->number("SELECT count(*) FROM instance_state WHERE state = 'verified' "
                         "AND changed_sequence = 10"),
            1);
}

TYPED_TEST(Store, CountsTheStatesOfWhatWasReceivedInATime) {
  const auto store = this->open();
  std::vector<Row> rows;
  for (std::uint64_t i = 1; i <= 4; ++i) {
    rows.emplace_back(instance(i));  // received one microsecond after another
    rows.emplace_back(state(i, "orthanc", i == 3 ? "held" : "delivered", 100 + i));
  }
  rows.emplace_back(state(2, "archive", "waiting", 2));
  rows.emplace_back(state(3, "", "dropped", 110));  // that of an unrouted object
  auto other = instance(2);
  other.key.spool_id = "another";
  rows.emplace_back(other);
  ASSERT_TRUE(store->write(rows).ok());
  const auto counts = store->state_counts({key(1).node, key(1).spool_id, 1, 3},
                                          instance(2).received, instance(4).received);
  ASSERT_TRUE(counts) << counts.error().to_string();
  std::vector<std::string> found;
  for (const StateCount& each : *counts) {
    found.push_back(each.destination + " " + each.state + " " + std::to_string(each.objects));
  }
  EXPECT_EQ(found, (std::vector<std::string>{"archive waiting 1", "orthanc delivered 1",
                                             "orthanc held 1"}));
}

TYPED_TEST(Store, ALaterResultReplacesAnEarlierOneAndNeverTheOtherWayRound) {
  const auto store = this->open();
  ASSERT_TRUE(store->write(std::vector<Row>{structure_set(1, 9), roi(1, 1, 9)}).ok());
  ASSERT_TRUE(store->write(std::vector<Row>{structure_set(1, 8), roi(1, 1, 8)}).ok());
  EXPECT_EQ(this->number("SELECT count(*) FROM rt_roi WHERE result_sequence = 9"), 1);
  ASSERT_TRUE(store->write(std::vector<Row>{structure_set(1, 10), roi(1, 1, 10)}).ok());
  EXPECT_EQ(this->number("SELECT count(*) FROM rt_structure_set WHERE result_sequence = 10"), 1);
  EXPECT_EQ(this->number("SELECT count(*) FROM rt_roi WHERE volume_cm3 > 10.33 AND volume_cm3 < "
                         "10.34 AND surface_cm2 IS NULL"),
            1);
}

TYPED_TEST(Store, FractionsComeBackToTheLastBit) {
  const auto store = this->open();
  const std::vector<Row> rows{roi(1, 1, 12), contour(1, 12), dvh(1)};
  ASSERT_TRUE(store->write(rows).ok());
  const auto back = store->read({key(1).node, key(1).spool_id, 1, 1});
  ASSERT_TRUE(back.ok()) << back.error().to_string();
  for (const Row& row : rows) {
    ASSERT_EQ(back->at(row.index()).size(), 1U);
    EXPECT_EQ(back->at(row.index()).front(), record_of(row)) << tables().at(row.index()).name;
  }
}

TYPED_TEST(Store, ADigestBeforeItsObjectIsKept) {
  const auto store = this->open();
  ASSERT_TRUE(store->write(std::vector<Row>{DigestRow{key(3), 1, std::string(64, 'd')}}).ok());
  ASSERT_TRUE(store->write(std::vector<Row>{instance(1)}).ok());
  const auto found = store->trace("1.2.3.1", 10);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().sha256, std::string(64, 'd'));
  EXPECT_EQ(found->front().instance.modality, "CT");
}

TYPED_TEST(Store, TraceFindsByObjectSeriesAndStudyOldestFirst) {
  const auto store = this->open();
  ASSERT_TRUE(store->write(rows_of_every_kind()).ok());
  auto other = instance(20);
  other.study_instance_uid = other.series_instance_uid = "9.9";
  other.received = from_micros(1);
  ASSERT_TRUE(store->write(std::vector<Row>{other}).ok());

  EXPECT_EQ(store->trace("1.2.3.2", 10)->size(), 1U);
  EXPECT_EQ(store->trace("1.2.3.0", 10)->size(), 2U);
  EXPECT_EQ(store->trace("9.9", 10)->size(), 1U);
  EXPECT_TRUE(store->trace("7.7", 10)->empty());
  EXPECT_TRUE(store->trace("", 10)->empty());
  const auto study = store->trace("1.2.3", 10);
  ASSERT_EQ(study->size(), 2U);
  EXPECT_EQ((*study)[0].instance.key.sequence, 1U);
  EXPECT_EQ((*study)[1].instance.key.sequence, 2U);
  EXPECT_EQ(store->trace("1.2.3", 1)->size(), 1U);
}

TYPED_TEST(Store, TraceTellsEverythingThatWasWritten) {
  const auto store = this->open();
  ASSERT_TRUE(store->write(rows_of_every_kind()).ok());
  const auto found = store->trace("1.2.3.1", 10);
  ASSERT_EQ(found->size(), 1U);
  const TracedObject& object = found->front();
  const InstanceRow expected = instance(1);
  EXPECT_EQ(object.instance.received, expected.received);
  EXPECT_EQ(object.instance.durable, expected.durable);
  EXPECT_EQ(object.instance.patient_key, expected.patient_key);
  EXPECT_EQ(object.instance.octets, expected.octets);
  EXPECT_TRUE(object.instance.extract);
  EXPECT_EQ(object.sha256, std::string(64, 'd'));
  ASSERT_EQ(object.decisions.size(), 2U);
  EXPECT_EQ(object.decisions[1].rule_ordinal, 4U);
  EXPECT_EQ(object.decisions[0].destinations, R"(["archive","orthanc"])");
  ASSERT_EQ(object.deliveries.size(), 2U);
  EXPECT_EQ(object.deliveries[0].key.sequence, 4U);
  EXPECT_EQ(object.deliveries[0].status, 0xA700U);
  ASSERT_EQ(object.states.size(), 2U);
  EXPECT_EQ(object.states[1].destination, "orthanc");
  EXPECT_EQ(object.states[1].state, "delivered");
  EXPECT_EQ(object.states[1].reason, "r5");
  EXPECT_EQ(object.states[1].next_attempt, from_micros(1'700'000'009'000'000));
}

/// Of an object, its decision and its state, and of everything else, what is older goes, but only
/// within the extent.
TYPED_TEST(Store, PruningRemovesWhatIsOlderWithinItsExtentOnly) {
  const auto store = this->open();
  const auto old = [](Row row) {
    std::visit([](auto& r) { r.key.sequence += 100; }, row);
    if (auto* r = std::get_if<InstanceRow>(&row)) r->received -= std::chrono::hours(48);
    if (auto* r = std::get_if<DeliveryRow>(&row)) r->finished -= std::chrono::hours(48);
    if (auto* r = std::get_if<InstanceStateRow>(&row)) r->changed -= std::chrono::hours(48);
    if (auto* r = std::get_if<AssociationRow>(&row)) r->ended -= std::chrono::hours(48);
    if (auto* r = std::get_if<SecurityEventRow>(&row)) r->time -= std::chrono::hours(48);
    if (auto* r = std::get_if<OperatorActionRow>(&row)) r->time -= std::chrono::hours(48);
    if (auto* r = std::get_if<DigestRow>(&row)) r->instance_sequence += 100;
    return row;
  };
  auto young = rows_of_every_kind();
  for (Row& row : young) {
    if (auto* r = std::get_if<AssociationRow>(&row)) r->ended = instance(1).received;
  }
  ASSERT_TRUE(store->write(young).ok());
  const std::string kept = this->dump();
  std::vector<Row> aged;
  for (const Row& row : young) aged.push_back(old(row));
  ASSERT_TRUE(store->write(aged).ok());
  const std::string all = this->dump();
  const UtcMicros before = instance(1).received - std::chrono::hours(1);
  Extent extent{key(1).node, key(1).spool_id, 1, 100};
  EXPECT_EQ(*store->prune(extent, before), 0U);
  extent.last = 1'000;
  extent.node = "another";
  EXPECT_EQ(*store->prune(extent, before), 0U);
  EXPECT_EQ(this->dump(), all);
  extent.node = key(1).node;
  const auto pruned = store->prune(extent, before);
  ASSERT_TRUE(pruned.ok()) << pruned.error().to_string();
  // Two instances, two decisions, two states, two deliveries, association, event, action; structure
  // set, two regions, contour, two findings, histogram.
  EXPECT_EQ(*pruned, 11U + 7U);
  EXPECT_EQ(this->dump(), kept);
  EXPECT_EQ(*store->prune(extent, before), 0U);
}

TYPED_TEST(Store, ActionsAreFoundByName) {
  const auto store = this->open();
  ASSERT_TRUE(store->write(rows_of_every_kind()).ok());
  const auto found = store->actions("retry");
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().at(2), Cell(std::int64_t{11}));
  EXPECT_TRUE(store->actions("drop")->empty());
}

TYPED_TEST(Store, WhatIsAbsentStaysAbsent) {
  auto refused = instance(1);
  refused.durable.reset();
  auto attempt = delivery(2, 1);
  attempt.status.reset();
  auto final_state = state(1, "orthanc", "delivered", 2);
  final_state.next_attempt.reset();
  const auto store = this->open();
  ASSERT_TRUE(store->write(std::vector<Row>{refused, attempt, final_state}).ok());
  const auto found = store->trace("1.2.3.1", 1);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_FALSE(found->front().instance.durable);
  EXPECT_FALSE(found->front().deliveries.at(0).status);
  EXPECT_FALSE(found->front().states.at(0).next_attempt);
  EXPECT_EQ(found->front().sha256, "");
  EXPECT_EQ(this->number("SELECT count(*) FROM instance WHERE sha256 IS NULL AND durable IS NULL"),
            1);
}

/// Each value goes into every text column of one row of every kind.
std::vector<Row> rows_full_of(const std::string& text) {
  const Key k{text, text, 1};
  AssociationRow a;
  a.key = k;
  a.listener_or_destination = a.peer_address = text;
  a.calling_ae_title = a.called_ae_title = a.tls_subject = a.implementation = text;
  a.outcome = a.reason = text;
  InstanceRow i;
  i.key = k;
  i.sop_instance_uid = i.sop_class_uid = i.transfer_syntax_uid = i.study_instance_uid = text;
  i.series_instance_uid = i.modality = i.patient_key = i.listener = i.peer_address = text;
  i.calling_ae_title = i.called_ae_title = i.state = i.rules_sha256 = text;
  const DecisionRow d{k, 1, text, text, 1, text, text, text};
  DeliveryRow y;
  y.key = k;
  y.destination = y.outcome = y.comment = y.transfer_syntax_uid = text;
  InstanceStateRow s;
  s.key = k;
  s.destination = s.state = s.reason = text;
  SecurityEventRow e;
  e.key = k;
  e.kind = e.listener = e.peer_address = e.calling_ae_title = e.called_ae_title = e.detail = text;
  OperatorActionRow o;
  o.key = k;
  o.who = o.action = o.target = o.detail = text;
  std::vector<Row> rows{a, i, DigestRow{k, 1, text}, d, y, s, e, o};
  for (Row& row : rows) std::visit([&](auto& r) { r.seal = text; }, row);
  return rows;
}

std::vector<std::string> hostile_texts() {
  using namespace std::string_literals;
  return {
      "a\0b"s,
      "\0"s,
      "'; DROP TABLE instance; --",
      "\"quoted\" \\ `back` $1 ?1 :a @b %s",
      "\xff\xfe\x80",
      "\xc3",              // cut in the middle
      "\xed\xa0\x80",      // a surrogate
      "\xc0\xaf",          // overlong
      "\xf4\x90\x80\x80",  // above U+10FFFF
      "\x1b$B;3ED\x1b(B",  // ISO 2022 IR 87, as it comes from the wire
      "Gr\xfc\xdf",        // ISO 8859-1
      "\xe5\xb1\xb1\xe7\x94\xb0",
      "\x1b$)C\xb1\xe8",                           // ISO 2022 IR 149
      "\xc2\xcc\xd2\xd2",                          // GB18030
      "\xbb\xe6\xe0",                              // ISO 8859-5
      "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7",  // right to left
      "\xf0\x9f\xa9\xbb \xf4\x8f\xbf\xbd",         // beyond the basic plane
      "\xef\xbf\xbf\xee\x80\x80 e\xcc\x81",        // no character, private use, combining
      "{\"a\",NULL}\\N|",  // what an array, COPY and a list would read as theirs
      std::string(65'536, 'x'),
      std::string(65'535, '\xe5'),
  };
}

TYPED_TEST(Store, HostileTextIsStoredCleanInEveryColumn) {
  const auto store = this->open();
  for (const auto& text : hostile_texts()) {
    const auto written = store->write(rows_full_of(text));
    ASSERT_TRUE(written.ok()) << written.error().to_string();
  }
  std::size_t seen = 0;
  for (const std::string& line : lines_of(this->ask(TypeParam::kColumns))) {
    std::vector<std::string> part(4);
    std::istringstream in(line);
    for (std::string& text : part) std::getline(in, text, '|');
    const auto& [table, column, type] = std::tie(part[0], part[1], part[2]);
    const bool text = type.starts_with("VARCHAR") || type == "TEXT";
    if (!text || table.starts_with("rt_") || table == "schema_migration") continue;
    const std::size_t limit = type == "TEXT" ? TextLimit::kText : std::stoul(type.substr(8));
    bool cut = false;
    for (const std::string& value : lines_of(this->ask("SELECT " + column + " FROM " + table))) {
      EXPECT_TRUE(is_clean_text(value, limit)) << column;
      EXPECT_FALSE(value.empty()) << column;
      if (value.find_first_not_of('x') == std::string::npos) cut = value.size() == limit;
      ++seen;
    }
    EXPECT_TRUE(cut) << table << "." << column << " holds " << type;
  }
  EXPECT_GT(seen, 13U * 40);
}

TYPED_TEST(Store, NumbersKeepAllTheirBits) {
  auto row = instance(1);
  row.key.sequence = ~0ULL;
  row.octets = (1ULL << 63) + 1;
  const auto store = this->open();
  ASSERT_TRUE(store->write(std::vector<Row>{row}).ok());
  const auto found = store->trace(row.sop_instance_uid, 1);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().instance.key.sequence, ~0ULL);
  EXPECT_EQ(found->front().instance.octets, (1ULL << 63) + 1);
}

TYPED_TEST(Store, ARowThatTheDatabaseRefusesIsInvalidAndNothingOfItsBatchIsWritten) {
  const auto store = this->open();
  this->ask(TypeParam::kRefuseXx);
  auto refused = instance(2);
  refused.modality = "XX";
  const auto written = store->write(std::vector<Row>{instance(1), refused, instance(3)});
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code, Errc::kInvalid);
  EXPECT_EQ(this->number("SELECT count(*) FROM instance"), 0);
  EXPECT_TRUE(store->write(std::vector<Row>{instance(1), instance(3)}).ok());
  EXPECT_EQ(this->number("SELECT count(*) FROM instance"), 2);
}

TYPED_TEST(Store, EachQuestionHasItsView) {
  const auto store = this->open();
  auto rows = rows_of_every_kind();
  auto today = instance(30);
  today.received = SystemClock().now_utc();
  auto rejected = instance(31);
  rejected.state = "rejected";
  rows.emplace_back(today);
  rows.emplace_back(rejected);
  ASSERT_TRUE(store->write(rows).ok());
  EXPECT_EQ(this->ask("SELECT event, place, outcome FROM v_life WHERE sop_instance_uid = '1.2.3.1' "
                      "ORDER BY at, event, place, detail"),
            "matched|10-all.toml|everything\nmatched|10-all.toml|everything\n"
            "received|modalities|routed\nattempt|orthanc|refused\nattempt|orthanc|refused\n"
            "state|archive|waiting\nstate|orthanc|delivered\n");
  EXPECT_EQ(this->number("SELECT count(*) FROM v_life WHERE study_instance_uid = '1.2.3'"), 10);
  EXPECT_EQ(this->ask("SELECT sop_instance_uid FROM v_received_today WHERE modality = 'CT'"),
            "1.2.3.30\n");
  EXPECT_EQ(this->ask("SELECT destination, state, sop_instance_uid FROM v_waiting"),
            "archive|waiting|1.2.3.1\n");
  EXPECT_EQ(this->ask("SELECT started_utc, duration_us, status, sop_instance_uid FROM v_attempts "
                      "WHERE destination = 'orthanc' AND outcome = 'refused' AND sequence = 4"),
            "2023-11-14T22:13:20.500000Z|500000|42752|1.2.3.1\n");
  EXPECT_EQ(this->ask("SELECT time_utc, who, action FROM v_changes"),
            "2023-11-14T22:13:23.000000Z|ops|retry\n");
  EXPECT_EQ(this->ask("SELECT kind, sequence FROM v_refused ORDER BY time DESC"),
            "association-refused|10\nobject-rejected|31\n");
}

template <class Backend>
class Opened : public Store<Backend> {
 public:
  void TestBody() override {}
  std::string dump_of_everything() {
    const auto store = this->open();
    for (const auto& text : hostile_texts()) EXPECT_TRUE(store->write(rows_full_of(text)).ok());
    EXPECT_TRUE(store->write(rows_of_every_kind()).ok());
    return this->dump();
  }
  using Store<Backend>::TearDownTestSuite;
};

TEST(AllStores, TellTheSameOfTheSameRows) {
  const std::string sqlite = Opened<Sqlite>().dump_of_everything();
  EXPECT_GT(sqlite.size(), 100'000U);
  EXPECT_EQ(Opened<OnPostgresql>().dump_of_everything(), sqlite);
  EXPECT_EQ(Opened<OnMariadb>().dump_of_everything(), sqlite);
  Opened<OnPostgresql>::TearDownTestSuite();
  Opened<OnMariadb>::TearDownTestSuite();
}

}  // namespace
}  // namespace dr::db
