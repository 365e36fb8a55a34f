#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <httplib.h>

#include "test/support/router.h"

namespace dr::test {

/// The value of a metric, as it stands in the text.
inline std::string metric(const Router& router, const std::string& name) {
  httplib::Client client("127.0.0.1", router.admin_port());
  const auto answer = client.Get("/metrics");
  if (!answer) return "no answer";
  const auto at = answer->body.find("\n" + name + " ");
  if (at == std::string::npos) return "";
  const auto value = at + name.size() + 2;
  return answer->body.substr(value, answer->body.find('\n', value) - value);
}

/// Asked until it is so, for a minute unless told otherwise.
inline testing::AssertionResult soon(const std::function<bool()>& so,
                                     std::chrono::milliseconds most = std::chrono::minutes(1)) {
  const auto end = std::chrono::steady_clock::now() + most;
  do {
    if (so()) return testing::AssertionSuccess();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (std::chrono::steady_clock::now() < end);
  return testing::AssertionFailure() << "not within " << most.count() << " ms";
}

}  // namespace dr::test
