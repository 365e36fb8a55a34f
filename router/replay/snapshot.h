#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/bytes.h"
#include "dimse/base/uid.h"
#include "dimse/encoding/element_header.h"
#include "router/journal/records.h"

namespace dr::replay {

/// What is kept of elements that may tell who the patient is: [snapshots] patient_data.
enum class Keep : std::uint8_t { kNone = 0, kKeyedHash = 1, kFull = 2 };

/// An element of the patient module (group 0010), a person's name, an identifier of an order,
/// admission or trial subject, free text of several lines, or a private one. `v`: as encoded, or
/// the dictionary's.
bool identifies(encoding::Tag tag, encoding::Vr v);
/// Whether a hash may stand in the place of values of this VR: short text that is compared as it
/// is.
bool hashable(encoding::Vr v);

/// Stands for one value under the key: "#" and 16 hexadecimal digits of its HMAC-SHA-256.
class ValueHash {
 public:
  explicit ValueHash(std::string key) : key_(std::move(key)) {}
  /// `value`: in UTF-8, without padding.
  std::string of(std::string_view value) const;

 private:
  std::string key_;
};

/// The head of a data set: its elements before the pixel data, without what is too long for it.
struct Header {
  bool explicit_vr = true;  // how `octets` are encoded, otherwise as received
  bool big_endian = false;
  Bytes octets;  // a data set (PS3.5 7)
  /// Elements that were there and are not, or not whole, in `octets`: too long, or left out as they
  /// may identify the patient.
  std::vector<encoding::Tag> missing;
  /// Elements from here on were not looked at; nothing is known of them.
  std::optional<encoding::Tag> cut;
};

/// A received object as far as rules can ask about it, and what was decided.
struct Snapshot {
  journal::Sequence sequence{};
  journal::ObjectRecord object;
  Header header;
};

constexpr std::size_t kMaxHead = 64 * 1024;   // octets of a data set that are looked at
constexpr std::size_t kMaxValue = 4 * 1024;   // of one element, and
constexpr std::size_t kMaxItems = 16 * 1024;  // of one sequence: longer ones are left out

/// The head of `data_set`'s first octets; `whole`: they are all. Never fails: what can not be read
/// is cut. `hash` is needed with Keep::kKeyedHash.
Header cut_header(ByteSpan data_set, const Uid& transfer_syntax, bool whole, Keep keep,
                  const ValueHash* hash);

/// `header` with the hashes that stand for one of `known`'s values replaced by them; the others
/// stay, and equal no value.
Bytes restore(const Header& header, const std::map<std::string, std::string>& known);

}  // namespace dr::replay
