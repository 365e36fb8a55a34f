#include "router/rules/window.h"

#include <algorithm>

#include "test/router/rules/fixture.h"

namespace dr::rules {
namespace {

using namespace std::chrono_literals;

bool inside(std::string_view window, std::string_view week_time) {
  const auto spans = parse_window(window);
  const auto at = parse_week_time(week_time);
  EXPECT_TRUE(spans) << window;
  EXPECT_TRUE(at) << week_time;
  return std::ranges::any_of(
      *spans, [&](const WeekSpan& span) { return *at >= span.begin && *at < span.end; });
}

TEST(Window, BeginsInItsFirstMinuteAndEndsBeforeItsLast) {
  EXPECT_FALSE(inside("07:30-18:00", "Wed 07:29"));
  EXPECT_TRUE(inside("07:30-18:00", "Wed 07:30"));
  EXPECT_TRUE(inside("07:30-18:00", "Sun 17:59"));
  EXPECT_FALSE(inside("07:30-18:00", "Sun 18:00"));
}

TEST(Window, OfANightBelongsToTheDayOnWhichItBegins) {
  const std::string_view nights = "Mon-Fri 20:00-06:00";
  EXPECT_TRUE(inside(nights, "Mon 20:00"));
  EXPECT_TRUE(inside(nights, "Tue 05:59"));
  EXPECT_TRUE(inside(nights, "Sat 05:59")) << "Friday's night";
  EXPECT_FALSE(inside(nights, "Sat 20:00"));
  EXPECT_FALSE(inside(nights, "Mon 05:59")) << "Sunday's night";
  EXPECT_FALSE(inside(nights, "Wed 12:00"));
  EXPECT_TRUE(inside("Sun 22:00-04:00", "Mon 03:59")) << "over the end of the week";
  EXPECT_FALSE(inside("Sun 22:00-04:00", "Mon 04:00"));
}

TEST(Window, OfDaysIsTheWholeOfThem) {
  EXPECT_TRUE(inside("Sat,Sun", "Sat 00:00"));
  EXPECT_TRUE(inside("Sat,Sun", "Sun 23:59"));
  EXPECT_FALSE(inside("Sat,Sun", "Mon 00:00"));
  EXPECT_TRUE(inside("Fri-Mon", "Sun 12:00"));
  EXPECT_FALSE(inside("Fri-Mon", "Tue 00:00"));
  EXPECT_TRUE(inside("Mon,Wed-Thu 12:00-24:00", "Thu 23:59"));
  EXPECT_FALSE(inside("Mon,Wed-Thu 12:00-24:00", "Fri 00:00"));
}

TEST(Window, IsRefusedWhereItIsNone) {
  for (const std::string_view bad :
       {"", "Mon-", "mon", "Mon 8:00-12:00", "Mon 08:00", "25:00-26:00", "08:00-08:00",
        "24:00-06:00", "08:60-09:00", "Mon  08:00-09:00", "Mon-Fri,", "08:00-24:01", "0a:00-09:00",
        "08:00 - 09:00", "Montag"}) {
    EXPECT_FALSE(parse_window(bad)) << bad;
  }
}

UtcMicros utc(std::chrono::sys_days day, std::chrono::minutes minutes) { return day + minutes; }

TEST(TimeZone, KnowsSummerTime) {
  using namespace std::chrono;
  const auto berlin = TimeZone::find("Europe/Berlin");
  ASSERT_TRUE(berlin);
  EXPECT_EQ(berlin->week_time(utc(2026y / 1 / 1, 23h + 30min)), "Fri 00:30");
  EXPECT_EQ(berlin->week_time(utc(2026y / 7 / 1, 22h + 30min)), "Thu 00:30");
  EXPECT_EQ(berlin->week_time(utc(2026y / 3 / 29, 59min)), "Sun 01:59");
  EXPECT_EQ(berlin->week_time(utc(2026y / 3 / 29, 60min)), "Sun 03:00");
  EXPECT_EQ(berlin->week_time(utc(2051y / 7 / 1, 22h)), "Sun 00:00") << "beyond the table's end";
  EXPECT_EQ(TimeZone().week_time(utc(2026y / 1 / 1, 23h + 30min)), "Thu 23:30");
  EXPECT_EQ(TimeZone().week_time(UtcMicros(-1us)), "Wed 23:59");
}

TEST(TimeZone, OfAnotherNameIsRefused) {
  for (const std::string_view bad :
       {"", "Europe/Berlyn", "/etc/passwd", "../../etc/passwd", "a b"}) {
    EXPECT_FALSE(TimeZone::find(bad)) << bad;
  }
}

TEST(Condition, ReceivedIsTheTimeOfReceiptInTheNodesZone) {
  using namespace std::chrono;
  const RuleFolder folder;
  folder.write("10.toml",
               "[[rule]]\nname = \"night\"\nroute = [\"archive\"]\n"
               "when = { received = [\"Mon-Fri 20:00-06:00\", \"Sat-Sun\"] }\n");
  const auto matched = [&](const char* zone, UtcMicros received) {
    Site site;
    site.targets = {"archive"};
    site.zone = *TimeZone::find(zone);
    const auto rules = RuleSet::load(folder.folder().string(), site).rules;
    Object object;
    object.received = received;
    return !decide(*rules, object).matched.empty();
  };
  const auto wednesday = utc(2026y / 11 / 25, 19h + 30min);
  EXPECT_FALSE(matched("UTC", wednesday));
  EXPECT_TRUE(matched("Europe/Berlin", wednesday)) << "20:30 there";
  EXPECT_TRUE(matched("UTC", utc(2026y / 11 / 28, 12h)));
  EXPECT_FALSE(matched("UTC", utc(2026y / 11 / 30, 5h)));
}

}  // namespace
}  // namespace dr::rules
