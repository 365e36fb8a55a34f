#include "router/delivery/settings.h"

#include <charconv>

namespace dr::delivery {

namespace {

template <class T, std::size_t N>
std::optional<T> by_name(const std::pair<std::string_view, T> (&table)[N], std::string_view text) {
  for (const auto& [name, value] : table) {
    if (name == text) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Kind> parse_kind(std::string_view text) {
  static constexpr std::pair<std::string_view, Kind> kTable[] = {{"dimse", Kind::kDimse},
                                                                 {"folder", Kind::kFolder},
                                                                 {"stow", Kind::kStow},
                                                                 {"orthanc", Kind::kOrthanc}};
  return by_name(kTable, text);
}

std::optional<Profile> parse_profile(std::string_view text) {
  static constexpr std::pair<std::string_view, Profile> kTable[] = {
      {"generic", Profile::kGeneric},
      {"orthanc", Profile::kOrthanc},
      {"dcm4chee", Profile::kDcm4chee},
      {"xnat", Profile::kXnat}};
  return by_name(kTable, text);
}

std::optional<Verdict> parse_verdict(std::string_view text) {
  static constexpr std::pair<std::string_view, Verdict> kTable[] = {
      {"done", Verdict::kDone},
      {"transient", Verdict::kTransient},
      {"permanent", Verdict::kPermanent},
      {"hold", Verdict::kHold}};
  return by_name(kTable, text);
}

std::optional<std::uint16_t> parse_status(std::string_view text) {
  if (text.size() == 5 && (text.back() == 'H' || text.back() == 'h')) text.remove_suffix(1);
  std::uint16_t status = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, status, 16);
  if (text.size() != 4 || error != std::errc() || rest != end) return std::nullopt;
  return status;
}

std::string place(const DestinationSettings& settings) {
  if (settings.kind == Kind::kFolder) return settings.path;
  if (is_http(settings.kind)) return settings.url.origin + settings.url.path;
  return settings.host + ":" + std::to_string(settings.port);
}

}  // namespace dr::delivery
