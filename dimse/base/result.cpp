#include "dimse/base/result.h"

#include <cerrno>

namespace dr {
namespace {

std::string_view errc_name(Errc code) {
  switch (code) {
    case Errc::kMalformed:
      return "malformed";
    case Errc::kTooLong:
      return "too long";
    case Errc::kUnsupported:
      return "unsupported";
    case Errc::kInvalid:
      return "invalid";
    case Errc::kNotFound:
      return "not found";
    case Errc::kIo:
      return "i/o error";
    case Errc::kNoSpace:
      return "out of space";
    case Errc::kCorrupt:
      return "corrupt";
    case Errc::kFenced:
      return "fenced";
    case Errc::kTimeout:
      return "timeout";
    case Errc::kClosed:
      return "connection closed";
    case Errc::kAborted:
      return "aborted";
    case Errc::kRejected:
      return "rejected";
    case Errc::kCancelled:
      return "cancelled";
    case Errc::kConflict:
      return "conflict";
  }
  return "unknown error";
}

class Category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "dicom-router"; }
  std::string message(int value) const override {
    return std::string(errc_name(static_cast<Errc>(value)));
  }
};

}  // namespace

const std::error_category& error_category() noexcept {
  static const Category category;
  return category;
}

std::string Error::to_string() const {
  std::string text(errc_name(code));
  if (!detail.empty()) text.append(": ").append(detail);
  return text;
}

Error errno_error(std::string_view what, int err) {
  const bool full = err == ENOSPC || err == EDQUOT || err == EFBIG;
  return {full ? Errc::kNoSpace : Errc::kIo,
          std::string(what) + ": " + std::generic_category().message(err)};
}

}  // namespace dr
