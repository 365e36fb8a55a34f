#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "router/journal/journal.h"

namespace dr::journal {

/// One object that a spool still holds, whatever became of it.
struct Rescued {
  Sequence instance{};
  ObjectRecord record;
  std::vector<OutcomeRecord> states;  // where something is left to do
};

/// Where rescued objects go. An error of either ends the rescue.
class Rescue {
 public:
  virtual ~Rescue() = default;
  /// `body` checks the octets while they are read: kCorrupt at the end of those that are damaged.
  /// nullptr: they can not be had, `why` says it.
  virtual Result<void> object(const Rescued& object, BodyReader* body, const Error* why) = 0;
  /// A record that should be there and can not be read.
  virtual Result<void> lost(Sequence instance, const Error& why) = 0;
};

/// Hands over every object in the spool that can be read, in the order of receipt, and changes
/// nothing there. Large objects that were finished may be without octets: those are passed over.
/// Errors as verify().
Result<RecoveryReport> export_objects(FileSystem& files, UtcMicros now, Rescue& rescue);

}  // namespace dr::journal
