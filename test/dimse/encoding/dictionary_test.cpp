#include <gtest/gtest.h>

#include "dimse/encoding/tag.h"

namespace dr::encoding {
namespace {

TEST(Dictionary, FindsElementsByKeyword) {
  const auto entry = find_keyword("SeriesInstanceUID");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->tag, tags::kSeriesInstanceUid);
  EXPECT_EQ(entry->vr, vr('U', 'I'));
  EXPECT_FALSE(find_keyword("seriesinstanceuid"));
  EXPECT_FALSE(find_keyword(""));
}

TEST(Dictionary, FindsElementsByTagWithTheKeywordOfPs36) {
  EXPECT_EQ(find_tag(tags::kPatientId)->keyword, "PatientID");
  EXPECT_EQ(find_tag({0x0040, 0x0275})->vr, vr('S', 'Q'));
  EXPECT_EQ(find_tag({0x7fe0, 0x0010})->keyword, "PixelData");
  EXPECT_FALSE(find_tag({0x0009, 0x1001}));
  EXPECT_FALSE(find_tag({0x0008, 0xfffe}));
}

TEST(Dictionary, NamesRetiredElementsAsPs36Does) {
  const auto entry = find_keyword("OtherPatientIDs");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->tag, (Tag{0x0010, 0x1000}));
  EXPECT_EQ(find_tag({0x0010, 0x1000})->keyword, "OtherPatientIDs");
}

TEST(Dictionary, KnowsRepeatingGroups) {
  EXPECT_EQ(find_keyword("OverlayRows")->tag, (Tag{0x6000, 0x0010}));
  EXPECT_EQ(find_tag({0x6004, 0x0010})->keyword, "OverlayRows");
  EXPECT_FALSE(find_tag({0x6005, 0x0010}));
}

TEST(Dictionary, HoldsOnlyWhatPs36Names) {
  EXPECT_FALSE(find_keyword("GenericGroupLength"));
  EXPECT_FALSE(find_keyword("PrivateCreator"));
  EXPECT_FALSE(find_tag({0x0009, 0x0010}));
}

TEST(Dictionary, ResolvesAChoiceOfVrs) {
  EXPECT_EQ(find_keyword("SmallestImagePixelValue")->vr, vr('U', 'S'));
  EXPECT_EQ(find_keyword("PixelData")->vr, vr('O', 'W'));
}

TEST(Dictionary, SuggestsTheNearestKeyword) {
  EXPECT_EQ(nearest_keyword("PatinetID"), "PatientID");
  EXPECT_EQ(nearest_keyword("patientid"), "PatientID");
  EXPECT_EQ(nearest_keyword("Modallity"), "Modality");
  EXPECT_EQ(nearest_keyword("StationNam"), "StationName");
  EXPECT_FALSE(nearest_keyword("xyzzyplugh"));
  EXPECT_FALSE(nearest_keyword(""));
  EXPECT_FALSE(nearest_keyword(std::string(10'000, 'a')));
}

TEST(Tag, PrintsAsTheStandardWritesIt) {
  EXPECT_EQ((Tag{0x7fe0, 0x001a}).to_string(), "(7fe0,001a)");
}

}  // namespace
}  // namespace dr::encoding
