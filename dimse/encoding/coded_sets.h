#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <iconv.h>

namespace dr::encoding {

/// A set of ISO 2022 that DICOM uses (PS3.3 tables C.12-2 to C.12-4), and how iconv(3) takes it:
/// the double-octet ones as EUC, whose code set 1 is G1, and which reaches others by a single
/// shift.
struct CodedSet {
  std::string_view number;  // of the registry: "ISO_IR 100", "ISO 2022 IR 100"
  std::string_view escape;  // what follows ESC
  const char* encoding;
  std::size_t octets;      // a character
  bool g0;                 // octets 21H-7EH; otherwise those from 80H on
  std::string_view shift;  // before each character
};

inline constexpr char kEscape = '\x1b';
/// Behind these the initial sets hold again (PS3.5 6.1.2.5.3).
inline constexpr std::string_view kControls = "\t\n\f\r";

const CodedSet* ascii_set();
/// nullptr: DICOM has no such set.
const CodedSet* set_of_escape(std::string_view behind_escape);

/// What octets mean at one place of a text.
struct Designation {
  const CodedSet* g0 = ascii_set();
  const CodedSet* g1 = nullptr;

  void designate(const CodedSet* set) { (set->g0 ? g0 : g1) = set; }
};

/// The values of (0008,0005), at least one, without spaces, hyphens and underscores, in upper case:
/// common misspellings are understood.
std::vector<std::string> defined_terms(std::string_view value);
/// The set that a term names: that of its upper half, where it has both. nullptr: none.
const CodedSet* set_of_term(std::string_view term);
/// The sets that are active where a value begins.
Designation initial_sets(std::string_view term);
/// iconv's name of a set without code extensions; nullptr for those of ISO 2022.
const char* whole_encoding(std::string_view term);

/// One iconv(3) descriptor.
class Converter {
 public:
  Converter(const char* to, const char* from) : handle_(iconv_open(to, from)) {}
  ~Converter();
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  /// Adds `octets` to `out`; false, and nothing added, where any of them has no counterpart.
  bool convert(std::string_view octets, std::string& out);

 private:
  iconv_t handle_;
};

}  // namespace dr::encoding
