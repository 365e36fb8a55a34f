#include "router/extraction/heads.h"

#include <array>

#include "dimse/encoding/header_scanner.h"
#include "router/rules/items.h"
#include "rtstruct/reference.h"

namespace dr::extraction {
namespace {

using encoding::HeaderScanner;
using encoding::Tag;

constexpr std::array<std::size_t, 2> kHeads{16U << 10, 512U << 10};  // most images need the first
constexpr std::size_t kPiece = 256U << 10;
constexpr Tag kFrameOfReference{0x0020, 0x0052};
constexpr Tag kPlans{0x300C, 0x0002};          // Referenced RT Plan Sequence
constexpr Tag kStructureSets{0x300C, 0x0060};  // Referenced Structure Set Sequence
constexpr Tag kReferencedInstance{0x0008, 0x1155};

Uid uid_of(ByteSpan value) {
  auto uid = Uid::parse(trim_padding(as_text(value)));
  return uid ? *uid : Uid();
}

/// Of the first item.
Uid referenced_in(const HeaderScanner& head, Tag sequence) {
  const auto* const items = head.find(sequence);
  if (items == nullptr) return {};
  const bool explicit_vr =
      items->vr != encoding::Vr::kUnknown && items->vr != encoding::vr('U', 'N');
  rules::Field field;
  field.path = {{sequence}};
  field.tag = kReferencedInstance;
  Uid found;
  rules::visit_items(items->value, {explicit_vr, items->big_endian}, field, {},
                     [&](const rules::NestedElement& element) {
                       if (found.empty()) found = uid_of(element.value);
                     });
  return found;
}

}  // namespace

Result<std::optional<rtstruct::ImageSlice>> read_slice(journal::Journal& journal,
                                                       journal::Sequence instance,
                                                       const Uid& transfer_syntax_uid) {
  auto body = journal.open_body(instance);
  if (!body) return std::move(body).error();
  Bytes head;
  for (const std::size_t most : kHeads) {
    std::size_t have = head.size();
    head.resize(most);
    while (have < most) {
      const auto n = (*body)->read(MutableByteSpan(head).subspan(have));
      if (!n) return n.error();
      if (*n == 0) break;
      have += *n;
    }
    head.resize(have);
    rtstruct::ReferenceSet set;
    rtstruct::add_reference(set, head, transfer_syntax_uid);
    if (!set.slices.empty()) return std::optional(set.slices.front());
    if (have < most) break;  // that was all of it
  }
  return std::optional<rtstruct::ImageSlice>();
}

Result<Links> read_links(journal::Journal& journal, journal::Sequence instance,
                         const Uid& transfer_syntax_uid) {
  static const encoding::ScanPlan kPlan({kFrameOfReference, kPlans, kStructureSets});
  auto body = journal.open_body(instance);
  if (!body) return std::move(body).error();
  HeaderScanner head(kPlan, transfer_syntax_uid);
  Bytes piece(kPiece);
  while (head.state() == HeaderScanner::State::kMore) {
    const auto n = (*body)->read(piece);
    if (!n) return n.error();
    if (*n == 0) break;
    head.feed(ByteSpan(piece).first(*n));
  }
  head.finish();
  Links links;
  if (const auto* frame = head.find(kFrameOfReference))
    links.frame_of_reference = uid_of(frame->value);
  links.plan = referenced_in(head, kPlans);
  links.structure_set = referenced_in(head, kStructureSets);
  return links;
}

}  // namespace dr::extraction
