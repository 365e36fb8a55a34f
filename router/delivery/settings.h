#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "dimse/base/ae_title.h"
#include "dimse/base/http_url.h"

namespace dr::delivery {

enum class Kind : std::uint8_t { kDimse, kFolder, kStow, kOrthanc };
/// Whose habits the status map follows.
enum class Profile : std::uint8_t { kGeneric, kOrthanc, kDcm4chee, kXnat };

/// How it is made sure that what was stored is there.
enum class Verify : std::uint8_t { kNone, kQuery };

/// What the answer to a C-STORE-RQ means for the object, and for the destination.
enum class Verdict : std::uint8_t {
  kDone,       // stored, perhaps with a warning
  kTransient,  // the same object may be taken later
  kPermanent,  // this object will not be taken: one more try on a fresh association, then held
  kHold,       // the destination must be put right by a person: it is suspended, objects wait
};

/// Speaks HTTP.
inline bool is_http(Kind kind) { return kind == Kind::kStow || kind == Kind::kOrthanc; }

/// By the names of the configuration: "dimse", "orthanc", "transient", …
std::optional<Kind> parse_kind(std::string_view text);
std::optional<Profile> parse_profile(std::string_view text);
std::optional<Verdict> parse_verdict(std::string_view text);
/// Four hexadecimal digits, with or without an "H" behind them.
std::optional<std::uint16_t> parse_status(std::string_view text);

/// `[[destination]] retry`. Attempt n is followed by a pause of first * factor^(n-1), at most
/// `most`, of which a random part of up to a half is taken off.
struct RetrySettings {
  std::chrono::milliseconds first{5'000};
  double factor = 2.0;  // at least 1
  std::chrono::milliseconds most{std::chrono::minutes(15)};
  std::chrono::milliseconds give_up_after{std::chrono::hours(24 * 7)};  // since receipt
  std::uint32_t attempts = 50;                                          // at least 1
};

/// One `[[destination]]`; defaults are those of the interface description.
struct DestinationSettings {
  std::string name;
  Kind kind = Kind::kDimse;
  Profile profile = Profile::kGeneric;
  RetrySettings retry;
  bool require_deidentified = false;  // holds every copy that no deidentify made

  // kind "dimse"
  std::string host;
  std::uint16_t port = 104;
  AeTitle ae_title;
  AeTitle calling_ae_title;          // the loader fills in that of the node
  bool calling_from_source = false;  // "$source": the sender's own title is passed on
  std::uint32_t associations = 4;    // most at once, at least 1; with HTTP: connections
  std::uint32_t async_ops = 8;       // operations outstanding, where the peer negotiates them
  std::uint32_t max_pdu = 131072;
  std::chrono::milliseconds idle_close{10'000};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds response_timeout{60'000};
  std::chrono::milliseconds progress_timeout{30'000};
  std::map<std::uint16_t, Verdict> status;  // over the profile's map

  // kind "folder"
  std::string path;  // absolute; created where it is missing

  // kinds "stow" and "orthanc"
  HttpUrl url;           // without a query
  std::string username;  // basic authentication, or
  std::string password;
  std::string token;  // bearer
  Verify verify = Verify::kNone;
};

/// Where objects go, for people: "host:port", a path or a URL.
std::string place(const DestinationSettings& settings);

}  // namespace dr::delivery
