#include "rtstruct/nesting.h"

#include <gtest/gtest.h>

#include "rtstruct/reader.h"

namespace dr::rtstruct {
namespace {

using encoding::kExplicitLittleEndian;
using encoding::kImplicitLittleEndian;

/// `depth` sequences of undefined length, each in the item of the one before, implicit VR.
std::string nested(int depth, bool closed) {
  using namespace std::string_literals;
  const std::string open = "\x06\x30\x10\x00\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"s;
  const std::string close = "\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00"s;
  std::string text;
  for (int i = 0; i < depth; ++i) text += open;
  for (int i = 0; closed && i < depth; ++i) text += close;
  return text;
}

TEST(Nesting, StopsAtItsDepthWithoutRecursion) {
  EXPECT_TRUE(check_nesting(as_bytes(nested(32, true)), kImplicitLittleEndian, {}));
  const auto deep = check_nesting(as_bytes(nested(33, true)), kImplicitLittleEndian, {});
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Errc::kTooLong);
  const auto deepest = check_nesting(as_bytes(nested(1'000'000, true)), kImplicitLittleEndian, {});
  ASSERT_FALSE(deepest);
  EXPECT_EQ(deepest.error().code, Errc::kTooLong);
}

TEST(Nesting, RefusesWhatEndsInside) {
  const auto open = check_nesting(as_bytes(nested(3, false)), kImplicitLittleEndian, {});
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().code, Errc::kMalformed);
}

TEST(Nesting, RefusesALengthBeyondItsContainer) {
  using namespace std::string_literals;
  const std::string text = "\x08\x00\x05\x00"s + "CS\x40\x00"s + "ISO";
  const auto checked = check_nesting(as_bytes(text), kExplicitLittleEndian, {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().detail, "length=64 left=3 at offset 0");
}

TEST(Nesting, CountsElements) {
  TreeLimits limits;
  limits.elements = 3;
  using namespace std::string_literals;
  std::string text;
  for (int i = 0; i < 4; ++i) text += "\x08\x00\x05\x00"s + "CS\x00\x00"s;
  EXPECT_FALSE(check_nesting(as_bytes(text), kExplicitLittleEndian, limits));
  limits.elements = 4;
  EXPECT_TRUE(check_nesting(as_bytes(text), kExplicitLittleEndian, limits));
}

TEST(StructureSetReader, RefusesDeepNestingBeforeAnythingRecurses) {
  const auto set =
      read_structure_set(as_bytes(nested(1'000'000, true)), uid_literal("1.2.840.10008.1.2"));
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, Errc::kTooLong);
}

}  // namespace
}  // namespace dr::rtstruct
