#include "test/support/storescp.h"

#include <algorithm>
#include <utility>

#include "test/support/port.h"

namespace dr::test {

Storescp::Storescp(std::vector<std::string> extra) : extra_(std::move(extra)), port_(free_port()) {
  start();
}

void Storescp::start() {
  std::vector<std::string> argv = {"storescp", "+B", "+xa", "-pm", "-od", folder_.path()};
  argv.insert(argv.end(), extra_.begin(), extra_.end());
  argv.push_back(std::to_string(port_));
  process_ = std::make_unique<Process>(
      Command{std::move(argv), {"TCP_NODELAY=1"}, {}, log_ / "output", {}});
  wait_until_ready(*process_, [this] { return is_listening(port_); });
}

void Storescp::stop() { process_->stop(); }

std::vector<std::filesystem::path> Storescp::files() const {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    if (entry.is_regular_file()) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace dr::test
