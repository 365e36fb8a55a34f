#include "router/delivery/http_answer.h"

#include <gtest/gtest.h>

namespace dr::delivery {
namespace {

using Ending = AttemptResult::Ending;

HttpReply reply(int status, std::string body = {}) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::move(body);
  reply.sent_all = true;
  return reply;
}

TEST(NoResult, TellsTheObjectFromTheServer) {
  for (const int status : {401, 403, 404, 302, 429, 502, 503, 504, 507}) {
    const AttemptResult result = no_result(reply(status));
    EXPECT_EQ(result.ending, Ending::kPostponed) << status;
    EXPECT_EQ(result.fault, "http_" + std::to_string(status));
    EXPECT_EQ(result.slow, status < 429) << status;
  }
  EXPECT_EQ(no_result(reply(500)).ending, Ending::kRetry);
  EXPECT_EQ(no_result(reply(400)).ending, Ending::kRefused);
  EXPECT_EQ(no_result(reply(413)).ending, Ending::kHeld);
  EXPECT_EQ(no_result(reply(204)).ending, Ending::kUnknown);
}

TEST(NoResult, IsUnknownOnlyOnceAllWasSent) {
  HttpReply none;
  none.trouble = "closed";
  EXPECT_EQ(no_result(none).ending, Ending::kRetry);
  none.sent_all = true;
  EXPECT_EQ(no_result(none).ending, Ending::kUnknown);
  none.connected = false;
  none.trouble = "no_connection";
  EXPECT_EQ(no_result(none).ending, Ending::kPostponed);
  EXPECT_EQ(no_result(none).fault, "no_connection");
  none.failure = Error{Errc::kCorrupt, "test"};
  EXPECT_EQ(no_result(none).ending, Ending::kDamaged);
}

TEST(OrthancAnswer, IsReadFromTheBody) {
  const auto stored = orthanc_answer(reply(200, R"({"ID": "0a-1f", "Status": "Success"})"));
  EXPECT_EQ(stored.result.ending, Ending::kDelivered);
  EXPECT_EQ(stored.id, "0a-1f");
  EXPECT_FALSE(stored.was_there);
  EXPECT_TRUE(orthanc_answer(reply(200, R"({"ID":"0a","Status":"AlreadyStored"})")).was_there);
  const auto filtered = orthanc_answer(reply(200, R"({"ID":"0a","Status":"FilteredOut"})"));
  EXPECT_EQ(filtered.result.ending, Ending::kHeld);
  EXPECT_TRUE(filtered.id.empty());
  EXPECT_EQ(orthanc_answer(reply(200, R"({"Status":"StorageFull"})")).result.fault, "storage_full");
  // What it says 404 of: the object, or the path.
  const auto inexistent_tag = orthanc_answer(reply(404, R"({"OrthancStatus": 21})")).result;
  EXPECT_EQ(inexistent_tag.ending, Ending::kRefused);
  EXPECT_TRUE(inexistent_tag.fault.empty());
  for (const char* body : {R"({"OrthancStatus": 17})", "{}", "", "[21]"}) {
    EXPECT_EQ(orthanc_answer(reply(404, body)).result.fault, "http_404") << body;
  }
  // A success that names nothing, or something that is no identifier, is none.
  for (const char* body :
       {"", "[]", "<html>", R"({"Status":"Success"})", R"({"ID":"../x","Status":"Success"})"}) {
    EXPECT_EQ(orthanc_answer(reply(200, body)).result.ending, Ending::kUnknown) << body;
  }
}

class StowAnswer : public testing::Test {
 protected:
  AttemptResult answer(int status, const std::string& body) const {
    return stow_answer(reply(status, body), "1.2.3", map_);
  }
  static std::string item(const std::string& uid, const std::string& more = {}) {
    return R"({"00081155":{"vr":"UI","Value":[")" + uid + R"("]})" + more + "}";
  }
  const StatusMap map_{Profile::kDcm4chee, {}};
};

TEST_F(StowAnswer, CountsForTheInstanceAndNotTheStatus) {
  const std::string stored = R"({"00081199":{"vr":"SQ","Value":[)" + item("1.2.3") + "]}}";
  EXPECT_EQ(answer(200, stored).ending, Ending::kDelivered);
  EXPECT_EQ(answer(202, stored).ending, Ending::kDelivered);
  EXPECT_EQ(answer(200, "[" + stored + "]").ending, Ending::kDelivered);
  const std::string other = R"({"00081199":{"vr":"SQ","Value":[)" + item("1.2.4") + "]}}";
  EXPECT_EQ(answer(200, other).ending, Ending::kUnknown);
  for (const char* body : {"", "{}", "null", "<NativeDicomModel/>", R"({"00081199":7})",
                           R"({"00081199":{"Value":[7,{"00081155":{"Value":[8]}}]}})"}) {
    EXPECT_EQ(answer(200, body).ending, Ending::kUnknown) << body;
  }
}

TEST_F(StowAnswer, FailureReasonsAreStatusesOfTheProfile) {
  const auto failed = [&](int reason) {
    return answer(409, R"({"00081198":{"vr":"SQ","Value":[)" +
                           item("1.2.3", R"(,"00081197":{"vr":"US","Value":[)" +
                                             std::to_string(reason) + "]}") +
                           "]}}");
  };
  EXPECT_EQ(failed(0xa700).ending, Ending::kRetry);
  EXPECT_EQ(failed(0xa777).ending, Ending::kRefused);
  EXPECT_EQ(failed(0x0124).ending, Ending::kPostponed);
  EXPECT_EQ(*failed(0xa777).status, 0xa777);
  // One without a reason may be tried again.
  EXPECT_EQ(answer(409, R"({"00081198":{"Value":[)" + item("1.2.3") + "]}}").ending,
            Ending::kRetry);
}

TEST_F(StowAnswer, WarningsAreToldAndDelivered) {
  const AttemptResult result =
      answer(202, R"({"00081199":{"vr":"SQ","Value":[)" +
                      item("1.2.3", R"(,"00081196":{"vr":"US","Value":[45056]})") + "]}}");
  EXPECT_EQ(result.ending, Ending::kDelivered);
  EXPECT_EQ(*result.status, 0xb000);
}

}  // namespace
}  // namespace dr::delivery
