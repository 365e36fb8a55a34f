#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <map>

#include <openssl/sha.h>
#include <re2/re2.h>

#include "router/rules/field_name.h"
#include "router/rules/suggest.h"
#include "router/rules/transform.h"
#include "router/rules/transform_csv.h"
#include "router/rules/transform_value.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::Vr;
using encoding::vr;

constexpr std::size_t kMaxActions = 256;
constexpr std::size_t kMaxText = 4096;
constexpr std::string_view kVerbs[] = {"set",       "remove",     "copy",
                                       "map",       "replace",    "prefix",
                                       "uid_remap", "deidentify", "original_attributes"};
/// What an object is known by: routing, the journal and the audit rely on them.
constexpr Tag kNeeded[] = {encoding::tags::kSopClassUid, encoding::tags::kSopInstanceUid,
                           encoding::tags::kStudyInstanceUid, encoding::tags::kSeriesInstanceUid};

bool is_needed(const ElementPath& path) {
  return path.names.size() == 1 && std::ranges::find(kNeeded, path.last().tag) != std::end(kNeeded);
}

/// Reads one action; every error of it is found at once.
class ActionReader {
 public:
  ActionReader(const toml::table& table, std::filesystem::path folder, Findings& findings)
      : table_(table), folder_(std::move(folder)), findings_(findings) {}

  std::optional<TransformAction> read() {
    const toml::key* verb = nullptr;
    for (const auto& [key, node] : table_) {
      if (std::ranges::find(kVerbs, key.str()) == std::end(kVerbs)) continue;
      if (verb != nullptr) {
        error(key.source(), "one table is one action: 'transform' is a list, [{ ... }, { ... }]");
        return std::nullopt;
      }
      verb = &key;
    }
    if (verb == nullptr) {
      unknown_action();
      return std::nullopt;
    }
    known_ = {std::string(verb->str())};
    auto action = read(verb->str());
    for (const auto& [key, node] : table_) {
      if (std::ranges::find(known_, key.str()) != known_.end()) continue;
      const std::vector<std::string_view> known(known_.begin(), known_.end());
      error(key.source(), "unknown key " + in_quotes(key.str()) + " beside " +
                              in_quotes(verb->str()) + suggestion(key.str(), known));
    }
    return failed_ ? std::nullopt : std::optional(std::move(action));
  }

 private:
  void error(const toml::source_region& at, std::string text) {
    findings_.error(at, std::move(text));
    failed_ = true;
  }

  void unknown_action() {
    const auto first = table_.begin();
    const bool empty = first == table_.end();
    error(empty ? table_.source() : first->first.source(),
          empty ? "the action is empty"
                : "unknown action " + in_quotes(first->first.str()) +
                      suggestion(first->first.str(), kVerbs));
  }

  TransformAction read(std::string_view verb) {
    if (verb == "set") return read_set();
    if (verb == "remove") return read_remove();
    if (verb == "copy") return read_copy();
    if (verb == "map") return read_map();
    if (verb == "replace") return read_replace();
    if (verb == "prefix") return read_prefix();
    if (verb == "uid_remap") return read_uid_remap();
    if (verb == "deidentify") return read_deidentify();
    return read_original_attributes();
  }

  const toml::node* get(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
  }

  std::string text(std::string_view key, bool needed) {
    const toml::node* const node = get(key);
    if (node == nullptr) {
      if (needed) error(table_.source(), in_quotes(key) + " is missing");
      return {};
    }
    const auto value = node->value_exact<std::string>();
    if (!value || value->size() > kMaxText) {
      error(node->source(),
            in_quotes(key) + " must be a text of at most " + std::to_string(kMaxText) + " octets");
      return {};
    }
    return *value;
  }

  bool flag(std::string_view key) {
    const toml::node* const node = get(key);
    if (node == nullptr) return false;
    if (const auto value = node->value_exact<bool>()) return *value;
    error(node->source(), in_quotes(key) + " must be true or false");
    return false;
  }

  /// One of `words`; the first is the default.
  std::size_t word(std::string_view key, std::span<const std::string_view> words) {
    const toml::node* const node = get(key);
    if (node == nullptr) return 0;
    const auto value = node->value_exact<std::string_view>().value_or("");
    const auto at = std::ranges::find(words, value);
    if (at != words.end()) return static_cast<std::size_t>(at - words.begin());
    std::string known;
    for (const std::string_view each : words)
      known += (known.empty() ? "\"" : ", \"") + std::string(each) + "\"";
    error(node->source(), in_quotes(key) + " must be one of " + known + suggestion(value, words));
    return 0;
  }

  /// A text, or a list of texts, each with its place.
  std::vector<std::pair<std::string, toml::source_region>> texts(std::string_view key) {
    std::vector<std::pair<std::string, toml::source_region>> all;
    const toml::node* const node = get(key);
    if (node == nullptr) return all;
    const auto add = [&](const toml::node& each) {
      if (const auto value = each.value_exact<std::string>()) {
        all.emplace_back(*value, each.source());
      } else {
        error(each.source(), in_quotes(key) + " must be a text or a list of texts");
      }
    };
    if (const toml::array* const array = node->as_array()) {
      for (const toml::node& each : *array) add(each);
    } else {
      add(*node);
    }
    if (all.empty() && !failed_) error(node->source(), in_quotes(key) + " is empty");
    return all;
  }

  std::optional<ElementPath> path(const std::string& text_of, const toml::source_region& at) {
    auto parsed = ElementPath::parse(text_of);
    if (parsed) return *std::move(parsed);
    error(at, parsed.error().detail);
    return std::nullopt;
  }
  ElementPath path(std::string_view key) {
    const std::string name = text(key, true);
    if (failed_) return {};
    return path(name, table_.get(key)->source()).value_or(ElementPath{});
  }

  /// The same for an element that gets a new value.
  ElementPath target(std::string_view key) {
    ElementPath found = path(key);
    if (found.names.empty()) return found;
    const auto& at = table_.get(key)->source();
    const Vr v = found.last().vr;
    if (v != Vr::kUnknown && !is_writable(v)) {
      error(at, in_quotes(found.text) + " is a sequence or bulk data: it takes no text");
    } else if (found.last().tag == encoding::tags::kSopClassUid && found.names.size() == 1) {
      error(at, "'SOPClassUID' says what the object is: a transform does not change it");
    } else if (found.last().tag == encoding::tags::kSpecificCharacterSet) {
      error(at,
            "'SpecificCharacterSet' says how the object's text is encoded: a transform does not "
            "change it");
    }
    return found;
  }

  void check_literal(const ElementPath& to, std::string_view value, const toml::node* at) {
    if (to.names.empty() || to.last().vr == Vr::kUnknown || at == nullptr) return;
    const std::string why = why_no_value(to.last().vr, value);
    if (why.empty()) return;
    const auto letters = static_cast<std::uint16_t>(to.last().vr);
    error(at->source(),
          in_quotes(value) + " " + why + ": " + to.text + " has the VR " +
              std::string{static_cast<char>(letters >> 8), static_cast<char>(letters & 0xff)});
  }

  SetAction read_set() {
    SetAction action;
    action.path = target("set");
    const std::string to = text("to", true);
    if (failed_) return action;
    auto parsed = Template::parse(to);
    if (!parsed) {
      error(table_.get("to")->source(), parsed.error().detail);
      return action;
    }
    action.to = *std::move(parsed);
    if (action.to.is_literal()) {
      const std::string value = action.to.parts.empty() ? "" : action.to.parts.front().literal;
      check_literal(action.path, value, table_.get("to"));
      if (value.empty() && is_needed(action.path)) {
        error(table_.get("to")->source(), in_quotes(action.path.text) + " can not be empty");
      }
    }
    return action;
  }

  RemoveAction read_remove() {
    RemoveAction action;
    for (const auto& [name, at] : texts("remove")) {
      if (auto selector = read_selector(name, at)) action.what.push_back(*std::move(selector));
    }
    std::ranges::sort(action.what, {}, &Selector::text);
    action.everywhere = flag("everywhere");
    return action;
  }

  std::optional<Selector> read_selector(const std::string& name, const toml::source_region& at) {
    Selector selector;
    selector.text = name;
    if (name == "private") {
      selector.kind = Selector::Kind::kPrivate;
    } else if (name == "curves" || name == "overlays") {
      selector.kind = Selector::Kind::kPattern;
      selector.mask = 0xff000000;
      selector.pattern = name == "curves" ? 0x50000000 : 0x60000000;
    } else if (name.starts_with("vr:")) {
      return by_vr(name, at);
    } else if (name.size() == 11 && name.find('x') != std::string::npos) {
      return by_pattern(name, at);
    } else {
      selector.path = path(name, at);
      if (!selector.path) return std::nullopt;
      if (is_needed(*selector.path)) {
        error(at, in_quotes(name) + " can not be removed: the object is known by it");
      }
      selector.text = selector.path->text;
    }
    return selector;
  }

  std::optional<Selector> by_vr(const std::string& name, const toml::source_region& at) {
    Selector selector;
    selector.kind = Selector::Kind::kVr;
    selector.text = name;
    const bool letters =
        name.size() == 5 && std::isupper(name[3]) != 0 && std::isupper(name[4]) != 0;
    if (letters) selector.vr = vr(name[3], name[4]);
    const bool known = letters && (selector.vr == vr('S', 'Q') || name[3] == 'O' ||
                                   name == "vr:AT" || is_writable(selector.vr));
    if (known && name != "vr:UI") return selector;
    error(at, known ? "without its UIDs an object is none: use 'uid_remap'"
                    : in_quotes(name) + " is no VR, such as \"vr:PN\"");
    return std::nullopt;
  }

  /// "(0019,xxxx)": x is any digit.
  std::optional<Selector> by_pattern(const std::string& name, const toml::source_region& at) {
    Selector selector;
    selector.kind = Selector::Kind::kPattern;
    selector.text = name;
    constexpr std::string_view kDigits = "0123456789abcdef";
    bool good = name[0] == '(' && name[5] == ',' && name[10] == ')';
    for (const std::size_t i : {1, 2, 3, 4, 6, 7, 8, 9}) {
      const char c = static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
      const std::size_t digit = kDigits.find(c);
      good = good && (c == 'x' || digit != std::string_view::npos);
      selector.mask = selector.mask << 4 | (c == 'x' ? 0U : 0xfU);
      selector.pattern =
          selector.pattern << 4 | (c == 'x' ? 0U : static_cast<std::uint32_t>(digit));
    }
    if (good) return selector;
    error(at, in_quotes(name) + " is no tag: write \"(0019,xxxx)\", where x is any digit");
    return std::nullopt;
  }

  CopyAction read_copy() {
    CopyAction action;
    action.from = path("copy");
    action.to = target("to");
    if (failed_) return action;
    const Vr from = action.from.last().vr;
    if (from != Vr::kUnknown && !is_writable(from)) {
      error(table_.get("copy")->source(),
            in_quotes(action.from.text) + " is a sequence or bulk data: it has no text");
    }
    return action;
  }

  MapAction read_map() {
    MapAction action;
    action.path = target("map");
    constexpr std::string_view kMissing[] = {"hold", "keep", "empty"};
    action.missing = static_cast<MapAction::Missing>(word("missing", kMissing));
    const std::string file = text("file", true);
    action.sha256 = text("sha256", false);
    if (file.empty() || failed_) return action;
    action.file = (folder_ / file).lexically_normal().string();
    // The canonical text has the digest: there the file is not looked for.
    if (action.sha256.empty()) read_csv(action);
    return action;
  }

  void read_csv(MapAction& action) {
    const auto& at = table_.get("file")->source();
    std::ifstream in(action.file, std::ios::binary);
    std::string octets(kMaxCsv + 1, '\0');
    in.read(octets.data(), static_cast<std::streamsize>(octets.size()));
    const auto n = static_cast<std::size_t>(in.gcount());
    if (!in.eof() || n > kMaxCsv) {
      return error(at, in_quotes(action.file) +
                           (n > kMaxCsv ? " is longer than " + std::to_string(kMaxCsv) + " octets"
                                        : std::string(" can not be read")));
    }
    octets.resize(n);
    const auto table = parse_csv(octets);
    if (!table) return error(at, in_quotes(action.file) + ": " + table.error().detail);
    for (const auto& [from, to] : *table) check_literal(action.path, to, table_.get("file"));
    action.sha256 = sha256_of(octets);
  }

  ReplaceAction read_replace() {
    ReplaceAction action;
    action.path = target("replace");
    action.pattern = text("pattern", true);
    action.with = text("with", true);
    if (failed_) return action;
    std::string_view pattern = action.pattern;
    const bool ignore_case = pattern.ends_with("/i");
    if (ignore_case) pattern.remove_suffix(1);
    const auto& at = table_.get("pattern")->source();
    if (pattern.size() < 3 || pattern.front() != '/' || pattern.back() != '/') {
      error(at, "'pattern' must be a regular expression between slashes: '/^OLD-(\\d+)$/'");
      return action;
    }
    RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(!ignore_case);
    options.set_max_mem(1 << 20);
    auto expression =
        std::make_shared<RE2>(re2::StringPiece(pattern.data() + 1, pattern.size() - 2), options);
    std::string why;
    if (!expression->ok()) {
      error(at, "'pattern' is no regular expression: " + expression->error());
    } else if (!expression->CheckRewriteString(action.with, &why)) {
      error(table_.get("with")->source(), "'with': " + why);
    }
    action.expression = std::move(expression);
    return action;
  }

  PrefixAction read_prefix() {
    PrefixAction action;
    action.path = target("prefix");
    action.with = text("with", true);
    if (!failed_) check_literal(action.path, action.with, table_.get("with"));
    return action;
  }

  UidRemapAction read_uid_remap() {
    UidRemapAction action;
    for (const auto& [name, at] : texts("uid_remap")) {
      if (name == "all") continue;
      const auto found = path(name, at);
      if (!found) continue;
      if (found->last().vr != vr('U', 'I') || found->last().tag == encoding::tags::kSopClassUid) {
        error(at, in_quotes(name) + " is no UID of an instance");
      }
      action.paths.push_back(*found);
    }
    std::ranges::sort(action.paths, {}, &ElementPath::text);
    action.reversible = flag("reversible");
    return action;
  }

  DeidentifyAction read_deidentify() {
    DeidentifyAction action;
    constexpr std::string_view kProfiles[] = {"basic"};
    (void)word("deidentify", kProfiles);
    constexpr std::string_view kPixels[] = {"hold", "accept"};
    action.accept_pixels = word("pixels", kPixels) == 1;
    for (const std::string_view key : {"keep", "clean"}) {
      if (!table_.contains(key)) {
        known_.emplace_back(key);
        continue;
      }
      for (const auto& [name, at] : texts(key)) option(action.options, key, name, at);
    }
    if (table_.contains("safe_private")) read_safe_private(action);
    known_.emplace_back("safe_private");
    if (action.options.full_dates && action.options.modified_dates) {
      error(table_.get("keep")->source(),
            "dates are kept either as they are or modified, not both");
    }
    return action;
  }

  void read_safe_private(DeidentifyAction& action) {
    for (const auto& [name, at] : texts("safe_private")) {
      const auto found = path(name, at);
      if (!found) continue;
      if (found->names.size() != 1 || found->last().creator.empty()) {
        error(at, in_quotes(name) +
                      " is no private element with its creator, such as \"(0019,ACME 1.0,30)\"");
      }
      action.safe_private.push_back(*found);
    }
    std::ranges::sort(action.safe_private, {}, &ElementPath::text);
    if (!action.options.safe_private) {
      error(table_.get("safe_private")->source(), "'safe_private' needs keep = [\"safe-private\"]");
    }
  }

  void option(ProfileOptions& options, std::string_view key, const std::string& name,
              const toml::source_region& at) {
    std::vector<std::string_view> known = profile_words();
    std::erase_if(known,
                  [&](std::string_view w) { return (w == "descriptors") != (key == "clean"); });
    if (std::ranges::find(known, name) != known.end()) {
      *options.find(name) = true;
    } else {
      error(at, in_quotes(key) + " does not know " + in_quotes(name) + suggestion(name, known));
    }
  }

  OriginalAttributesAction read_original_attributes() {
    constexpr std::string_view kReasons[] = {"COERCE", "CORRECT"};
    return {std::string(kReasons[word("original_attributes", kReasons)])};
  }

  const toml::table& table_;
  std::filesystem::path folder_;
  Findings& findings_;
  std::vector<std::string> known_;
  bool failed_ = false;
};

void check_together(const Transform& transform, const toml::node& node, Findings& findings) {
  bool identity_gone = false;
  for (const TransformAction& action : transform.actions) {
    if (std::holds_alternative<DeidentifyAction>(action)) {
      if (identity_gone) findings.error(node.source(), "'deidentify' stands in 'transform' twice");
      identity_gone = true;
    }
  }
  for (const TransformAction& action : transform.actions) {
    if (identity_gone && std::holds_alternative<OriginalAttributesAction>(action)) {
      findings.error(node.source(),
                     "'original_attributes' would keep what 'deidentify' takes away: only one of "
                     "them");
    }
  }
}

}  // namespace

std::optional<Transform> read_transform(const toml::node& node, const std::filesystem::path& folder,
                                        Findings& findings) {
  const toml::array* const array = node.as_array();
  if (array == nullptr || array->empty() || !array->is_homogeneous(toml::node_type::table)) {
    findings.error(node.source(), "'transform' must be a list of actions: [{ set = ... }, ...]");
    return std::nullopt;
  }
  if (array->size() > kMaxActions) {
    findings.error(node.source(),
                   "'transform' has more than " + std::to_string(kMaxActions) + " actions");
    return std::nullopt;
  }
  Transform transform;
  for (const toml::node& each : *array) {
    auto action = ActionReader(*each.as_table(), folder, findings).read();
    if (action) transform.actions.push_back(*std::move(action));
  }
  if (transform.actions.size() != array->size()) return std::nullopt;
  check_together(transform, node, findings);
  return transform;
}

Result<Transform> parse_transform(std::string_view canonical) {
  const toml::parse_result parsed = toml::parse("transform = " + std::string(canonical));
  if (!parsed) return Error{Errc::kCorrupt, "transform"};
  Findings findings("");
  const toml::node* const node = parsed.table().get("transform");
  auto transform = node != nullptr ? read_transform(*node, "/", findings) : std::nullopt;
  if (!transform || findings.failed()) return Error{Errc::kCorrupt, "transform"};
  return *std::move(transform);
}

}  // namespace dr::rules
