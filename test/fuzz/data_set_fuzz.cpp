// Any octets as the data set of a transform: reading ends; what nothing changes is written octet
// for octet; what transforms make of it can be read again.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>

#include "router/rules/transform.h"
#include "router/rules/transform_apply.h"

namespace {

using namespace dr;
using namespace dr::rules;

class MemorySource final : public Source {
 public:
  explicit MemorySource(ByteSpan octets) : octets_(octets) {}
  std::uint64_t size() const override { return octets_.size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableByteSpan into) const override {
    if (offset >= octets_.size()) return std::size_t{0};
    const auto n = std::min<std::size_t>(into.size(), octets_.size() - offset);
    std::copy_n(octets_.begin() + static_cast<std::ptrdiff_t>(offset), n, into.begin());
    return n;
  }

 private:
  const ByteSpan octets_;
};

const encoding::Encoding kEncodings[] = {
    encoding::kImplicitLittleEndian, encoding::kExplicitLittleEndian, {true, true}};

const char* const kTransforms[] = {
    R"t([{deidentify="basic",keep=["longitudinal-modified-dates","safe-private"],clean=["descriptors"],pixels="accept"}])t",
    R"t([{uid_remap="all",reversible=true},{remove=["private","curves","vr:PN"]}])t",
    R"t([{set="PatientID",to="{PatientName|slice:1:5|upper}\u00e9"},{replace="StudyDescription",pattern="/a+/",with="b"},{copy="PatientName",to="StudyID"}])t",
    R"t([{prefix="RequestAttributesSequence.ScheduledProcedureStepID",with="X"},{original_attributes="COERCE"}])t"};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

Bytes written(const DataSet& set) {
  Bytes out;
  const auto octets = set.write([&](ByteSpan piece) -> Result<void> {
    out.insert(out.end(), piece.begin(), piece.end());
    return {};
  });
  require(!octets || *octets == out.size(), "as many octets as it says");
  if (!octets) out.clear();
  return out;
}

}  // namespace

/// First octet: encoding and transform.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const encoding::Encoding encoding = kEncodings[data[0] % std::size(kEncodings)];
  const ByteSpan octets = std::as_bytes(std::span(data + 1, size - 1));
  const MemorySource source(octets);
  auto set = DataSet::parse(source, encoding);
  if (!set) return 0;
  require(std::ranges::equal(written(*set), octets), "nothing has changed");

  static const Pseudonymizer pseudonyms("a key of this fuzzer only");
  const auto transform = parse_transform(kTransforms[data[0] / 3 % std::size(kTransforms)]);
  require(transform.ok(), "a transform");
  set->assume_character_set(data[0] >= 128 ? "ISO_IR 100" : "");
  if (!apply(*transform, *set, {pseudonyms, {}, {}, "FUZZ"})) return 0;
  const Bytes copy = written(*set);
  if (copy.empty()) return 0;
  const MemorySource again(copy);
  require(DataSet::parse(again, encoding).ok(), "a copy that can not be read");
  return 0;
}
