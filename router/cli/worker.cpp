#include "router/cli/command.h"
#include "router/worker/serve.h"

namespace dr::cli {

void add_worker(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("worker", "a sandboxed worker of a node")->group("");
  command->callback([&action] { action = [] { return worker::serve({}); }; });
}

}  // namespace dr::cli
