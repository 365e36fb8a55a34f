#include "dimse/encoding/header_scanner.h"

#include <algorithm>
#include <array>

#include "dimse/encoding/element_header.h"
#include "dimse/encoding/inflater.h"
#include "dimse/encoding/transfer_syntax.h"

namespace dr::encoding {
namespace {

constexpr std::size_t kMaxValue = 64 * 1024;
constexpr std::size_t kMaxValues = 1024 * 1024;
constexpr std::size_t kMaxSequenceDepth = 32;
constexpr Tag kEndOfHeader{0x7fdf, 0xffff};  // what follows is pixel data
constexpr Tag kItemTag{0xfffe, 0xe000};
constexpr Tag kItemDelimitationTag{0xfffe, 0xe00d};
constexpr Tag kSequenceDelimitationTag{0xfffe, 0xe0dd};

/// Memory for values, which stay where they are until the scanner dies. The first kilobyte is part
/// of it: enough for the usual handful of identifiers.
class Arena {
 public:
  /// At most `n` octets: fewer when the budget for all values is used up.
  MutableByteSpan take(std::size_t n) {
    n = std::min(n, budget_);
    budget_ -= n;
    if (n > free_.size()) {
      const std::size_t size = std::max<std::size_t>(n, 4096);
      free_ = {blocks_.emplace_back(std::make_unique_for_overwrite<std::byte[]>(size)).get(), size};
    }
    const MutableByteSpan taken = free_.first(n);
    free_ = free_.subspan(n);
    return taken;
  }
  /// The last `n` octets of what was taken last are not needed.
  void give_back(std::size_t n) {
    budget_ += n;
    free_ = {free_.data() - n, free_.size() + n};
  }

 private:
  std::array<std::byte, 1024> first_;
  MutableByteSpan free_{first_};
  std::size_t budget_ = kMaxValues;
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

/// Something of undefined length that is being stepped through. What has a length is skipped in one
/// go, so nothing else ever needs a place on the stack.
struct Frame {
  enum class Kind : std::uint8_t { kSequence, kItem, kFragments } kind;
  Encoding encoding;  // of what it holds
};

struct Slot {
  bool present = false;
  ScannedElement element;
};

}  // namespace

ScanPlan::ScanPlan(std::vector<Tag> wanted) : tags_(std::move(wanted)) {
  std::ranges::sort(tags_);
  tags_.erase(std::unique(tags_.begin(), tags_.end()), tags_.end());
}

struct HeaderScanner::Impl {
  Impl(const ScanPlan& plan, const TransferSyntax& syntax);

  State feed(ByteSpan octets);
  State finish();
  const ScannedElement* find(Tag tag) const;
  const ScannedElement* first_from(Tag tag) const;

  // One inflated or plain piece.
  void parse(ByteSpan octets);
  std::size_t value_octets(ByteSpan octets);
  std::size_t header_octets(ByteSpan octets);
  void element(const ElementHeader& header, ByteSpan raw);
  void top_level(const ElementHeader& header);
  void in_sequence(const ElementHeader& header);
  void in_item(const ElementHeader& header);
  void step_into(const ElementHeader& header);
  void push(Frame frame);
  void end_of_element();

  void begin_value(Slot& slot, const ElementHeader& header);
  void keep(ByteSpan octets);
  Slot* slot_of(Tag tag);
  Encoding encoding() const { return depth_ == 0 ? encoding_ : stack_[depth_ - 1].encoding; }
  void fail(Errc code, std::string_view what);

  const std::vector<Tag>& tags_;
  const Encoding encoding_;  // of the top level
  Tag last_;                 // the scan ends behind it
  State state_ = State::kMore;
  Error error_;
  std::unique_ptr<Inflater> inflater_;

  std::uint64_t offset_ = 0;   // octets of the (inflated) data set consumed
  std::uint64_t start_ = 0;    // where the present element's header begins
  Tag tag_;                    // its tag
  Tag top_tag_;                // that of the top-level element which it is or is part of
  std::uint64_t pending_ = 0;  // octets of a value still to come
  std::array<std::byte, kMaxElementHeader> carry_;  // a header cut by the end of a piece
  std::size_t carried_ = 0;
  std::array<Frame, 2 * kMaxSequenceDepth> stack_;  // a sequence and an item for each level
  std::size_t depth_ = 0;

  std::vector<Slot> slots_;  // one for each planned tag
  Slot* wanted_ = nullptr;   // where the present top-level element goes, if it is planned
  MutableByteSpan kept_;     // memory for its value
  std::size_t kept_size_ = 0;
  Arena arena_;
};

HeaderScanner::Impl::Impl(const ScanPlan& plan, const TransferSyntax& syntax)
    : tags_(plan.tags()), encoding_(syntax.encoding), slots_(tags_.size()) {
  const auto behind = std::ranges::upper_bound(tags_, kEndOfHeader);
  if (behind == tags_.begin()) {
    state_ = State::kDone;
    return;
  }
  last_ = *std::prev(behind);
  if (syntax.deflated) inflater_ = std::make_unique<Inflater>();
}

HeaderScanner::State HeaderScanner::Impl::feed(ByteSpan octets) {
  if (!inflater_) {
    parse(octets);
    return state_;
  }
  while (state_ == State::kMore) {
    const auto inflated = inflater_->next(octets);
    if (!inflated) {
      fail(inflated.error().code, inflated.error().detail);
    } else if (inflated->empty()) {
      break;
    } else {
      parse(*inflated);
    }
  }
  return state_;
}

HeaderScanner::State HeaderScanner::Impl::finish() {
  if (state_ != State::kMore) return state_;
  if (inflater_ && !inflater_->ended()) {
    fail(Errc::kMalformed, "the deflated stream is cut");
  } else if (carried_ > 0 || pending_ > 0 || depth_ > 0) {
    fail(Errc::kMalformed, "the data set ends inside; missing=" + std::to_string(pending_) +
                               " depth=" + std::to_string(depth_));
  } else {
    state_ = State::kDone;
  }
  return state_;
}

void HeaderScanner::Impl::parse(ByteSpan octets) {
  while (state_ == State::kMore && !octets.empty()) {
    octets = octets.subspan(pending_ > 0 ? value_octets(octets) : header_octets(octets));
  }
}

std::size_t HeaderScanner::Impl::value_octets(ByteSpan octets) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(pending_, octets.size()));
  if (wanted_) keep(octets.first(n));
  offset_ += n;
  pending_ -= n;
  if (pending_ == 0) end_of_element();
  return n;
}

std::size_t HeaderScanner::Impl::header_octets(ByteSpan octets) {
  ByteSpan view = octets;
  if (carried_ > 0) {
    const std::size_t more = std::min(octets.size(), carry_.size() - carried_);
    std::ranges::copy(octets.first(more), carry_.begin() + static_cast<std::ptrdiff_t>(carried_));
    view = ByteSpan(carry_).first(carried_ + more);
  }
  const auto header = decode_element_header(view, encoding());
  if (!header) {  // all of `octets` is the head of a header: fewer than twelve
    if (carried_ == 0) std::ranges::copy(octets, carry_.begin());
    carried_ += octets.size();
    return octets.size();
  }
  const std::size_t used = header->size - carried_;
  carried_ = 0;
  element(*header, view.first(header->size));
  return used;
}

void HeaderScanner::Impl::element(const ElementHeader& header, ByteSpan raw) {
  tag_ = header.tag;
  start_ = offset_;
  offset_ += header.size;
  if (depth_ == 0) {
    top_level(header);
    return;
  }
  const bool closes = depth_ == 1 && header.tag == kSequenceDelimitationTag;
  if (wanted_ && !closes) keep(raw);
  if (stack_[depth_ - 1].kind == Frame::Kind::kItem) {
    in_item(header);
  } else {
    in_sequence(header);
  }
}

void HeaderScanner::Impl::top_level(const ElementHeader& header) {
  if (header.tag.group == 0xfffe) {
    fail(Errc::kMalformed, "an item or delimiter outside of a sequence");
    return;
  }
  if (header.tag > last_) {
    state_ = State::kDone;
    return;
  }
  top_tag_ = header.tag;
  Slot* const slot = slot_of(header.tag);
  if (slot && !slot->present) begin_value(*slot, header);
  step_into(header);
}

void HeaderScanner::Impl::in_sequence(const ElementHeader& header) {
  const Frame frame = stack_[depth_ - 1];
  if (header.tag == kSequenceDelimitationTag) {
    --depth_;
    end_of_element();
  } else if (header.tag != kItemTag) {
    fail(Errc::kMalformed, "not an item, inside a sequence of undefined length");
  } else if (header.length != kUndefinedLength) {
    pending_ = header.length;
  } else if (frame.kind == Frame::Kind::kFragments) {
    fail(Errc::kMalformed, "a fragment of undefined length");
  } else {
    push({Frame::Kind::kItem, frame.encoding});
  }
}

void HeaderScanner::Impl::in_item(const ElementHeader& header) {
  if (header.tag == kItemDelimitationTag) {
    --depth_;
  } else if (header.tag.group == 0xfffe) {
    fail(Errc::kMalformed, "an item or delimiter inside an item of undefined length");
  } else {
    step_into(header);
  }
}

/// To the value of a data element, at any level.
void HeaderScanner::Impl::step_into(const ElementHeader& header) {
  if (header.length != kUndefinedLength) {
    pending_ = header.length;
    if (pending_ == 0) end_of_element();
    return;
  }
  const auto is = [](char a, char b) { return static_cast<std::uint16_t>(vr(a, b)); };
  switch (static_cast<std::uint16_t>(header.vr)) {
    case is('U', 'N'):  // PS3.5 6.2.2, note 4: whatever the transfer syntax
      push({Frame::Kind::kSequence, kImplicitLittleEndian});
      break;
    case is('O', 'B'):
    case is('O', 'D'):
    case is('O', 'F'):
    case is('O', 'L'):
    case is('O', 'V'):
    case is('O', 'W'):
      push({Frame::Kind::kFragments, encoding()});
      break;
    case is('U', 'C'):
    case is('U', 'R'):
    case is('U', 'T'):
      fail(Errc::kMalformed, "text of undefined length");
      break;
    default:
      push({Frame::Kind::kSequence, encoding()});
  }
}

void HeaderScanner::Impl::push(Frame frame) {
  if (depth_ == stack_.size()) {
    fail(Errc::kTooLong, "sequences nested deeper than limit=" + std::to_string(kMaxSequenceDepth));
    return;
  }
  stack_[depth_++] = frame;
}

/// A value or sequence is over; at the top level that is worth noting.
void HeaderScanner::Impl::end_of_element() {
  if (depth_ > 0) return;
  if (wanted_) {
    arena_.give_back(kept_.size() - kept_size_);
    wanted_->element.value = kept_.first(kept_size_);
    wanted_->present = true;
    wanted_ = nullptr;
  }
  if (top_tag_ == last_) state_ = State::kDone;
}

void HeaderScanner::Impl::begin_value(Slot& slot, const ElementHeader& header) {
  const bool undefined = header.length == kUndefinedLength;
  // Items in UN are little endian even in a big endian data set.
  const bool big_endian = encoding_.big_endian && !(undefined && header.vr == vr('U', 'N'));
  slot.element = {header.tag, header.vr, big_endian, false, {}};
  kept_ = arena_.take(std::min<std::size_t>(header.length, kMaxValue));
  kept_size_ = 0;
  wanted_ = &slot;
}

void HeaderScanner::Impl::keep(ByteSpan octets) {
  const std::size_t n = std::min(octets.size(), kept_.size() - kept_size_);
  if (n > 0) std::memcpy(kept_.data() + kept_size_, octets.data(), n);
  kept_size_ += n;
  if (n < octets.size()) wanted_->element.truncated = true;
}

Slot* HeaderScanner::Impl::slot_of(Tag tag) {
  const auto at = std::ranges::lower_bound(tags_, tag);
  if (at == tags_.end() || *at != tag) return nullptr;
  return &slots_[static_cast<std::size_t>(at - tags_.begin())];
}

const ScannedElement* HeaderScanner::Impl::find(Tag tag) const {
  const Slot* slot = const_cast<Impl*>(this)->slot_of(tag);
  return slot && slot->present ? &slot->element : nullptr;
}

const ScannedElement* HeaderScanner::Impl::first_from(Tag tag) const {
  const auto from = std::ranges::lower_bound(tags_, tag) - tags_.begin();
  const auto at = std::find_if(slots_.begin() + from, slots_.end(),
                               [](const Slot& slot) { return slot.present; });
  return at == slots_.end() ? nullptr : &at->element;
}

void HeaderScanner::Impl::fail(Errc code, std::string_view what) {
  state_ = State::kFailed;
  error_ = {code, tag_.to_string() + " at offset " + std::to_string(start_) + ": "};
  error_.detail += what;
}

HeaderScanner::HeaderScanner(const ScanPlan& plan, const Uid& syntax)
    : impl_(std::make_unique<Impl>(plan, transfer_syntax(syntax))) {}
HeaderScanner::~HeaderScanner() = default;
HeaderScanner::HeaderScanner(HeaderScanner&&) noexcept = default;
HeaderScanner& HeaderScanner::operator=(HeaderScanner&&) noexcept = default;

HeaderScanner::State HeaderScanner::feed(ByteSpan octets) { return impl_->feed(octets); }
HeaderScanner::State HeaderScanner::finish() { return impl_->finish(); }
HeaderScanner::State HeaderScanner::state() const noexcept { return impl_->state_; }
const Error& HeaderScanner::error() const { return impl_->error_; }
const ScannedElement* HeaderScanner::find(Tag tag) const { return impl_->find(tag); }
const ScannedElement* HeaderScanner::first_from(Tag tag) const { return impl_->first_from(tag); }

}  // namespace dr::encoding
