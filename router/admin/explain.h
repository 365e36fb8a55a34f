#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "dimse/base/ae_title.h"
#include "dimse/base/clock.h"
#include "dimse/base/uid.h"
#include "dimse/encoding/header_scanner.h"
#include "router/delivery/transformer.h"
#include "router/rules/rule_set.h"

namespace dr::admin {

/// Who is said to have sent an object that is explained. What is not known counts as absent.
struct Sender {
  AeTitle calling_ae_title;
  AeTitle called_ae_title;
  std::string address;
  std::string listener;
  UtcMicros received{};
  std::string character_set;  // (0008,0005) of an object that has none
};

/// `sender` with what `calling`, `called`, `from` and `listener` of `query` say instead. kInvalid
/// with a sentence for people.
Result<Sender> with_query(Sender sender, const std::map<std::string, std::string>& query);

/// What becomes of a copy that is not sent as it was received.
struct CopyOutcome {
  rules::TransformChanges changes;
  std::string held;     // the reason why it is held; empty: it is sent
  std::string untried;  // why it is not known what becomes of it; empty: it is
};
/// By destination.
using Copies = std::map<std::string, CopyOutcome>;
/// Tries what a route would do. nullopt: its copy is sent as received.
using TryCopy = std::function<std::optional<CopyOutcome>(const rules::Route& route)>;

/// Where the object that copies are made of is had from, when the first is.
using OpenSample = std::function<Result<delivery::Sample>()>;
/// With what copies are tried: all of it outlives them.
struct Trials {
  delivery::Transformer& transformer;
  const std::vector<delivery::DestinationSettings>& destinations;
  /// kNoSpace: so many octets more would not leave what the spool keeps free.
  std::function<Result<void>(std::uint64_t octets)> room;
};
/// Makes copies in the transformer's workers, and throws them away.
TryCopy try_copies(Trials trials, OpenSample open);

/// A decision with its reasons, as `explain --json` and POST /api/v1/explain give it. Holds the
/// values that conditions saw: patient data, for the one who asked, and for no log.
nlohmann::json to_json(const rules::RuleSet& rules, const rules::Explanation& explanation,
                       const std::string& sop_instance_uid, const Copies& copies);

/// The values of a data set that arrives in pieces, and what the rules say of it.
class ExplainedObject {
 public:
  ExplainedObject(std::shared_ptr<const rules::RuleSet> rules, Uid sop_class_uid,
                  Uid sop_instance_uid, Uid transfer_syntax_uid);

  /// The next octets of the data set. False: no further ones are needed.
  bool feed(ByteSpan octets);
  /// kMalformed: the data set cannot be read; a C-STORE of it would be refused. Without `try_copy`
  /// transforms are only named.
  Result<nlohmann::json> finish(const Sender& sender, const TryCopy& try_copy = {});

 private:
  std::shared_ptr<const rules::RuleSet> rules_;
  Uid sop_class_uid_;
  Uid sop_instance_uid_;
  Uid transfer_syntax_uid_;
  encoding::HeaderScanner header_;
};

/// The same of a DICOM file (PS3.10). Its head is gathered, at most 2 MiB; nothing else is kept.
class ExplainedFile {
 public:
  explicit ExplainedFile(std::shared_ptr<const rules::RuleSet> rules) : rules_(std::move(rules)) {}

  /// The next octets of the file. False: no further ones are needed.
  bool feed(ByteSpan octets);
  /// Also what file::read_part10_header says of what is no DICOM file.
  Result<nlohmann::json> finish(const Sender& sender, const TryCopy& try_copy = {});

 private:
  Result<void> begin();

  std::shared_ptr<const rules::RuleSet> rules_;
  Bytes head_;
  std::optional<ExplainedObject> object_;
  std::optional<Error> failure_;
};

}  // namespace dr::admin
