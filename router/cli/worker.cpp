#include "router/cli/command.h"
#include "router/extraction/job.h"
#include "router/rules/transform_explain.h"
#include "router/rules/transform_job.h"
#include "router/worker/serve.h"

namespace dr::cli {
namespace {

int work() {
  const auto transform = [](const worker::Request& request) {
    return rules::run_transform(request.octets, request.inputs, request.outputs);
  };
  const auto explain = [](const worker::Request& request) {
    return rules::explain_transform(request.octets, request.inputs, request.outputs);
  };
  const auto extract = [](const worker::Request& request) {
    return extraction::run_job(request.octets, request.inputs, request.outputs);
  };
  return worker::serve({{std::string(rules::kTransformJob), rules::prepare_transforms, transform},
                        {std::string(rules::kExplainTransformJob), {}, explain},
                        {std::string(extraction::kJob), extraction::prepare_jobs, extract}});
}

}  // namespace

void add_worker(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("worker", "a sandboxed worker of a node")->group("");
  command->callback([&action] { action = [] { return work(); }; });
}

}  // namespace dr::cli
