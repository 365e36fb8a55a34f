#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/base/uid.h"
#include "dimse/encoding/tag.h"

namespace dr::encoding {

/// Which top-level elements a scan shall bring. Built once for a rule set; shared by all scans.
/// Tags from group 7FE0 on (pixel data and what stands behind it) may be named, but are never
/// found.
class ScanPlan {
 public:
  /// Tags in any order; duplicates are fine.
  explicit ScanPlan(std::vector<Tag> tags);
  const std::vector<Tag>& tags() const noexcept { return tags_; }  // ascending

 private:
  std::vector<Tag> tags_;
};

/// One element that was found, its value octets as in the data set.
struct ScannedElement {
  Tag tag;
  Vr vr{};  // as encoded; Vr::kUnknown in implicit VR (the dictionary knows)
  bool big_endian = false;
  bool truncated = false;  // the value is longer than what is kept: `value` is its head
  ByteSpan value;  // valid as long as the scanner; without the value field's padding removed
};

/// Finds the planned elements in a data set that arrives in pieces, without building a tree (PS3.5
/// 7). It stops at the highest planned tag, reads no pixel data, keeps nothing but the planned
/// values (each at most 64 KiB, all together 1 MiB). Of several elements with one tag the first
/// counts. Sequences are stepped over, those of undefined length item by item without recursion, 32
/// deep at most; the value of a planned one is its items, without the sequence delimitation item.
/// UN of undefined length holds items in implicit VR little endian (PS3.5 6.2.2). Deflated data
/// sets (PS3.5 A.5) are inflated in a window of 16 KiB, 16 MiB in all.
class HeaderScanner {
 public:
  enum class State {
    kMore,    // wants further octets
    kDone,    // past the highest planned tag
    kFailed,  // error() says where
  };

  /// `plan` must outlive the scanner. An unknown transfer syntax is scanned as explicit VR little
  /// endian (PS3.5 10: all but the two default ones of PS3.5 A.1 and A.3 are).
  HeaderScanner(const ScanPlan& plan, const Uid& transfer_syntax);
  ~HeaderScanner();
  HeaderScanner(HeaderScanner&&) noexcept;
  HeaderScanner& operator=(HeaderScanner&&) noexcept;

  /// The next octets of the data set, in order. After kDone or kFailed they are ignored.
  State feed(ByteSpan octets);
  /// The data set has ended: kMore becomes kDone, or kFailed when it ends inside an element.
  State finish();
  State state() const noexcept;
  /// `(0008,0018) at offset 412: length=70 limit=64`; tags, offsets and numbers only.
  const Error& error() const;

  /// nullptr: absent (so far).
  const ScannedElement* find(Tag tag) const;
  /// The first element at or behind `tag`, in the order of tags; nullptr: there is none (so far).
  const ScannedElement* first_from(Tag tag) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dr::encoding
