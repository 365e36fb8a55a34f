#include "dimse/service/sop_classes.h"

#include <algorithm>
#include <array>

namespace dr::service {
namespace {

// Whole UIDs of services other than storage, or with a dot at the end all below it (PS3.6 A).
constexpr std::array<std::string_view, 36> kOtherServices = {
    "1.2.840.10008.1.1",              // Verification
    "1.2.840.10008.1.3.10",           // Media Storage Directory
    "1.2.840.10008.1.9",              // Basic Study Content Notification
    "1.2.840.10008.1.20.",            // Storage Commitment
    "1.2.840.10008.1.40",             // Procedural Event Logging
    "1.2.840.10008.1.42",             // Substance Administration Logging
    "1.2.840.10008.3.1.2.",           // MPPS and the retired management classes
    "1.2.840.10008.5.1.1.",           // Print Management and Display System
    "1.2.840.10008.5.1.4.1.1.200.4",  // Protocol Approval - FIND
    "1.2.840.10008.5.1.4.1.1.200.5",  // - MOVE
    "1.2.840.10008.5.1.4.1.1.200.6",  // - GET
    "1.2.840.10008.5.1.4.1.1.201.2",  // Inventory - FIND
    "1.2.840.10008.5.1.4.1.1.201.3",  // - MOVE
    "1.2.840.10008.5.1.4.1.1.201.4",  // - GET
    "1.2.840.10008.5.1.4.1.1.201.5",  // Inventory Creation
    "1.2.840.10008.5.1.4.1.1.201.6",  // Repository Query
    "1.2.840.10008.5.1.4.1.2.",       // Query/Retrieve
    "1.2.840.10008.5.1.4.20.",        // Defined Procedure Protocol - FIND, MOVE, GET
    "1.2.840.10008.5.1.4.31",         // Modality Worklist
    "1.2.840.10008.5.1.4.32",         // General Purpose Worklist Management
    "1.2.840.10008.5.1.4.32.",        // its parts
    "1.2.840.10008.5.1.4.33",         // Instance Availability Notification
    "1.2.840.10008.5.1.4.34.4.",      // Unified Procedure Step, trial use
    "1.2.840.10008.5.1.4.34.6.",      // Unified Procedure Step
    "1.2.840.10008.5.1.4.34.8",       // RT Conventional Machine Verification
    "1.2.840.10008.5.1.4.34.9",       // RT Ion Machine Verification
    "1.2.840.10008.5.1.4.37.",        // Relevant Patient Information
    "1.2.840.10008.5.1.4.38.2",       // Hanging Protocol - FIND
    "1.2.840.10008.5.1.4.38.3",       // - MOVE
    "1.2.840.10008.5.1.4.38.4",       // - GET
    "1.2.840.10008.5.1.4.39.2",       // Color Palette - FIND
    "1.2.840.10008.5.1.4.39.3",       // - MOVE
    "1.2.840.10008.5.1.4.39.4",       // - GET
    "1.2.840.10008.5.1.4.41",         // Product Characteristics Query
    "1.2.840.10008.5.1.4.42",         // Substance Approval Query
    "1.2.840.10008.10.",              // Real-Time Video and Audio
};

// Storage classes among the print classes.
constexpr std::array<std::string_view, 3> kStoredPrint = {
    "1.2.840.10008.5.1.1.27",  // Stored Print
    "1.2.840.10008.5.1.1.29",  // Hardcopy Grayscale Image
    "1.2.840.10008.5.1.1.30",  // Hardcopy Color Image
};

// Implant templates 43 to 45: .1 is stored; .2, .3 and .4 are FIND, MOVE and GET.
bool is_implant_template_query(std::string_view uid) {
  constexpr std::string_view kRoot = "1.2.840.10008.5.1.4.";
  if (!uid.starts_with(kRoot)) return false;
  const std::string_view rest = uid.substr(kRoot.size());
  return rest.size() == 4 && rest[0] == '4' && rest[1] >= '3' && rest[1] <= '5' && rest[2] == '.' &&
         rest[3] >= '2' && rest[3] <= '4';
}

}  // namespace

bool is_storage(const Uid& sop_class) {
  const std::string_view uid = sop_class.view();
  if (uid.empty() || is_implant_template_query(uid)) return false;
  if (std::find(kStoredPrint.begin(), kStoredPrint.end(), uid) != kStoredPrint.end()) return true;
  return std::none_of(kOtherServices.begin(), kOtherServices.end(), [uid](std::string_view other) {
    return other.ends_with('.') ? uid.starts_with(other) : uid == other;
  });
}

const Uid& implementation_class_uid() {
  // From a random UUID (PS3.5 B.2).
  static const Uid kUid = uid_literal("2.25.147695453185641923292439388247814095317");
  return kUid;
}

}  // namespace dr::service
