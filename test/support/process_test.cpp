#include "test/support/process.h"

#include <system_error>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "test/support/temp_dir.h"

namespace dr::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Process, ReturnsExitStatusAndCapturesOutputEnvironmentAndFolder) {
  const TempDir folder;
  Process p({{"sh", "-c", "echo $WORD; pwd; echo oops >&2; exit 3"},
             {"WORD=given"},
             folder.path(),
             folder / "out",
             folder / "err"});
  EXPECT_EQ(p.wait(seconds(30)), 3);
  EXPECT_EQ(p.output(), "given\n" + folder.path().string() + "\n");
  EXPECT_EQ(read_text(folder / "err"), "oops\n");
}

TEST(Process, EnvironmentGivenHereWinsOverTheInherited) {
  const auto result = run({"sh", "-c", "echo $PATH"}, {"PATH=/usr/bin:/bin:/own"});
  EXPECT_EQ(result.output, "/usr/bin:/bin:/own\n");
}

TEST(Process, HasNoInput) {
  const auto result = run({"cat"});
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.output, "");
}

TEST(Process, RefusesAProgramThatIsNotThere) {
  EXPECT_THROW(Process({{"no-such-program-here"}, {}, {}, {}, {}}), std::system_error);
}

TEST(Process, StopAsksWithSigtermFirst) {
  const TempDir folder;
  Process p({{"sh", "-c", "trap 'echo asked; exit 7' TERM; echo up; while :; do :; done"},
             {},
             {},
             folder / "out",
             {}});
  wait_until_ready(p, [&] { return p.output() == "up\n"; });
  EXPECT_TRUE(p.running());
  EXPECT_EQ(p.stop(), 7);
  EXPECT_EQ(p.output(), "up\nasked\n");
}

TEST(Process, StopKillsWhatDoesNotListen) {
  const TempDir folder;
  Process p(
      {{"sh", "-c", "trap '' TERM; echo up; while :; do :; done"}, {}, {}, folder / "out", {}});
  wait_until_ready(p, [&] { return p.output() == "up\n"; });
  EXPECT_EQ(p.stop(milliseconds(50)), 128 + SIGKILL);
}

TEST(Process, LeavesNoChildBehind) {
  pid_t pid = 0;
  {
    const Process p({{"sleep", "1000"}, {}, {}, {}, {}});
    pid = p.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(waitpid(pid, nullptr, 0), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(Process, WaitGivesUpAtItsDeadline) {
  Process p({{"sleep", "1000"}, {}, {}, {}, {}});
  EXPECT_EQ(p.wait(milliseconds(20)), std::nullopt);
  EXPECT_TRUE(p.running());
}

TEST(Process, ReadinessFailsWithTheOutputOfAProcessThatEnds) {
  const TempDir folder;
  Process p({{"sh", "-c", "echo no license; exit 1"}, {}, {}, folder / "out", {}});
  try {
    wait_until_ready(p, [] { return false; });
    FAIL() << "should have thrown";
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("no license"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace dr::test
