#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "dimse/base/uid.h"

namespace dr::log {

enum class Level { kDebug, kInfo, kWarning, kError };

/// One `key=value` of an event line. Text is escaped by the one sink, so octets from the wire can
/// not forge a line. No field ever holds patient data: names, identifiers and UIDs of patients,
/// studies and objects stay out; the journal sequence and the association number lead to them.
struct Field {
  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(v) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(std::to_string(v)), bare(true) {}

  std::string_view key;
  std::string value;
  bool bare = false;
};

/// Where lines go. Called from any thread.
using Sink = void (*)(Level, std::string_view line);

/// Set once, before the first event; without it nothing is logged.
void set_sink(Sink sink, Level least);

/// One structured line: `event key=1 key="te\x22xt"`. Event names are constants with dots:
/// "association.accepted".
void event(Level level, std::string_view name, std::initializer_list<Field> fields);

/// Printable ASCII as it is; quotes, backslashes and every other octet as \xNN; at most `limit`
/// octets of input are shown. For wire text in logs, error details and comments.
std::string escape(std::string_view text, std::size_t limit = 256);

}  // namespace dr::log
