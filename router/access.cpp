#include "router/access.h"

#include <algorithm>

namespace dr {
namespace {

bool any_of_names(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(names, [&](const std::string& n) { return n == "*" || n == name; });
}

void forget_one(std::map<std::string, std::uint32_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  if (--found->second == 0) counts.erase(found);
}

}  // namespace

const SourceSettings* find_source(const AccessSettings& settings, std::string_view calling_ae_title,
                                  std::string_view address, std::string_view listener) {
  for (const SourceSettings& source : settings.sources) {
    if (source.ae_title != "*" && source.ae_title != calling_ae_title) continue;
    if (!source.listeners.empty() && !any_of_names(source.listeners, listener)) continue;
    const bool here = source.addresses.empty() ||
                      std::ranges::any_of(source.addresses, [&](const AddressRange& range) {
                        return range.contains(address);
                      });
    if (here) return &source;
  }
  return nullptr;
}

std::string_view character_set_from(const AccessSettings& settings,
                                    std::string_view calling_ae_title, std::string_view address,
                                    std::string_view listener) {
  const bool any = std::ranges::any_of(
      settings.sources, [](const SourceSettings& source) { return !source.character_set.empty(); });
  if (!any) return {};
  const auto* const source = find_source(settings, calling_ae_title, address, listener);
  return source != nullptr ? std::string_view(source->character_set) : std::string_view();
}

std::optional<Access::Refusal> Access::enter(const service::AssociationInfo& peer) {
  static const auto kLoopback4 = *AddressRange::parse("127.0.0.0/8");
  static const auto kLoopback6 = *AddressRange::parse("::1");

  const auto listener = settings_.called.find(peer.listener);
  if (listener == settings_.called.end() ||
      !any_of_names(listener->second, peer.called_ae_title.view())) {
    return Refusal{{1, 1, 7}, "called-ae-title"};
  }
  const std::string source_name = peer.calling_ae_title.str();
  std::uint32_t source_limit = settings_.associations_per_source;
  if (settings_.sources.empty()) {
    if (!kLoopback4.contains(peer.peer_address) && !kLoopback6.contains(peer.peer_address)) {
      return Refusal{{1, 1, 3}, "calling-ae-title"};
    }
  } else {
    const SourceSettings* const source =
        find_source(settings_, source_name, peer.peer_address, peer.listener);
    if (source == nullptr) return Refusal{{1, 1, 3}, "calling-ae-title"};
    if (source->associations != 0) source_limit = source->associations;
  }

  const std::scoped_lock lock(mutex_);
  const auto count = [](const std::map<std::string, std::uint32_t>& counts,
                        const std::string& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0U : found->second;
  };
  if (entries_.size() >= settings_.associations ||
      count(per_source_, source_name) >= source_limit ||
      count(per_address_, peer.peer_address) >= settings_.associations_per_address) {
    return Refusal{{2, 3, 2}, "limit"};
  }
  entries_.emplace(peer.number, Entry{source_name, peer.peer_address});
  ++per_source_[source_name];
  ++per_address_[peer.peer_address];
  return std::nullopt;
}

void Access::leave(std::uint64_t number) {
  const std::scoped_lock lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end()) return;  // was refused
  forget_one(per_source_, found->second.source);
  forget_one(per_address_, found->second.address);
  entries_.erase(found);
}

std::size_t Access::open() const {
  const std::scoped_lock lock(mutex_);
  return entries_.size();
}

}  // namespace dr
