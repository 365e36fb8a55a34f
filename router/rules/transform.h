#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <toml++/toml.h>

#include "router/rules/toml_reader.h"
#include "router/rules/transform_path.h"
#include "router/rules/transform_profile.h"

namespace re2 {
class RE2;
}

namespace dr::rules {

/// Text with places that an object fills in: `Project:TRIAL7 Subject:{PatientID|hash}`. `{{` and
/// `}}` are braces. Filters, from left to right: `hash` (keyed, 16 hexadecimal digits), `shift`
/// (dates of one patient go back by as many days), `upper`, `lower` (ASCII letters), `slice:a:b`
/// (characters a up to b, counted from 0; a negative one from the end; either may be left out).
struct Template {
  struct Filter {
    enum class Kind : std::uint8_t { kHash, kShift, kUpper, kLower, kSlice } kind = Kind::kHash;
    std::optional<int> from;
    std::optional<int> to;
  };
  struct Part {
    std::string literal;              // before the element
    std::optional<ElementPath> path;  // none: the literal is the end
    std::vector<Filter> filters;
  };
  std::vector<Part> parts;
  std::string text;  // as written

  /// The error's detail is a message for people.
  static Result<Template> parse(std::string_view text);
  bool needs_key() const;
  bool is_literal() const { return parts.size() <= 1 && (parts.empty() || !parts.front().path); }
};

/// What `remove` takes away: an element by its name, or all at any depth that fit.
struct Selector {
  enum class Kind : std::uint8_t { kPath, kPrivate, kPattern, kVr } kind = Kind::kPath;
  std::optional<ElementPath> path;
  std::uint32_t mask = 0;     // of kPattern: the digits that are given
  std::uint32_t pattern = 0;  // and what they are
  encoding::Vr vr{};
  std::string text;  // canonical
  bool fits(const Element& element) const;
};

struct SetAction {
  ElementPath path;
  Template to;
};
struct RemoveAction {
  std::vector<Selector> what;
  bool everywhere = false;  // named elements too, at any depth
};
struct CopyAction {
  ElementPath from;
  ElementPath to;
};
/// A value is looked up in the first column of a CSV file (RFC 4180, UTF-8) and becomes what stands
/// in the second.
struct MapAction {
  enum class Missing : std::uint8_t { kHold, kKeep, kEmpty };
  ElementPath path;
  std::string file;    // absolute
  std::string sha256;  // of its octets, when the rules were loaded
  Missing missing = Missing::kHold;
};
struct ReplaceAction {
  ElementPath path;
  std::string pattern;  // as written: "/…/i"
  std::shared_ptr<const re2::RE2> expression;
  std::string with;  // \1 is the first group
};
struct PrefixAction {
  ElementPath path;
  std::string with;
};
struct UidRemapAction {
  std::vector<ElementPath> paths;  // empty: all that name instances, at any depth
  bool reversible = false;
};
struct DeidentifyAction {
  ProfileOptions options;
  std::vector<ElementPath> safe_private;  // beside those that the standard lists
  bool accept_pixels = false;
};
struct OriginalAttributesAction {
  std::string reason;  // COERCE or CORRECT (PS3.3 C.12.1.1.9)
};
using TransformAction =
    std::variant<SetAction, RemoveAction, CopyAction, MapAction, ReplaceAction, PrefixAction,
                 UidRemapAction, DeidentifyAction, OriginalAttributesAction>;

/// The value of a rule's `transform`: what is done, in this order, to a copy of an object.
struct Transform {
  std::vector<TransformAction> actions;

  bool needs_key() const;     // [keys] pseudonym
  bool deidentifies() const;  // it has `deidentify`
  bool reversible() const;    // its UIDs are kept, encrypted
  std::vector<const MapAction*> maps() const;
  /// One line of TOML that read_transform() reads again: equal texts, equal transforms. Holds no
  /// secret.
  std::string canonical() const;
};

/// Compiles the array of a rule. Files are looked for in `folder`. nullopt: there were errors, each
/// a finding at its place.
std::optional<Transform> read_transform(const toml::node& node, const std::filesystem::path& folder,
                                        Findings& findings);
/// The same as its canonical text, for a rule; "" after errors. CSV files are looked for beside the
/// rule file. A rule that routes nothing has nothing to transform.
std::string canonical_transform(const toml::node& node, bool routes, Findings& findings);
/// An error for each rule whose transform needs [keys] pseudonym, when there is none.
std::vector<Diagnostic> missing_keys(const std::vector<RuleInfo>& rules, const std::string& folder,
                                     bool has_key);
/// What canonical() gave.
Result<Transform> parse_transform(std::string_view canonical);
/// Whether the transform of a route de-identifies: for `require = "deidentified"`.
bool is_deidentified(std::string_view canonical);

}  // namespace dr::rules
