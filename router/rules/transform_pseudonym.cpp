#include "router/rules/transform_pseudonym.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace dr::rules {
namespace {

constexpr std::size_t kNonce = 12;
constexpr std::size_t kMark = 16;  // GCM's authentication tag

const unsigned char* octets(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* octets(Bytes& bytes, std::size_t at = 0) {
  return reinterpret_cast<unsigned char*>(bytes.data()) + at;
}

/// A 128-bit number in decimal.
std::string decimal(std::array<std::uint8_t, 16> number) {
  std::string digits;
  bool more = true;
  while (more) {
    unsigned rest = 0;
    more = false;
    for (std::uint8_t& octet : number) {
      const unsigned part = rest << 8 | octet;
      octet = static_cast<std::uint8_t>(part / 10);
      rest = part % 10;
      more = more || octet != 0;
    }
    digits.insert(digits.begin(), static_cast<char>('0' + rest));
  }
  return digits;
}

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

std::optional<Bytes> from_hex(std::string_view text) {
  Bytes bytes;
  if (text.size() % 2 != 0) return std::nullopt;
  for (; !text.empty(); text.remove_prefix(2)) {
    unsigned value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + 2, value, 16);
    if (error != std::errc{} || stop != text.data() + 2) return std::nullopt;
    bytes.push_back(static_cast<std::byte>(value));
  }
  return bytes;
}

}  // namespace

Bytes Pseudonymizer::digest(std::string_view use, std::string_view text) const {
  std::string message(use);
  message += '\0';
  message += text;
  Bytes out(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), octets(message),
           message.size(), octets(out), &length) == nullptr) {
    throw std::runtime_error("HMAC-SHA-256 is not available");
  }
  out.resize(length);
  return out;
}

std::string Pseudonymizer::hash(std::string_view text) const {
  if (text.empty()) return {};
  return to_hex(ByteSpan(digest("hash", text)).first(8));
}

std::string Pseudonymizer::uid(std::string_view original) const {
  const Bytes all = digest("uid", original);
  std::array<std::uint8_t, 16> uuid{};
  for (std::size_t i = 0; i < uuid.size(); ++i) uuid[i] = std::to_integer<std::uint8_t>(all[i]);
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x80);  // version 8
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);  // variant
  return "2.25." + decimal(uuid);
}

int Pseudonymizer::days(std::string_view patient) const {
  return 1 + static_cast<int>(load_be<std::uint32_t>(digest("days", patient).data()) % 3650);
}

Result<std::string> Pseudonymizer::seal(std::string_view text) const {
  const Bytes key = digest("seal", "");
  Bytes out(kNonce + text.size() + kMark);
  const Context context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int n = 0;
  // A nonce made of the text is used for one text only, and makes equal texts equal.
  std::ranges::copy(ByteSpan(digest("nonce", text)).first(kNonce), out.begin());
  const bool good =
      context &&
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr,
                         reinterpret_cast<const unsigned char*>(key.data()), octets(out)) == 1 &&
      EVP_EncryptUpdate(context.get(), octets(out, kNonce), &n, octets(text),
                        static_cast<int>(text.size())) == 1 &&
      EVP_EncryptFinal_ex(context.get(), octets(out, kNonce + text.size()), &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kMark,
                          octets(out, kNonce + text.size())) == 1;
  if (!good) return Error{Errc::kUnsupported, "AES-256-GCM"};
  return to_hex(out);
}

Result<std::string> Pseudonymizer::unseal(std::string_view sealed) const {
  auto in = from_hex(sealed);
  if (!in || in->size() < kNonce + kMark) return Error{Errc::kCorrupt, "sealed text"};
  const Bytes key = digest("seal", "");
  const std::size_t length = in->size() - kNonce - kMark;
  std::string text(length + 16, '\0');
  const Context context(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  int n = 0;
  auto* const out = reinterpret_cast<unsigned char*>(text.data());
  const bool good =
      context &&
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr,
                         reinterpret_cast<const unsigned char*>(key.data()), octets(*in)) == 1 &&
      EVP_DecryptUpdate(context.get(), out, &n, octets(*in, kNonce), static_cast<int>(length)) ==
          1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kMark,
                          octets(*in, kNonce + length)) == 1 &&
      EVP_DecryptFinal_ex(context.get(), out + n, &n) == 1;
  if (!good) return Error{Errc::kCorrupt, "sealed text"};
  text.resize(length);
  return text;
}

std::string shift_date(std::string_view text, int days) {
  using namespace std::chrono;
  std::string digits(text.substr(0, 10));
  // ACR-NEMA wrote 1999.12.31; what becomes of it is a date of today's form.
  const bool dotted = digits.size() == 10 && digits[4] == '.' && digits[7] == '.';
  if (dotted) digits = digits.substr(0, 4) + digits.substr(5, 2) + digits.substr(8, 2);
  if (digits.size() < 8) return {};
  unsigned number = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + 8, number);
  if (error != std::errc{} || stop != digits.data() + 8) return {};
  const year_month_day date{year(static_cast<int>(number / 10000)), month(number / 100 % 100),
                            day(number % 100)};
  if (!date.ok()) return {};
  const year_month_day before{sys_days(date) - std::chrono::days(days)};
  std::array<char, 16> out{};
  std::snprintf(out.data(), out.size(), "%04d%02u%02u", static_cast<int>(before.year()),
                static_cast<unsigned>(before.month()), static_cast<unsigned>(before.day()));
  return std::string(out.data()) + std::string(text.substr(dotted ? 10 : 8));
}

}  // namespace dr::rules
