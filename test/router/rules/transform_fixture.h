#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <toml++/toml.h>
#include <unistd.h>

#include "router/rules/transform.h"
#include "router/rules/transform_apply.h"
#include "router/rules/transform_csv.h"
#include "router/rules/transform_job.h"
#include "router/rules/transform_value.h"
#include "test/dimse/encoding/data_set_builder.h"
#include "test/router/rules/fixture.h"

namespace dr::rules {

/// An anonymous file with this content.
class MemoryFile {
 public:
  explicit MemoryFile(ByteSpan content = {}) : fd_(memfd_create("test", MFD_CLOEXEC)) {
    EXPECT_EQ(::write(fd_, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }
  Bytes content() const {
    Bytes octets(static_cast<std::size_t>(lseek(fd_, 0, SEEK_END)));
    EXPECT_EQ(pread(fd_, octets.data(), octets.size(), 0), static_cast<ssize_t>(octets.size()));
    return octets;
  }

 private:
  int fd_;
};

class MemorySet final : public Source {
 public:
  explicit MemorySet(Bytes octets) : octets_(std::move(octets)) {}
  std::uint64_t size() const override { return octets_.size(); }
  Result<std::size_t> read(std::uint64_t offset, MutableByteSpan into) const override {
    if (offset >= octets_.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(into.size(), octets_.size() - offset);
    std::copy_n(octets_.begin() + static_cast<std::ptrdiff_t>(offset), n, into.begin());
    return n;
  }

 private:
  Bytes octets_;
};

inline constexpr const char* kTestKey = "0123456789abcdef0123456789abcdef";

/// The canonical text of `actions`, a TOML array.
inline std::string canonical(std::string_view actions) {
  const auto parsed = toml::parse("transform = " + std::string(actions));
  if (!parsed) {
    ADD_FAILURE() << parsed.error();
    return {};
  }
  Findings findings("rules.d/10.toml");
  const auto transform = read_transform(*parsed.table().get("transform"), "/", findings);
  for (const Diagnostic& d : findings.take()) ADD_FAILURE() << d.to_string();
  return transform ? transform->canonical() : "";
}

struct Copy {
  Bytes octets;
  TransformResult result;
};

/// What becomes of a data set, by way of everything that a worker does.
inline Result<Copy> transformed(std::string_view actions, const Bytes& data_set,
                                std::string_view transfer_syntax = kExplicitLe,
                                const std::string& key = kTestKey,
                                const std::string& character_set = {}) {
  const MemoryFile in(data_set);
  const MemoryFile out;
  const TransformRequest request{canonical(actions),
                                 uid_literal(transfer_syntax),
                                 key,
                                 "ROUTER",
                                 UtcMicros{std::chrono::seconds(1'700'000'000)},
                                 character_set};
  const MemoryFile scratch;
  const std::array<int, 1> inputs{in.fd()};
  const std::array<int, 2> outputs{out.fd(), scratch.fd()};
  const auto octets = run_transform(encode(request), inputs, outputs);
  if (!octets) return octets.error();
  const auto result = decode_transform_result(*octets);
  if (!result) return result.error();
  EXPECT_EQ(result->octets, out.content().size());
  return Copy{out.content(), *result};
}

/// The value at `path` in a data set, values separated by backslashes; "(absent)" where there is
/// none.
inline std::string value_of(const Bytes& octets, std::string_view path,
                            encoding::Encoding encoding = encoding::kExplicitLittleEndian) {
  const MemorySet source(octets);
  auto set = DataSet::parse(source, encoding);
  if (!set) return set.error().to_string();
  std::string found = "(absent)";
  const auto parsed = ElementPath::parse(path);
  if (!parsed) return parsed.error().detail;
  auto visited = visit(*set, *parsed, [&](const ElementPlace& place) -> Result<void> {
    const Element* const e = place.item.find(place.tag);
    if (e == nullptr || found != "(absent)") return {};
    if (e->sequence) {
      found = std::to_string(e->items.size()) + " item(s)";
      return {};
    }
    found.clear();
    const auto values = read_values(*set, *e, place.charset);
    if (!values) return values.error();
    for (const std::string& each : *values) found += (found.empty() ? "" : "\\") + each;
    return {};
  });
  return visited ? found : visited.error().to_string();
}

/// A data set in the making: text elements by keyword, in order of their tags.
class Made {
 public:
  explicit Made(encoding::Encoding encoding = encoding::kExplicitLittleEndian) : set_(encoding) {
    text("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2");
    text("SOPInstanceUID", "1.2.3.4");
  }
  Made& text(std::string_view keyword, std::string_view value) {
    const auto entry = encoding::find_keyword(keyword);
    std::string padded(value);
    if (padded.size() % 2 != 0) padded += entry->vr == encoding::vr('U', 'I') ? '\0' : ' ';
    set_.element(entry->tag, entry->vr, padded);
    return *this;
  }
  encoding::DataSetBuilder& builder() { return set_; }
  const Bytes& bytes() const { return set_.bytes(); }

 private:
  encoding::DataSetBuilder set_;
};

}  // namespace dr::rules
