// A worker for the tests of transformed copies; its argument says how it fails, if it does.

#include <csignal>
#include <string>
#include <string_view>

#include <poll.h>

#include "router/rules/transform_explain.h"
#include "router/rules/transform_job.h"
#include "router/worker/serve.h"

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const auto run = [mode](const dr::worker::Request& request) {
    if (mode == "crash") {
      std::signal(SIGSEGV, SIG_DFL);  // sanitizers would report it and leave
      std::raise(SIGSEGV);
    }
    while (mode == "hang") poll(nullptr, 0, -1);
    return dr::rules::run_transform(request.octets, request.inputs, request.outputs);
  };
  const auto explain = [](const dr::worker::Request& request) {
    return dr::rules::explain_transform(request.octets, request.inputs, request.outputs);
  };
  return dr::worker::serve(
      {{std::string(dr::rules::kTransformJob), dr::rules::prepare_transforms, run},
       {std::string(dr::rules::kExplainTransformJob), {}, explain}});
}
