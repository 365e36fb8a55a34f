#include "dimse/base/http_url.h"

#include <gtest/gtest.h>

namespace dr {
namespace {

TEST(HttpUrl, IsTakenApart) {
  const auto url = HttpUrl::parse("https://[::1]:8443/dicom-web/?a=b/c");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->origin, "https://[::1]:8443");
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->path, "/dicom-web/");
  EXPECT_EQ(url->query, "a=b/c");
  EXPECT_TRUE(url->encrypted());
  const auto bare = HttpUrl::parse("http://host?x");
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->origin, "http://host");
  EXPECT_EQ(bare->path, "");
  EXPECT_EQ(bare->query, "x");
  EXPECT_FALSE(bare->encrypted());
}

TEST(HttpUrl, ThatIsNoneIsRefusedWithTheReason) {
  const std::pair<const char*, const char*> bad[] = {{"", "http://"},
                                                     {"orthanc:8042", "http://"},
                                                     {"ftp://host", "http://"},
                                                     {"http:///path", "no host"},
                                                     {"https://?a", "no host"},
                                                     {"http://me:word@host", "user"},
                                                     {"http://host/#a", "fragment"},
                                                     {"http://ho st", "character"},
                                                     {"http://host/\r\nX: 1", "character"},
                                                     {"http://[::1", "bracket"},
                                                     {"http://[::1]x", "port"},
                                                     {"http://host:", "port"},
                                                     {"http://host:0", "port"},
                                                     {"http://host:65536", "port"},
                                                     {"http://::1", "no host"}};
  for (const auto& [text, why] : bad) {
    const auto url = HttpUrl::parse(text);
    ASSERT_FALSE(url) << text;
    EXPECT_NE(url.error().detail.find(why), std::string::npos)
        << text << ": " << url.error().detail;
  }
}

TEST(HttpUrl, KnowsThisMachineByItsAddressesAndNotByWhatLooksLikeThem) {
  for (const char* here : {"http://localhost", "http://127.0.0.1:8042/a", "http://127.9.9.9",
                           "http://[::1]:1", "https://[::ffff:127.0.0.1]"}) {
    EXPECT_TRUE(HttpUrl::parse(here)->on_this_machine()) << here;
  }
  for (const char* there : {"http://127.example", "http://localhost.example",
                            "http://127.0.0.1.example", "http://10.0.0.1", "http://[::2]"}) {
    EXPECT_FALSE(HttpUrl::parse(there)->on_this_machine()) << there;
  }
}

}  // namespace
}  // namespace dr
