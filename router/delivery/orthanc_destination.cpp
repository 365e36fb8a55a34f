#include <utility>

#include "dimse/base/crc32c.h"
#include "dimse/file/part10_header.h"
#include "router/delivery/http_answer.h"
#include "router/delivery/http_destination.h"

namespace dr::delivery {

using Ending = AttemptResult::Ending;

namespace {

constexpr std::size_t kMostMeta = 1U << 20;  // octets before the data set

/// Length and CRC32C of the data set in a DICOM file that comes in pieces.
class StoredFile {
 public:
  /// False: this can be no file whose data set is looked for.
  bool add(ByteSpan piece) {
    if (found_) {
      count(piece);
      return true;
    }
    head_.insert(head_.end(), piece.begin(), piece.end());
    foreign_ = head_.size() >= kMostMeta && !begin();
    return !foreign_;
  }
  /// It began as no such file does; what follows was not looked at.
  bool foreign() const { return foreign_; }
  /// Behind the last piece: whether its data set is this object's.
  bool holds(const StoredObject& object) {
    if (!found_ && !begin()) return false;
    return transfer_syntax_ == object.record.transfer_syntax_uid && octets_ == object.octets &&
           crc_ == object.crc;
  }

 private:
  bool begin() {
    const auto header = file::read_part10_header(
        [this](std::uint64_t offset, MutableByteSpan into) -> Result<std::size_t> {
          if (offset >= head_.size()) return std::size_t{0};
          const ByteSpan rest = ByteSpan(head_).subspan(static_cast<std::size_t>(offset));
          const std::size_t n = std::min(rest.size(), into.size());
          std::copy_n(rest.begin(), n, into.begin());
          return n;
        });
    if (!header || header->data_set_offset > head_.size()) return false;
    found_ = true;
    transfer_syntax_ = header->transfer_syntax_uid;
    count(ByteSpan(head_).subspan(static_cast<std::size_t>(header->data_set_offset)));
    head_ = {};
    return true;
  }
  void count(ByteSpan piece) {
    octets_ += piece.size();
    crc_ = crc32c(crc_, piece);
  }

  Bytes head_;
  bool found_ = false;
  bool foreign_ = false;
  Uid transfer_syntax_;
  std::uint64_t octets_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace

AttemptResult OrthancDestination::send(HttpClient& client, StoredObject& object) {
  HttpClient::Upload upload;
  upload.content_type = "application/dicom";
  upload.before = part10_head_of(object.record);
  upload.object = &object;
  const OrthancAnswer answer =
      orthanc_answer(client.post("/instances", upload, core_->context.blocks));
  if (answer.id.empty() || settings_.verify != Verify::kQuery) return answer.result;
  return verify(client, object, upload.md5, answer.id, answer.was_there);
}

/// What Orthanc has, by its own account. An answer that does not come leaves the outcome unknown:
/// the object is sent again, found to be there, and looked at then.
AttemptResult OrthancDestination::verify(HttpClient& client, const StoredObject& object,
                                         const std::string& md5, const std::string& id,
                                         bool was_there) const {
  AttemptResult result;
  result.ending = Ending::kDelivered;
  result.outcome = "delivered";
  result.verified = true;
  if (was_there) result.comment = "already there";
  const std::string instance = "/instances/" + id;
  const HttpReply digest = client.get(instance + "/attachments/dicom/md5");
  if (digest.status == 200 && !md5.empty() && digest.body == md5) return result;
  // Another head before the same data set (of one that came by C-STORE), or something else.
  StoredFile file;
  const HttpReply reply =
      client.get(instance + "/file", [&](ByteSpan piece) { return file.add(piece); });
  if (reply.status == 200 && file.holds(object)) return result;
  result.verified = false;
  if (reply.status != 200 && !file.foreign()) {
    result.ending = Ending::kUnknown;
    result.outcome = "not_verified";
  } else if (was_there) {
    result.ending = Ending::kHeld;
    result.outcome = "refused";
    result.reason = "conflict";
    result.comment = "other octets are there under this SOP Instance UID";
  } else {
    result.ending = Ending::kHeld;
    result.outcome = "refused";
    result.reason = "stored_otherwise";
    result.comment = "what was stored is not what was sent";
  }
  return result;
}

}  // namespace dr::delivery
