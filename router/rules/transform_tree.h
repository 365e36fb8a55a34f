#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/result.h"
#include "dimse/encoding/element_header.h"

namespace dr::rules {

/// Where a data set lies. Blocking; read() gives fewer octets than asked only at the end.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::uint64_t size() const = 0;
  virtual Result<std::size_t> read(std::uint64_t offset, MutableByteSpan into) const = 0;
};

struct Item;

/// A data element (PS3.5 7.1): where it lies in the source, or what takes its place.
struct Element {
  encoding::Tag tag;
  encoding::Vr vr{};            // as encoded, or the dictionary's where that says nothing
  encoding::Vr encoded{};       // the letters in the source; kUnknown in implicit VR
  std::uint64_t begin = 0;      // of the header; begin == end: it is not from the source
  std::uint64_t end = 0;        // behind the value and what delimits it
  std::uint64_t value = 0;      // where the value begins
  std::uint64_t length = 0;     // of the value, without delimiters
  bool sequence = false;        // `items` are what the value is
  bool implicit_items = false;  // UN: its items are in implicit VR little endian (PS3.5 6.2.2)
  bool changed = false;         // items were added or taken away
  std::optional<Bytes> fresh;   // a new value, unpadded
  std::vector<Item> items;
};

/// An item of a sequence, or the whole data set.
struct Item {
  std::uint64_t begin = 0;  // of its header; begin == end: it is not from the source
  std::uint64_t end = 0;
  std::vector<Element> elements;
  std::set<std::uint16_t> touched;  // groups of which elements were added or taken away

  Element* find(encoding::Tag tag);
  const Element* find(encoding::Tag tag) const;
  /// The element of this tag, put in its place where there is none.
  Element& make(encoding::Tag tag, encoding::Vr vr);
  /// Takes away those for which `goes` is true; how many.
  std::size_t remove_if(const std::function<bool(const Element&)>& goes);
};

/// A data set as a tree of places in its source: nothing is copied but what changes, so that what
/// does not change is written with the very octets that came, and pixel data are never in memory.
class DataSet {
 public:
  static constexpr std::size_t kMaxDepth = 32;
  static constexpr std::uint64_t kMaxValue = 16U << 20;  // of a value that is looked at

  /// Reads all headers. kMalformed with tag and offset: the octets are no data set. `source` must
  /// outlive the result.
  static Result<DataSet> parse(const Source& source, encoding::Encoding encoding);

  Item& root() noexcept { return root_; }
  const Item& root() const noexcept { return root_; }
  const Source& source() const noexcept { return *source_; }

  /// That of text in a data set that names none; empty: the default repertoire.
  void assume_character_set(std::string value) { assumed_ = std::move(value); }
  const std::string& assumed_character_set() const noexcept { return assumed_; }

  /// The value as it is now. kTooLong above kMaxValue.
  Result<Bytes> value(const Element& element) const;
  /// Whether numbers in this element's value stand in big endian order.
  bool big_endian() const noexcept { return encoding_.big_endian; }

  /// Writes the data set: unchanged elements and items octet for octet, changed sequences with
  /// undefined length, group lengths (PS3.5 7.2) of changed groups left out. Octets written.
  using Sink = std::function<Result<void>(ByteSpan)>;
  Result<std::uint64_t> write(const Sink& sink) const;

 private:
  DataSet(const Source& source, encoding::Encoding encoding)
      : source_(&source), encoding_(encoding) {}

  const Source* source_;
  encoding::Encoding encoding_;
  std::string assumed_;
  Item root_;
};

}  // namespace dr::rules
