#include "dimse/base/log.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dr {
namespace {

std::vector<std::string> g_lines;

class Log : public testing::Test {
 protected:
  void SetUp() override {
    g_lines.clear();
    log::set_sink([](log::Level, std::string_view line) { g_lines.emplace_back(line); },
                  log::Level::kInfo);
  }
  void TearDown() override { log::set_sink(nullptr, log::Level::kInfo); }
};

TEST(LogEscape, LeavesPrintableAsciiAlone) {
  EXPECT_EQ(log::escape("CT 1/a.b-[x]'<&>"), "CT 1/a.b-[x]'<&>");
}

TEST(LogEscape, LeavesNoOctetThatCouldForgeALine) {
  for (int c = 0; c < 256; ++c) {
    const std::string escaped = log::escape(std::string(1, static_cast<char>(c)));
    const bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    EXPECT_EQ(escaped.size(), plain ? 1U : 4U) << c;
    EXPECT_EQ(escaped.find_first_of("\"\n\r\x1b"), std::string::npos) << c;
  }
  EXPECT_EQ(log::escape("a\r\n\x1b[2J\"\\"), "a\\x0d\\x0a\\x1b[2J\\x22\\x5c");
  EXPECT_EQ(log::escape(std::string("\0\xff", 2)), "\\x00\\xff");
}

TEST(LogEscape, ShowsAtMostItsLimitOfInput) {
  EXPECT_EQ(log::escape("abcdef", 3), "abc...");
  EXPECT_EQ(log::escape("abc", 3), "abc");
  EXPECT_EQ(log::escape("\n\n\n", 2), "\\x0a\\x0a...");
}

TEST_F(Log, WritesOneLineOfFields) {
  log::event(log::Level::kInfo, "association.accepted",
             {{"association", 7}, {"calling", "CT 1"}, {"count", std::uint64_t{1} << 63}});
  ASSERT_EQ(g_lines.size(), 1U);
  EXPECT_EQ(g_lines[0],
            "association.accepted association=7 calling=\"CT 1\" count=9223372036854775808");
}

TEST_F(Log, EscapesTextFromTheWire) {
  log::event(log::Level::kWarning, "association.refused",
             {{"calling", std::string("X\" level=error\nforged")}});
  ASSERT_EQ(g_lines.size(), 1U);
  EXPECT_EQ(g_lines[0], "association.refused calling=\"X\\x22 level=error\\x0aforged\"");
}

TEST_F(Log, LeavesOutWhatIsBelowItsLevel) {
  log::event(log::Level::kDebug, "pdu.received", {});
  EXPECT_TRUE(g_lines.empty());
  log::event(log::Level::kError, "journal.fenced", {});
  EXPECT_EQ(g_lines, std::vector<std::string>{"journal.fenced"});
}

TEST_F(Log, WithoutASinkSaysNothing) {
  log::set_sink(nullptr, log::Level::kDebug);
  log::event(log::Level::kError, "journal.fenced", {});
  EXPECT_TRUE(g_lines.empty());
}

}  // namespace
}  // namespace dr
