#pragma once

#include <cstdint>

namespace dr::message::status {

/// DIMSE status codes that this program answers (PS3.7 C, PS3.4 B.2.3).
inline constexpr std::uint16_t kSuccess = 0x0000;
inline constexpr std::uint16_t kInvalidSopInstance = 0x0117;
inline constexpr std::uint16_t kSopClassNotSupported = 0x0122;
inline constexpr std::uint16_t kNotAuthorized = 0x0124;
inline constexpr std::uint16_t kDuplicateInvocation = 0x0210;
inline constexpr std::uint16_t kUnrecognizedOperation = 0x0211;
inline constexpr std::uint16_t kMistypedArgument = 0x0212;
inline constexpr std::uint16_t kOutOfResources = 0xa700;
inline constexpr std::uint16_t kDataSetDoesNotMatchSopClass = 0xa900;
inline constexpr std::uint16_t kCannotUnderstand = 0xc000;

}  // namespace dr::message::status
