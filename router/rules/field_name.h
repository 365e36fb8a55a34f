#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dimse/base/result.h"
#include "router/rules/program.h"

namespace dr::rules {

/// What the values of a field are, and so what a condition may ask of them.
enum class Kind : std::uint8_t {
  kText,
  kUpperCase,  // CS
  kNumber,
  kDate,
  kTime,
  kDateTime,
  kAge,
  kUid,
  kUnknown,   // private elements: text or numbers
  kSequence,  // SQ: there or not
  kBinary,    // OB and the like: there or not
  kAddress,
  kSopClass,
  kTransferSyntax,
  kAeTitle,
  kListener,
  kWindow,
};

/// A key of a condition, understood.
struct NamedField {
  std::string name;  // canonical: one for each field, and field.name
  std::string vr;    // "CS"; empty where there is none
  Kind kind = Kind::kText;
  Field field;
};

/// Understands `Modality`, `(0008,0060)`, `(0019,GEMS_ACQU_01,30)`, `Seq.Keyword`,
/// `Seq[1].Keyword`, `source.ae_title`, `sop_class`, `transfer_syntax` and `received`. The error's
/// detail is a message for people, with a suggestion where a known name is near.
Result<NamedField> find_field(std::string_view key, ProgramBuilder& program);

/// `text` in quotes for a message: control characters replaced, at most 80 octets.
std::string in_quotes(std::string_view text);

}  // namespace dr::rules
