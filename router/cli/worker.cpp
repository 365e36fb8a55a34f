#include "router/cli/command.h"
#include "router/rules/transform_job.h"
#include "router/worker/serve.h"

namespace dr::cli {
namespace {

int work() {
  return worker::serve({{std::string(rules::kTransformJob), rules::prepare_transforms,
                         [](const worker::Request& request) {
                           return rules::run_transform(request.octets, request.inputs,
                                                       request.outputs);
                         }}});
}

}  // namespace

void add_worker(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("worker", "a sandboxed worker of a node")->group("");
  command->callback([&action] { action = [] { return work(); }; });
}

}  // namespace dr::cli
