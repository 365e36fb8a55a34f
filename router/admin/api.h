#pragma once

#include <map>
#include <string>

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

/// What the admin interface answers: see README.md, and "HTTP" in the interface description. Knows
/// nothing of who may ask. Any thread; may wait for a disk. `node` must outlive it.
class Api {
 public:
  explicit Api(NodeView& node) : node_(node) {}
  Response handle(const Request& request);

 private:
  Response get(const Request& request);
  Response forget(const Request& request);
  Response readyz();
  Response status();
  Response destinations();
  Response trace(const std::string& uid);
  Response queue(const Request& request);

  NodeView& node_;
};

}  // namespace dr::admin
