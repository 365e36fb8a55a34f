#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace dr {

/// What can go wrong with a peer, a disk, a network or a database. The caller decides what it means
/// for its protocol; the detail of an Error carries the numbers.
enum class Errc {
  kMalformed = 1,  // octets that the standard does not allow here
  kTooLong,        // a length or count above its ceiling
  kUnsupported,    // legal, but not offered or not known here
  kInvalid,        // a caller's argument or a configured value
  kNotFound,       //
  kIo,             // the file system or the network failed
  kNoSpace,        // disk, memory or a quota is exhausted
  kCorrupt,        // stored octets are not those that were written
  kFenced,         // the journal refuses writes until a restart
  kTimeout,        //
  kClosed,         // the peer closed the connection
  kAborted,        // A-ABORT received or sent
  kRejected,       // A-ASSOCIATE-RJ received or sent
  kCancelled,      // this node is stopping
  kConflict,       // somebody else holds it (lock, key)
};

const std::error_category& error_category() noexcept;
inline std::error_code make_error_code(Errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}

/// A failure: its kind, and one line of detail with the numbers (`length=70 limit=64`). The detail
/// never holds patient data; what came from the wire is escaped before it gets here.
struct Error {
  Errc code = Errc::kInvalid;
  std::string detail;

  /// "malformed: PDV length=70 limit=64"
  std::string to_string() const;
};

/// A value or an Error. `if (!r) return r.error();` is the common use.
template <class T>
class [[nodiscard]] Result {
 public:
  Result() : state_(Error{Errc::kInvalid, "no result"}) {}
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return state_.index() == 0; }
  bool ok() const noexcept { return state_.index() == 0; }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const noexcept { return !error_; }
  bool ok() const noexcept { return !error_; }
  const Error& error() const& { return error_.value(); }
  Error&& error() && { return std::move(error_).value(); }

 private:
  std::optional<Error> error_;
};

/// The Error of the system call that just failed: `what` and errno's text; ENOSPC, EDQUOT and EFBIG
/// become kNoSpace, everything else kIo.
Error errno_error(std::string_view what, int err);

}  // namespace dr

template <>
struct std::is_error_code_enum<dr::Errc> : std::true_type {};
