#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dimse/base/bytes.h"
#include "router/admin/node_view.h"

namespace dr::admin {

/// A request to the admin interface, by whatever road it came.
struct Request {
  std::string method = "GET";
  std::string path;                          // decoded, without the query
  std::map<std::string, std::string> query;  // decoded; a name given twice is refused before
  std::string body;
  std::string operator_name;  // who asks: the token's name, or the socket peer's user
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string allow;  // with status 405: the methods that the path knows
};

/// `{"error": {"code", "message"}}`. What came from the wire is escaped before it gets here.
Response error_response(int status, const std::string& code, const std::string& message);

/// Takes a body that is not held in memory, piece by piece, and answers at its end.
class BodyTaker {
 public:
  virtual ~BodyTaker() = default;
  virtual void take(ByteSpan octets) = 0;
  virtual Response answer() = 0;
};

/// What the admin interface answers: see README.md, and "HTTP" in the interface description. Knows
/// nothing of who may ask. Any thread; may wait for a disk. `node` must outlive it.
class Api {
 public:
  explicit Api(NodeView& node) : node_(node) {}
  Response handle(const Request& request);

  /// Octets that the body of a request for this path may have at most when it is a DICOM object;
  /// 0: it takes none.
  static std::uint64_t most_object_octets(std::string_view path);
  /// For a POST of an object to such a path: who takes it. An answer instead: status 400 for a bad
  /// query, 503 while too many others are being taken.
  std::variant<std::unique_ptr<BodyTaker>, Response> take_object(const Request& request);

 private:
  Response get(const Request& request);
  Response forget(const Request& request);
  Response record_lookups(const Request& request);
  Response readyz();
  Response status();
  Response destinations();
  Response trace(const std::string& uid);
  Response queue(const Request& request);
  Response operate(const Request& request);
  Response report(const Request& request);
  std::vector<std::string> destination_names();
  Response explain(const Request& request);

  NodeView& node_;
  std::atomic<unsigned> objects_taken_ = 0;
};

}  // namespace dr::admin
