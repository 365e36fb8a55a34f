#include "router/extraction/publish.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <future>
#include <optional>
#include <utility>

#include "dimse/base/log.h"

namespace dr::extraction {
namespace {

constexpr std::size_t kMostInline = 4U << 20;

/// nullopt: there is no memory for it.
std::optional<BlockChain> chain_of(ByteSpan octets, BlockPool& blocks) {
  if (octets.size() > kMostInline) return std::nullopt;
  BlockChain chain(blocks);
  while (!octets.empty()) {
    const MutableByteSpan space = chain.writable();
    if (space.empty()) return std::nullopt;
    const std::size_t n = std::min(space.size(), octets.size());
    std::memcpy(space.data(), octets.data(), n);
    chain.commit(n);
    octets = octets.subspan(n);
  }
  return chain;
}

}  // namespace

Result<void> Publisher::publish(journal::Sequence instance, std::span<const Outgoing> outgoing,
                                Store& store) {
  for (const Outgoing& each : outgoing) {
    if (!each.object) continue;
    if (auto appended = append(instance, each); !appended) return appended;
    if (auto dropped = store.drop_outgoing_object(each.sop_instance_uid); !dropped) return dropped;
  }
  for (const Outgoing& each : outgoing) {
    if (each.object) continue;
    if (auto appended = journal_.append(journal::RecordType::kExtraction, each.octets); !appended) {
      return appended;
    }
  }
  return {};
}

Result<void> Publisher::append(journal::Sequence instance, const Outgoing& object) {
  journal::ObjectRecord record;
  record.listener = kListener;
  record.sop_class_uid = object.sop_class_uid;
  record.sop_instance_uid = object.sop_instance_uid;
  record.transfer_syntax_uid = uid_literal("1.2.840.10008.1.2.1");
  hooks_.decide(record, object.octets);
  record.extract = false;  // whatever a rule says: nothing is made of what was made here
  if (record.status != 0) {
    log::event(log::Level::kInfo, "extraction.object_refused", {{"sequence", value(instance)}});
    return {};
  }
  std::vector<std::string> destinations;
  for (const auto& route : record.routes) destinations.push_back(route.destination);
  std::promise<Result<journal::Sequence>> promise;
  auto future = promise.get_future();
  auto done = [&, received = record.received](Result<journal::Sequence> outcome) {
    if (outcome) hooks_.routed(*outcome, received, destinations);
    promise.set_value(std::move(outcome));
  };
  if (auto chain = chain_of(object.octets, blocks_)) {
    journal_.append_object(std::move(record), *std::move(chain), std::move(done));
  } else {
    auto large = journal_.create_large();
    if (!large) return std::move(large).error();
    const std::array<ByteSpan, 1> parts{ByteSpan(object.octets)};
    if (auto written = (*large)->write(parts); !written) return written;
    if (auto sealed = (*large)->seal(); !sealed) return sealed;
    journal_.append_large(std::move(record), *std::move(large), std::move(done));
  }
  const auto sequence = future.get();
  return sequence ? Result<void>() : sequence.error();
}

}  // namespace dr::extraction
