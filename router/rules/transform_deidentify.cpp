#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "router/rules/transform_apply.h"
#include "router/rules/transform_safe_private.h"
#include "router/rules/transform_value.h"

namespace dr::rules {
namespace {

using encoding::Tag;
using encoding::Vr;
using encoding::vr;
using std::string_view_literals::operator""sv;

constexpr Tag kPatientName{0x0010, 0x0010};
constexpr Tag kEncapsulatedDocument{0x0042, 0x0011};
constexpr Tag kPersonIdentificationCodes{0x0040, 0x1101};
constexpr Tag kPixelData{0x7fe0, 0x0010};
// Their items say who or where by codes that the table does not list one by one.
constexpr Tag kIdentifyingCodes[] = {{0x0008, 0x0082}, {0x0008, 0x1072}};
constexpr std::string_view kDummy = "ANONYMIZED";
// Private elements of table E.3.10-1 that name instances: safe as long as UIDs are (creator, tag).
constexpr std::pair<std::string_view, Tag> kPrivateUids[] = {
    {"NQHeader", {0x0099, 0x02}},
    {"SIEMENS Ultrasound SC2000", {0x0129, 0x02}},
    {"SIEMENS Ultrasound SC2000", {0x0129, 0x07}},
    {"SIEMENS Ultrasound SC2000", {0x0129, 0x12}}};

/// A code of PS3.16 CID 7050 for an option of the profile.
struct MethodCode {
  bool ProfileOptions::*option;  // nullptr: always
  const char* value;
  const char* meaning;
};
constexpr MethodCode kMethodCodes[] = {
    {nullptr, "113100", "Basic Application Confidentiality Profile"},
    {&ProfileOptions::clean_descriptors, "113105", "Clean Descriptors Option"},
    {&ProfileOptions::full_dates, "113106",
     "Retain Longitudinal Temporal Information Full Dates Option"},
    {&ProfileOptions::modified_dates, "113107",
     "Retain Longitudinal Temporal Information Modified Dates Option"},
    {&ProfileOptions::patient_characteristics, "113108", "Retain Patient Characteristics Option"},
    {&ProfileOptions::device_identity, "113109", "Retain Device Identity Option"},
    {&ProfileOptions::uids, "113110", "Retain UIDs Option"},
    {&ProfileOptions::safe_private, "113111", "Retain Safe Private Option"},
    {&ProfileOptions::institution_identity, "113112", "Retain Institution Identity Option"}};

Bytes bytes(std::string_view text) {
  const auto octets = as_bytes(text);
  return {octets.begin(), octets.end()};
}

void put(Item& item, Tag tag, Vr v, std::string_view text) {
  item.make(tag, v).fresh = bytes(text);
}

void put_code(Item& item, std::string_view value, std::string_view scheme,
              std::string_view meaning) {
  put(item, {0x0008, 0x0100}, vr('S', 'H'), value);
  put(item, {0x0008, 0x0102}, vr('S', 'H'), scheme);
  put(item, {0x0008, 0x0104}, vr('L', 'O'), meaning);
}

bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// What an object says of people and places, to be found again in its free text.
class Identifiers {
 public:
  void add(std::string_view value) {
    const std::string text = lower_case(value);
    if (text.size() >= 4) values_.insert(text);
    for_words(text, [&](std::string_view word) {
      if (word.size() >= 3) words_.insert(std::string(word));
    });
  }

  /// `text` without these, and without words of four digits or more.
  std::string clean(std::string text) const {
    for (const std::string& value : values_) {
      for (std::size_t at = 0; (at = lower_case(text).find(value, at)) != std::string::npos;) {
        text.erase(at, value.size());
      }
    }
    std::string out;
    std::size_t from = 0;
    for_words(text, [&](std::string_view word) {
      const auto at = static_cast<std::size_t>(word.data() - text.data());
      out += text.substr(from, at - from);
      from = at + word.size();
      const auto digits = std::ranges::count_if(word, [](char c) { return c >= '0' && c <= '9'; });
      if (digits < 4 && !words_.contains(lower_case(word))) out += word;
    });
    out += text.substr(from);
    const std::size_t first = out.find_first_not_of(' ');
    return first == std::string::npos ? ""
                                      : out.substr(first, out.find_last_not_of(' ') - first + 1);
  }

 private:
  template <class Take>
  static void for_words(std::string_view text, const Take& take) {
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = at;
      while (end < text.size() && is_word_character(text[end])) ++end;
      if (end > at) take(text.substr(at, end - at));
      at = end + 1;
    }
  }

  std::set<std::string> values_;
  std::set<std::string> words_;
};

class Deidentifier {
 public:
  Deidentifier(const DeidentifyAction& action, Workpiece& work) : action_(action), work_(work) {}

  Result<void> run() {
    if (auto may = check_pixels(); !may) return may;
    if (action_.options.clean_descriptors) {
      if (auto gathered = gather(); !gathered) return gathered;
    }
    Item& root = work_.set().root();
    if (action_.options.safe_private) characteristics_ = {work_.set(), root};
    const Element* const id = root.find(encoding::tags::kPatientId);
    if (id != nullptr) {
      auto values = read_values(work_.set(), *id, charset_of(work_.set(), root, {}));
      if (!values) return values.error();
      if (!values->empty()) pseudonym_ = work_.context().pseudonyms.hash(values->front());
    }
    if (auto done = item(root, {}); !done) return done;
    mark(root);
    return {};
  }

 private:
  /// Faces, names and dates may stand in the pixels, where no table finds them (PS3.15 E.3.1).
  Result<void> check_pixels() const {
    if (action_.accept_pixels) return {};
    const Item& root = work_.set().root();
    const auto text = [&](Tag tag) {
      const auto values = work_.values(root, tag, {});
      return values && !values->empty() ? values->front() : std::string();
    };
    const std::string sop_class = text(encoding::tags::kSopClassUid);
    if (root.find(kEncapsulatedDocument) != nullptr ||
        sop_class.starts_with("1.2.840.10008.5.1.4.1.1.104.")) {
      return Error{Errc::kInvalid, "encapsulated_document"};
    }
    if (sop_class == "1.2.840.10008.5.1.4.1.1.7" ||
        sop_class.starts_with("1.2.840.10008.5.1.4.1.1.7.")) {
      return Error{Errc::kInvalid, "secondary_capture"};
    }
    const bool pixels = std::ranges::any_of(
        root.elements, [](const Element& e) { return e.tag.group == kPixelData.group; });
    if (pixels && text({0x0028, 0x0301}) != "NO") {
      return Error{Errc::kInvalid, "burned_in_annotation"};
    }
    return {};
  }

  ProfileAction action_of(Tag tag) const { return profile_action(tag, action_.options); }

  /// What is taken out, so that it is taken out of free text too.
  Result<void> gather() {
    return work_.each([&](Item&, Element& e, const std::string& charset) -> Result<void> {
      const ProfileAction action = action_of(e.tag);
      const bool goes = action == ProfileAction::kRemove || action == ProfileAction::kEmpty ||
                        action == ProfileAction::kDummy || action == ProfileAction::kUid;
      if (!goes || e.length > 1024) return {};
      const auto values = read_values(work_.set(), e, charset);
      if (!values) return values.error();
      for (const std::string& value : *values) identifiers_.add(value);
      return {};
    });
  }

  static bool goes_whatever_it_says(const Element& e) {
    if (e.tag.group % 2 != 0) return true;  // private
    const std::uint16_t repeating = e.tag.group & 0xff00;
    if (repeating == 0x5000 || repeating == 0x6000) return true;  // curves, overlays
    const bool known = e.tag.element == 0 || e.tag.group == kPixelData.group ||
                       encoding::find_tag(e.tag) || find_profile_row(e.tag) != nullptr;
    return !known;  // nobody knows what it says
  }

  bool goes(const Element& e) const {
    if (goes_whatever_it_says(e)) return true;
    const ProfileAction action = action_of(e.tag);
    const bool codes = std::ranges::find(kIdentifyingCodes, e.tag) != std::end(kIdentifyingCodes);
    return action == ProfileAction::kRemove || (action == ProfileAction::kDummy && codes);
  }

  Result<void> item(Item& item, const std::string& outer) {
    const std::string charset = charset_of(work_.set(), item, outer);
    const auto kept = safe_private(item);
    item.remove_if([&](const Element& e) { return goes(e) && !kept.contains(e.tag); });
    for (Element& e : item.elements) {
      const auto safe = kept.find(e.tag);
      const ProfileAction action = safe != kept.end() ? safe->second : action_of(e.tag);
      if (auto done = element(item, e, action, charset); !done) return done;
    }
    return {};
  }

  /// The private elements of an item that stay, their creators among them, and what is done to each
  /// (PS3.15 E.3.10). What the object says of itself comes before what is known of its maker.
  std::map<Tag, ProfileAction> safe_private(const Item& item) const {
    std::map<Tag, ProfileAction> kept;
    if (!action_.options.safe_private) return kept;
    for (const Element& e : item.elements) {
      const auto creator = creator_of(work_.set(), item, e.tag);
      if (!creator || is_hidden_sequence(e)) continue;
      const ProfileAction action = private_action(*creator, e.tag);
      if (action == ProfileAction::kNone || action == ProfileAction::kRemove) continue;
      kept[e.tag] = action;
      kept[{e.tag.group, static_cast<std::uint16_t>(e.tag.element >> 8)}] = ProfileAction::kKeep;
    }
    return kept;
  }

  ProfileAction private_action(const std::string& creator, Tag tag) const {
    const auto element = static_cast<std::uint8_t>(tag.element & 0xff);
    const ProfileAction said = characteristics_.of(creator, tag.group, element);
    if (said != ProfileAction::kNone) return said;
    const Tag in_block{tag.group, element};
    const bool listed = std::ranges::any_of(action_.safe_private, [&](const ElementPath& path) {
      return path.last().creator == creator && path.last().tag == in_block;
    });
    if (!listed && !is_safe_private(creator, tag.group, element)) return ProfileAction::kNone;
    const bool names_instance =
        std::ranges::find(kPrivateUids, std::pair<std::string_view, Tag>(creator, in_block)) !=
        std::end(kPrivateUids);
    return names_instance && !action_.options.uids ? ProfileAction::kUid : ProfileAction::kKeep;
  }

  /// Items that were not read as such, as their VR was not known: nobody can say what is in them.
  bool is_hidden_sequence(const Element& e) const {
    std::array<std::byte, 4> head{};
    if (e.sequence || e.fresh || e.length < head.size()) return false;
    const auto n = work_.set().source().read(e.value, head);
    return !n || as_text(head) == "\xfe\xff\x00\xe0"sv || as_text(head) == "\xff\xfe\xe0\x00"sv;
  }

  Result<void> inside(Element& e, const std::string& charset) {
    for (Item& inner : e.items) {
      if (auto done = item(inner, charset); !done) return done;
    }
    return {};
  }

  Result<void> element(Item& item, Element& e, ProfileAction action, const std::string& charset) {
    const bool is_patient = e.tag == kPatientName || e.tag == encoding::tags::kPatientId;
    const ElementPlace place{item, e.tag, charset};
    if (is_patient) return work_.assign(place, e.vr, {pseudonym_});
    switch (action) {
      case ProfileAction::kEmpty:
        return empty(e);
      case ProfileAction::kDummy:
        return dummy(e, charset);
      case ProfileAction::kUid:
        if (e.vr == vr('U', 'N')) e.vr = vr('U', 'I');  // the table knows what it is
        return e.sequence ? inside(e, charset) : work_.remap_uids(e, false);
      case ProfileAction::kClean:
        return e.sequence ? inside(e, charset) : clean(place, e);
      case ProfileAction::kShift:
        return e.sequence ? inside(e, charset) : shift(place, e);
      case ProfileAction::kNone:
      case ProfileAction::kKeep:
      case ProfileAction::kRemove:  // gone by now
        break;
    }
    return inside(e, charset);
  }

  static Result<void> empty(Element& e) {
    if (e.sequence) {
      e.changed = e.changed || !e.items.empty();
      e.items.clear();
    } else if (e.length > 0 || e.fresh) {
      e.fresh.emplace();
    }
    return {};
  }

  Result<void> dummy(Element& e, const std::string& charset) {
    if (e.sequence) {
      if (e.tag != kPersonIdentificationCodes) return inside(e, charset);
      e.items.clear();
      e.changed = true;
      put_code(e.items.emplace_back(), "ANON", "99ANON", kDummy);
      return {};
    }
    if (e.tag == kEncapsulatedDocument) return {};  // accepted, or it would not have come here
    if (e.vr == vr('U', 'I')) return work_.remap_uids(e, false);
    e.fresh = dummy_value(e.vr);
    return {};
  }

  static Bytes dummy_value(Vr v) {
    if (v == vr('D', 'A')) return bytes("19000101");
    if (v == vr('T', 'M')) return bytes("000000");
    if (v == vr('D', 'T')) return bytes("19000101000000");
    if (v == vr('A', 'S')) return bytes("000Y");
    if (v == vr('I', 'S') || v == vr('D', 'S')) return bytes("0");
    const bool number = !is_charset_text(v) && is_writable(v) && v != vr('C', 'S') &&
                        v != vr('A', 'E') && v != vr('U', 'R');
    if (number) return Bytes(v == vr('U', 'S') || v == vr('S', 'S') ? 2 : 8);
    return is_writable(v) ? bytes(kDummy) : Bytes(8);
  }

  Result<void> clean(const ElementPlace& place, Element& e) {
    if (!is_charset_text(e.vr) || e.vr == vr('U', 'N')) return empty(e);
    auto values = read_values(work_.set(), e, place.charset);
    if (!values) return values.error();
    for (std::string& value : *values) value = identifiers_.clean(std::move(value));
    return work_.assign(place, e.vr, *values);
  }

  /// A date that is none can not be moved, so it goes.
  Result<void> shift(const ElementPlace& place, Element& e) {
    if (e.vr == vr('T', 'M')) return {};  // the time of a day stays
    if (e.vr != vr('D', 'A') && e.vr != vr('D', 'T')) return empty(e);
    auto values = read_values(work_.set(), e, place.charset);
    if (!values) return values.error();
    for (std::string& value : *values) value = shift_date(value, work_.days());
    return work_.assign(place, e.vr, *values);
  }

  void mark(Item& root) const {
    const ProfileOptions& options = action_.options;
    put(root, {0x0012, 0x0062}, vr('C', 'S'), "YES");
    put(root, {0x0012, 0x0063}, vr('L', 'O'), "dicom-router: PS3.15 E basic profile");
    Element& codes = root.make({0x0012, 0x0064}, vr('S', 'Q'));
    codes.sequence = codes.changed = true;
    codes.items.clear();
    for (const MethodCode& code : kMethodCodes) {
      if (code.option != nullptr && !(options.*code.option)) continue;
      put_code(codes.items.emplace_back(), code.value, "DCM", code.meaning);
    }
    put(root, {0x0028, 0x0303}, vr('C', 'S'),
        options.full_dates       ? "UNMODIFIED"
        : options.modified_dates ? "MODIFIED"
                                 : "REMOVED");
  }

  const DeidentifyAction& action_;
  Workpiece& work_;
  Identifiers identifiers_;
  PrivateCharacteristics characteristics_;
  std::string pseudonym_;
};

}  // namespace

Result<void> deidentify(const DeidentifyAction& action, Workpiece& work) {
  return Deidentifier(action, work).run();
}

}  // namespace dr::rules
