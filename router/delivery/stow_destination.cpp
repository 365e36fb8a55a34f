#include <array>
#include <stdexcept>
#include <utility>

#include <openssl/rand.h>

#include "router/delivery/http_answer.h"
#include "router/delivery/http_destination.h"

namespace dr::delivery {

namespace {

/// Whoever made the object could not know it, and have the object end the part early.
std::string new_boundary() {
  std::array<std::byte, 16> octets{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(octets.data()), octets.size()) != 1) {
    throw std::runtime_error("no random numbers");
  }
  return to_hex(octets);
}

}  // namespace

AttemptResult StowDestination::send(HttpClient& client, StoredObject& object) {
  const std::string boundary = new_boundary();
  const std::string begin = "--" + boundary + "\r\nContent-Type: application/dicom\r\n\r\n";
  const std::string end = "\r\n--" + boundary + "--\r\n";
  HttpClient::Upload upload;
  upload.content_type =
      "multipart/related; type=\"application/dicom\"; boundary=\"" + boundary + "\"";
  const ByteSpan line = as_bytes(begin);
  upload.before.assign(line.begin(), line.end());
  const Bytes head = part10_head_of(object.record);
  upload.before.insert(upload.before.end(), head.begin(), head.end());
  upload.object = &object;
  const ByteSpan last = as_bytes(end);
  upload.after.assign(last.begin(), last.end());
  return stow_answer(client.post("/studies", upload, core_->context.blocks),
                     object.record.sop_instance_uid.view(), status_map_);
}

}  // namespace dr::delivery
