#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace dr::db {

/// Most characters of a text column, by what it holds. migrations.cpp declares the same numbers,
/// and clipping to them here keeps rows equal in a database that would refuse (PostgreSQL, MySQL)
/// and in one that would not ask (SQLite).
struct TextLimit {
  static constexpr std::size_t kSpoolId = 36;
  static constexpr std::size_t kUid = 64;
  static constexpr std::size_t kCode = 64;   // states, outcomes, kinds, hexadecimal digests
  static constexpr std::size_t kName = 128;  // nodes, listeners, destinations, rules, AE titles
  static constexpr std::size_t kLine = 512;  // one line for people
  static constexpr std::size_t kCurve = 1'000'000;  // LONGTEXT where TEXT is short
  static constexpr std::size_t kText = 16000;  // 64,000 octets at most: MySQL's TEXT holds 65,535
};

/// Whether every database takes `text` unchanged: valid UTF-8 (RFC 3629) without NUL, at most
/// `limit` characters.
bool is_clean_text(std::string_view text, std::size_t limit) noexcept;

/// `text` with U+FFFD in place of each NUL and of each maximal ill-formed part (Unicode 3.9, table
/// 3-7), cut after `limit` characters. PostgreSQL refuses NUL and invalid UTF-8, MySQL invalid
/// UTF-8; neither may stop the stream of rows.
std::string clean_text(std::string_view text, std::size_t limit);

}  // namespace dr::db
