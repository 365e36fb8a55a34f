#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "dimse/ul/pdu.h"
#include "test/dimse/ul/dump.h"

namespace dr::ul {
namespace {

/// Octets in an allocation of exactly their size, so that reading beyond is seen by ASan.
class Exact {
 public:
  explicit Exact(ByteSpan octets)
      : data_(std::make_unique<std::byte[]>(octets.size())), size_(octets.size()) {
    if (size_ > 0) std::memcpy(data_.get(), octets.data(), size_);
  }
  ByteSpan span() const { return {data_.get(), size_}; }

 private:
  std::unique_ptr<std::byte[]> data_;
  std::size_t size_;
};

/// Whether `body` decodes; and what does, encodes to octets that decode to the same again.
template <class Pdu>
bool decodes_stably(const Result<Pdu>& pdu, Result<Pdu> (*decode)(ByteSpan)) {
  if (!pdu) {
    EXPECT_TRUE(pdu.error().code == Errc::kMalformed || pdu.error().code == Errc::kTooLong);
    return false;
  }
  const Bytes once = encode(*pdu);
  const auto again = decode(body_of(once));
  EXPECT_TRUE(again && encode(*again) == once);
  return true;
}

bool try_rq(ByteSpan body) {
  return decodes_stably(decode_associate_rq(body), decode_associate_rq);
}
bool try_ac(ByteSpan body) {
  return decodes_stably(decode_associate_ac(body), decode_associate_ac);
}
bool try_rj(ByteSpan body) {
  return decodes_stably(decode_associate_rj(body), decode_associate_rj);
}
bool try_abort(ByteSpan body) { return decodes_stably(decode_abort(body), decode_abort); }

/// PDVs tile the PDU: six octets before each, nothing left over.
bool try_p_data(ByteSpan body) {
  const auto pdvs = decode_p_data(body);
  if (!pdvs) return false;
  const std::byte* at = body.data();
  for (const Pdv& pdv : *pdvs) {
    EXPECT_EQ(pdv.data.data(), at + 6);
    at = pdv.data.data() + pdv.data.size();
  }
  EXPECT_EQ(at, body.data() + body.size());
  return true;
}

/// The lengths below its own at which a prefix of `body` still decodes.
std::set<std::size_t> good_prefixes(ByteSpan body, bool (*attempt)(ByteSpan)) {
  std::set<std::size_t> good;
  for (std::size_t n = 0; n < body.size(); ++n) {
    if (attempt(Exact(body.first(n)).span())) good.insert(n);
  }
  return good;
}

using Lengths = std::set<std::size_t>;

TEST(PduTruncated, DecodesOnlyAtTheEdgesOfItems) {
  // After the fixed fields (68), the application context (25), each context (50 or 29).
  EXPECT_EQ(good_prefixes(body_of(associate_rq_dump()), try_rq), (Lengths{68, 93, 143}));
  EXPECT_EQ(good_prefixes(body_of(associate_ac_dump()), try_ac), (Lengths{68, 93, 122, 151}));
  EXPECT_EQ(good_prefixes(body_of(p_data_dump()), try_p_data), (Lengths{10}));
  EXPECT_EQ(good_prefixes(dump("00 01 01 07"), try_rj), Lengths{});
  EXPECT_EQ(good_prefixes(dump("00 00 02 06"), try_abort), Lengths{});
}

TEST(PduTruncated, FailsInsideUserInformationWhateverItsLengthSays) {
  // The item's length follows the cut, so that each sub-item is cut instead.
  const Bytes whole = associate_rq_dump();
  const std::size_t item = 6 + 143;  // of the user information
  std::set<std::size_t> good;
  for (std::size_t n = 0; n <= 0x87; ++n) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(item + 4 + n));
    store_be(cut.data() + item + 2, static_cast<std::uint16_t>(n));
    if (try_rq(Exact(body_of(cut)).span())) good.insert(n);
  }
  EXPECT_EQ(good, (Lengths{0, 8, 39, 47, 72, 91, 117, 135}));
}

struct Seed {
  Bytes body;
  bool (*attempt)(ByteSpan);
};

/// One to four of: another octet, a flipped bit, a cut, an inserted octet, a length all ones.
Bytes mutated(Bytes body, std::mt19937& random) {
  for (auto steps = random() % 4 + 1; steps > 0 && !body.empty(); --steps) {
    const std::size_t at = random() % body.size();
    const auto place = body.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random() % 6) {
      case 0:
        *place = static_cast<std::byte>(random());
        break;
      case 1:
        *place ^= static_cast<std::byte>(1U << random() % 8);
        break;
      case 2:
        body.resize(at);
        break;
      case 3:
        body.insert(place, static_cast<std::byte>(random()));
        break;
      case 4:
        body.erase(place);
        break;
      default:
        std::fill(place, body.begin() + static_cast<std::ptrdiff_t>(std::min(at + 2, body.size())),
                  std::byte{0xff});
        break;
    }
  }
  return body;
}

TEST(PduMutated, DecodesStablyOrFailsCleanly) {
  const auto body = [](const Bytes& pdu) { return Bytes(pdu.begin() + 6, pdu.end()); };
  const Seed seeds[] = {{body(associate_rq_dump()), try_rq},
                        {body(associate_ac_dump()), try_ac},
                        {body(p_data_dump()), try_p_data},
                        {dump("00 01 01 07"), try_rj},
                        {dump("00 00 02 06"), try_abort}};
  std::mt19937 random(20'240'613);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  int good = 0;
  int bad = 0;
  for (int i = 0; i < 200'000 && !HasFailure(); ++i) {
    const Seed& seed = seeds[random() % std::size(seeds)];
    const Bytes body_octets = mutated(seed.body, random);
    (seed.attempt(Exact(body_octets).span()) ? good : bad)++;
    if (i % 1024 == 0 && std::chrono::steady_clock::now() > deadline) break;
  }
  // Both happen often, so that both are tested.
  EXPECT_GT(good, (good + bad) / 20);
  EXPECT_GT(bad, (good + bad) / 20);
}

TEST(PduHostile, TinyPdvsCostNoMoreThanAFewTimesTheirOctets) {
  const Bytes one = dump("00000002 01 00");
  Bytes body;
  for (int i = 0; i < 20'000; ++i) body.insert(body.end(), one.begin(), one.end());
  const auto pdvs = decode_p_data(body);
  ASSERT_TRUE(pdvs);
  EXPECT_EQ(pdvs->size(), 20'000U);
  EXPECT_LE(pdvs->capacity() * sizeof(Pdv), body.size() * 10);
}

TEST(PduHostile, UserInformationOfManyShortItemsIsBounded) {
  Bytes items = dump("50 00 fffc");
  for (int i = 0; i < 0xfffc / 4; ++i) items.resize(items.size() + 4);
  Bytes body(68);
  body.insert(body.end(), items.begin(), items.end());
  const auto pdu = decode_associate_rq(body);
  ASSERT_FALSE(pdu);
  EXPECT_EQ(pdu.error().detail, "user information sub-items limit=256 octet=1103");
}

}  // namespace
}  // namespace dr::ul
