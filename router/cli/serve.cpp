#include <csignal>
#include <iostream>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include "dimse/base/log.h"
#include "router/cli/command.h"
#include "router/log_sink.h"
#include "router/node.h"

namespace dr::cli {
namespace {

/// What a person at the terminal wants to know first.
void announce(const Node& node, const Config& config) {
  for (const Endpoint& endpoint : node.endpoints()) {
    const bool admin = endpoint.name == "admin";
    std::cout << (admin ? "admin    http://" : "DICOM    ") << endpoint.address << ':'
              << endpoint.port << (admin ? "/healthz /readyz /metrics /api/v1/status" : "  (")
              << (admin ? "" : endpoint.name + ")") << '\n';
  }
  for (const auto& destination : config.destinations) {
    std::cout << "delivers " << destination.name << " -> " << delivery::place(destination) << '\n';
  }
  std::cout << "spool    " << config.spool.string() << '\n';
  if (config.sqlite) std::cout << "audit    " << config.sqlite->string() << '\n';
  const auto endpoints = node.endpoints();
  if (!config.listeners.empty()) {
    std::cout << "try      storescu -aec " << config.ae_title.view() << " 127.0.0.1 "
              << endpoints.front().port << " FILE.dcm\n"
              << "         dicom-router trace UID · dicom-router queue list\n";
  }
  std::cout << "ready" << std::endl;  // flushed: scripts wait for this line
}

int serve(const std::string& file, bool verbose) {
  log_to_stderr(verbose ? log::Level::kDebug : log::Level::kInfo);
  auto config = load_or_complain(file);
  if (!config) return kNo;
  auto rules = rules::RuleSet::load(config->rules.string(), config->site());
  print(rules.diagnostics);
  if (!rules.rules) return kNo;

  // Before any thread exists: a signal that comes while the node starts is answered after it.
  asio::io_context signals;
  asio::signal_set stop(signals, SIGTERM, SIGINT);
  asio::signal_set reload(signals, SIGHUP);

  const SystemClock clock;
  auto node = Node::start(*config, rules.rules, clock);
  if (!node) {
    complain(node.error().to_string());
    return kCouldNotAsk;
  }
  announce(**node, *config);
  std::function<void()> await_reload = [&] {
    reload.async_wait([&](const std::error_code& ec, int /*signal*/) {
      if (ec) return;
      (*node)->reload_rules("signal");
      await_reload();
    });
  };
  await_reload();
  stop.async_wait([&](const std::error_code& /*ec*/, int /*signal*/) {
    (*node)->stop();
    signals.stop();
  });
  signals.run();
  return kYes;
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  struct Options {
    std::string file;
    bool verbose = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("serve", "run the node; SIGHUP reloads the rules, SIGTERM stops");
  add_config_option(*command, options->file);
  command->add_flag("-v,--verbose", options->verbose, "log every object and attempt");
  command->callback([options, &action] {
    action = [options] { return serve(options->file, options->verbose); };
  });
}

}  // namespace dr::cli
