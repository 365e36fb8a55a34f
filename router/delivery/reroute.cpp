#include "router/delivery/reroute.h"

#include <algorithm>
#include <future>
#include <map>
#include <utility>

#include "dimse/encoding/header_scanner.h"
#include "router/delivery/decided.h"
#include "router/delivery/object_source.h"
#include "router/delivery/operations.h"
#include "router/delivery/transformer.h"

namespace dr::delivery {
namespace {

using journal::DeliveryState;
using journal::ObjectRecord;
using journal::OpenDelivery;
using journal::Sequence;
using Destinations = std::vector<std::shared_ptr<Destination>>;

constexpr std::size_t kSlice = 512;        // objects that stand in no queue at a time
constexpr std::size_t kPiece = 64 * 1024;  // octets
constexpr std::uint64_t kInline = 1U << 20;

/// What the rules in force say of an object of the journal. `character_set`: (0008,0005) where it
/// has none.
Result<rules::Decision> decide(const rules::RuleSet& rules, StoredObject& object,
                               std::string_view character_set) {
  encoding::HeaderScanner header(rules.scan_plan(), object.record.transfer_syntax_uid);
  Bytes piece(kPiece);
  while (header.state() == encoding::HeaderScanner::State::kMore) {
    const auto n = object.body->read(piece);
    if (!n) return n.error();
    if (*n == 0) break;
    header.feed(ByteSpan(piece).first(*n));
  }
  header.finish();
  if (header.state() == encoding::HeaderScanner::State::kFailed) return header.error();
  const ObjectRecord& r = object.record;
  static const std::string kNotRecorded;
  return rules.decide({r.calling_ae_title, r.called_ae_title, r.peer_address, r.listener,
                       kNotRecorded, kNotRecorded, r.sop_class_uid, r.transfer_syntax_uid,
                       r.received, header, character_set});
}

/// One object on its way from its old record to a new one.
struct Move {
  Sequence instance{};
  std::vector<OpenDelivery> open;   // empty: unrouted
  ObjectRecord record;              // the new one, until it is appended
  std::vector<std::string> chosen;  // destinations of its routes
  std::vector<std::pair<Destination*, Withdrawn>> withdrawn;
  std::future<Result<Sequence>> appended;
};

/// Whether `decided` changes nothing of what is still to be done for `old`.
bool same_routes(const ObjectRecord& decided, const ObjectRecord& old) {
  return decided.routes.size() == old.routes.size() &&
         std::ranges::all_of(decided.routes, [&](const journal::RouteRecord& route) {
           if (route.held == kSettledBefore) return true;
           const auto* const other = route_to(old, route.destination);
           return other != nullptr && other->transform == route.transform &&
                  other->held == route.held;
         });
}

class Reroute {
 public:
  Reroute(Core& core, const Destinations& destinations, const OperationRequest& request)
      : core_(core), journal_(core.context.journal), request_(request) {
    for (const auto& each : destinations) destinations_.emplace(each->name(), each.get());
  }

  OperationReport run() {
    const Sequence last = journal_.watermark();  // what is written here is not looked at again
    const Selection& selection = request_.selection;
    if (!selection.unrouted) open_ones(last);
    const bool unrouted = selection.destination.empty() && !selection.state;
    if (!report_.stopped && unrouted) unrouted_ones(last);
    return report_;
  }

 private:
  void open_ones(Sequence last) {
    for (Sequence after{}; !report_.stopped;) {
      const auto some = journal_.open_deliveries(after, kSlice);
      if (some.empty() || some.front().instance > last) return;
      std::vector<Move> moves;
      for (auto at = some.begin(); at != some.end() && at->instance <= last;) {
        const auto end = std::find_if(at, some.end(), [&](const OpenDelivery& other) {
          return other.instance != at->instance;
        });
        if (std::any_of(at, end, [&](const OpenDelivery& open) { return means(open); })) {
          plan({at, end}, at->instance, moves);
        }
        at = end;
      }
      carry_out(moves);
      after = some.back().instance;
    }
  }

  void unrouted_ones(Sequence last) {
    for (Sequence after{}; !report_.stopped;) {
      const auto some = journal_.unrouted(after, kSlice);
      if (some.empty() || some.front() > last) return;
      std::vector<Move> moves;
      for (const Sequence instance : some) {
        if (instance <= last) plan({}, instance, moves);
      }
      carry_out(moves);
      after = some.back();
    }
  }

  bool means(const OpenDelivery& open) const {
    const Selection& selection = request_.selection;
    return open.state != DeliveryState::kDamaged &&
           (selection.destination.empty() || selection.destination == open.destination) &&
           (!selection.state || *selection.state == open.state);
  }

  /// Adds what is to be done about one object, or counts why nothing is.
  void plan(std::vector<OpenDelivery> open, Sequence instance, std::vector<Move>& moves) {
    auto object = open_object(journal_, instance);
    if (object && !request_.selection.has_uids_of(object->record)) return;
    const auto decision = object
                              ? decide(*request_.rules, *object, character_set_of(object->record))
                              : Result<rules::Decision>(object.error());
    if (!decision) {  // the journal has told of damage, and the queues know
      ++report_.damaged;
      return;
    }
    Move move{instance, std::move(open), object->record, {}, {}, {}};
    ObjectRecord& record = move.record;
    set_decision(record, *request_.rules, *decision);
    record.status = object->record.status;
    record.extract = record.extract && !object->record.extract;
    if (record.routes.empty()) {
      ++report_.unmatched;
      return;
    }
    for (journal::RouteRecord& route : record.routes) {
      route.wait = {};
      move.chosen.push_back(route.destination);
      const bool was_routed = route_to(object->record, route.destination) != nullptr;
      const bool is_open = std::ranges::find(move.open, route.destination,
                                             &OpenDelivery::destination) != move.open.end();
      if (was_routed && !is_open) {
        route.held = kSettledBefore;
        route.transform.clear();
      }
    }
    if (same_routes(record, object->record)) {
      ++report_.unchanged;
      return;
    }
    if (request_.dry_run) {
      ++report_.affected;
      return;
    }
    moves.push_back(std::move(move));
  }

  std::string character_set_of(const ObjectRecord& object) const {
    const Transformer* const transformer = core_.context.transformer;
    return transformer != nullptr ? transformer->character_set_of(object) : std::string();
  }

  void carry_out(std::vector<Move>& moves) {
    take_out_of_queues(moves);
    std::erase_if(moves, [&](Move& move) {
      if (all_here(move)) return false;
      put_back(move);
      ++report_.busy;
      return true;
    });
    for (Move& move : moves) append(move);
    for (Move& move : moves) {
      const auto sequence = move.appended.get();
      if (sequence && settle(move)) {
        ++report_.affected;
        continue;
      }
      if (sequence) continue;
      put_back(move);
      if (sequence.error().code == Errc::kCorrupt || sequence.error().code == Errc::kNotFound) {
        ++report_.damaged;  // its next attempt meets it, too
      } else {
        report_.stopped = sequence.error();
      }
    }
  }

  void take_out_of_queues(std::vector<Move>& moves) {
    std::map<Destination*, std::vector<Sequence>> wanted;
    std::map<Sequence, Move*> by_instance;
    for (Move& move : moves) {
      by_instance[move.instance] = &move;
      for (const OpenDelivery& open : move.open) {
        const auto found = destinations_.find(open.destination);
        if (found != destinations_.end()) wanted[found->second].push_back(move.instance);
      }
    }
    for (const auto& [destination, instances] : wanted) {
      for (Withdrawn& each :
           destination->withdraw(instances, true, [](const Delivery&) { return true; })) {
        by_instance.at(each.delivery.instance)
            ->withdrawn.emplace_back(destination, std::move(each));
      }
    }
  }

  /// What is open and stands in no queue is being sent, or was just settled.
  bool all_here(const Move& move) const {
    return std::ranges::all_of(move.open, [&](const OpenDelivery& open) {
      return !destinations_.contains(open.destination) ||
             std::ranges::any_of(move.withdrawn, [&](const auto& each) {
               return each.first->name() == open.destination;
             });
    });
  }

  static void put_back(const Move& move) {
    for (const auto& [destination, withdrawn] : move.withdrawn) {
      destination->restore({&withdrawn, 1});
      destination->work();
    }
  }

  void append(Move& move) {
    auto promise = std::make_shared<std::promise<Result<Sequence>>>();
    move.appended = promise->get_future();
    journal::Journal::Done done =
        counted(move.record, core_.context.routed,
                [promise](Result<Sequence> result) { promise->set_value(std::move(result)); });
    auto object = open_object(journal_, move.instance);
    if (!object) return done(object.error());
    BlockChain chain(core_.context.blocks);
    if (object->octets <= kInline && read_into(chain, *object->body)) {
      return journal_.append_object(std::move(move.record), std::move(chain), std::move(done));
    }
    auto again = journal_.open_body(move.instance);
    if (!again) return done(again.error());
    auto large = copy(**again);
    if (!large) return done(large.error());
    journal_.append_large(std::move(move.record), *std::move(large), std::move(done));
  }

  /// False: there is no memory for it, or it can not be read; the copy through a file tells.
  static bool read_into(BlockChain& chain, journal::BodyReader& body) {
    for (;;) {
      const MutableByteSpan space = chain.writable();
      if (space.empty()) return false;
      const auto n = body.read(space);
      if (!n) return false;
      if (*n == 0) return true;
      chain.commit(*n);
    }
  }

  Result<std::unique_ptr<journal::LargeObject>> copy(journal::BodyReader& body) {
    auto large = journal_.create_large();
    if (!large) return large;
    Bytes piece(kPiece);
    for (;;) {
      const auto n = body.read(piece);
      if (!n) return n.error();
      if (*n == 0) break;
      const ByteSpan octets = ByteSpan(piece).first(*n);
      if (auto written = (*large)->write({&octets, 1}); !written) return std::move(written).error();
    }
    if (auto sealed = (*large)->seal(); !sealed) return std::move(sealed).error();
    return large;
  }

  /// The new record is durable: the old one's deliveries are over.
  bool settle(const Move& move) {
    const auto reason = [&](const std::string& destination) {
      return destination.empty() || chosen(move, destination) ? "rerouted" : "not_chosen";
    };
    for (const auto& [destination, withdrawn] : move.withdrawn) {
      if (!destination->settle_withdrawn(withdrawn, DeliveryState::kSkipped,
                                         reason(destination->name()))) {
        report_.stopped = Error{Errc::kFenced, "the journal takes no outcomes"};
        return false;
      }
    }
    // What stands in no queue: no longer configured, or unrouted.
    std::vector<std::string> others;
    for (const OpenDelivery& open : move.open) {
      if (!destinations_.contains(open.destination)) others.push_back(open.destination);
    }
    if (move.open.empty()) others.emplace_back();
    for (const std::string& destination : others) {
      journal::OutcomeRecord outcome;
      outcome.instance = move.instance;
      outcome.destination = destination;
      outcome.state = DeliveryState::kSkipped;
      outcome.started = outcome.finished = core_.now_utc();
      outcome.outcome = journal::name(outcome.state);
      outcome.reason = reason(destination);
      if (const auto appended = journal_.append(outcome); !appended) {
        report_.stopped = appended.error();
        return false;
      }
    }
    return true;
  }

  static bool chosen(const Move& move, const std::string& destination) {
    return std::ranges::find(move.chosen, destination) != move.chosen.end();
  }

  Core& core_;
  journal::Journal& journal_;
  const OperationRequest& request_;
  std::map<std::string, Destination*, std::less<>> destinations_;
  OperationReport report_;
};

}  // namespace

OperationReport reroute(Core& core, const Destinations& destinations,
                        const OperationRequest& request) {
  return Reroute(core, destinations, request).run();
}

}  // namespace dr::delivery
