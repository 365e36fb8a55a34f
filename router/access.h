#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dimse/base/address_range.h"
#include "dimse/service/handler.h"

namespace dr {

/// [[source]]: who may associate.
struct SourceSettings {
  std::string ae_title;                 // "*": any
  std::vector<AddressRange> addresses;  // empty: any
  std::vector<std::string> listeners;   // empty: all
  std::string character_set;            // of its objects that name none
  std::uint32_t associations = 0;       // 0: [limits] associations_per_source
};

struct AccessSettings {
  std::map<std::string, std::vector<std::string>>
      called;                           // listener: its called AE titles; "*" any
  std::vector<SourceSettings> sources;  // none: loopback only
  std::uint32_t associations = 4096;
  std::uint32_t associations_per_source = 256;
  std::uint32_t associations_per_address = 1024;
};

/// The first [[source]] that these are of; nullptr: none.
const SourceSettings* find_source(const AccessSettings& settings, std::string_view calling_ae_title,
                                  std::string_view address, std::string_view listener);
/// What stands in the place of (0008,0005) in objects from there that have none; empty: the default
/// repertoire.
std::string_view character_set_from(const AccessSettings& settings,
                                    std::string_view calling_ae_title, std::string_view address,
                                    std::string_view listener);

/// Decides who may associate, and counts who is. Thread-safe. Each refusal is the A-ASSOCIATE-RJ of
/// PS3.8 9.3.4: 1/1/7 called and 1/1/3 calling AE title not recognised, 2/3/2 local limit exceeded.
class Access {
 public:
  struct Refusal {
    ul::AAssociateRj reject;
    std::string kind;  // bounded: a metric's label
  };

  explicit Access(AccessSettings settings) : settings_(std::move(settings)) {}

  /// nullopt: admitted and counted, until leave() is called with the same number.
  std::optional<Refusal> enter(const service::AssociationInfo& peer);
  void leave(std::uint64_t number);
  std::size_t open() const;
  const AccessSettings& settings() const noexcept { return settings_; }

 private:
  struct Entry {
    std::string source;
    std::string address;
  };

  const AccessSettings settings_;
  mutable std::mutex mutex_;
  std::map<std::uint64_t, Entry> entries_;
  std::map<std::string, std::uint32_t> per_source_;
  std::map<std::string, std::uint32_t> per_address_;
};

}  // namespace dr
