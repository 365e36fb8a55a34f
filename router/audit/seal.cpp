#include "router/audit/seal.h"

#include <array>
#include <span>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "db/row_text.h"
#include "dimse/base/bytes.h"

namespace dr::audit {
namespace {

/// Each cell with its type and length, so that no two rows have one text.
void append(std::string& text, const db::Cell& cell) {
  if (const auto* value = std::get_if<std::string>(&cell)) {
    text += 't' + std::to_string(value->size()) + ':' + *value;
  } else if (const auto* number = std::get_if<std::int64_t>(&cell)) {
    text += 'n' + std::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&cell)) {
    text += 'r' + db::text_of(*real);
  } else {
    text += '-';
  }
  text += ';';
}

bool is_digest(const db::Table& table) { return table.on_conflict == db::OnConflict::kDigest; }

std::size_t seal_column(const db::Table& table) {
  return db::column_of(table, is_digest(table) ? "sha256_seal" : "seal");
}

}  // namespace

bool Sealer::covers(const db::Table& table, std::size_t column) {
  if (column == seal_column(table)) return false;
  return table.name != "instance" || table.columns.at(column).name != "durable";
}

std::string Sealer::seal_of(std::size_t kind, const db::Record& record) const {
  const db::Table& table = db::tables().at(kind);
  std::string text = table.name + (is_digest(table) ? " digest;" : ";");
  const std::size_t sha256 = db::column_of(table, "sha256");
  for (std::size_t i = 0; i < record.size(); ++i) {
    if (!covers(table, i)) continue;
    // Of an object's row the digest's seal covers only the digest: the rest may come later.
    if (is_digest(table) && i >= table.keys && i != sha256) continue;
    append(text, record[i]);
  }
  return mac(text);
}

const std::string& Sealer::written_seal(std::size_t kind, const db::Record& record) {
  return std::get<std::string>(record.at(seal_column(db::tables().at(kind))));
}

void Sealer::seal(db::Row& row) const {
  db::clean(row);
  if (!has_key()) return;
  std::string seal = seal_of(row.index(), db::record_of(row));
  std::visit([&](auto& r) { r.seal = std::move(seal); }, row);
}

std::string Sealer::mac(std::string_view text) const {
  if (!has_key()) return {};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
           &length) == nullptr) {
    throw std::runtime_error("HMAC-SHA-256 is not available");
  }
  return to_hex(std::as_bytes(std::span(digest).first(length)));
}

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return to_hex(std::as_bytes(std::span(digest)));
}

}  // namespace dr::audit
