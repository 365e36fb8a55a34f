#include "router/rules/transform_csv.h"

#include <array>
#include <vector>

#include <openssl/sha.h>

#include "dimse/base/bytes.h"

namespace dr::rules {
namespace {

Error at_line(std::size_t line, const std::string& what) {
  return {Errc::kMalformed, "line " + std::to_string(line) + ": " + what};
}

/// Takes one field off `rest`; false: a quote that does not end.
bool take_field(std::string_view& rest, std::string& field, std::size_t& line) {
  field.clear();
  if (!rest.starts_with('"')) {
    const std::size_t end = std::min(rest.find_first_of(",\r\n"), rest.size());
    field = rest.substr(0, end);
    rest.remove_prefix(end);
    return true;
  }
  rest.remove_prefix(1);
  while (!rest.empty()) {
    const char c = rest.front();
    rest.remove_prefix(1);
    if (c == '\n') ++line;
    if (c != '"') {
      field += c;
    } else if (rest.starts_with('"')) {
      field += '"';
      rest.remove_prefix(1);
    } else {
      return true;
    }
  }
  return false;
}

}  // namespace

Result<std::map<std::string, std::string>> parse_csv(std::string_view rest) {
  std::map<std::string, std::string> table;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  for (std::size_t line = 1; !rest.empty(); ++line) {
    const std::size_t first_line = line;
    std::vector<std::string> fields(1);
    if (!take_field(rest, fields.back(), line)) return at_line(first_line, "a quote does not end");
    while (rest.starts_with(',')) {
      rest.remove_prefix(1);
      fields.emplace_back();
      if (!take_field(rest, fields.back(), line))
        return at_line(first_line, "a quote does not end");
    }
    if (rest.starts_with('\r')) rest.remove_prefix(1);
    if (!rest.empty() && rest.front() != '\n') {
      return at_line(first_line, "text behind a quoted column");
    }
    if (!rest.empty()) rest.remove_prefix(1);
    if (fields.size() == 1 && fields.front().empty()) continue;
    if (fields.size() != 2) {
      return at_line(first_line, std::to_string(fields.size()) + " columns instead of 2");
    }
    if (!table.try_emplace(fields[0], fields[1]).second) {
      return at_line(first_line, "its first column is there already");
    }
  }
  return table;
}

std::string sha256_of(std::string_view octets) {
  std::array<std::byte, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(octets.data()), octets.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return to_hex(digest);
}

}  // namespace dr::rules
