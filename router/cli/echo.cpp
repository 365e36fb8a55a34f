#include <chrono>
#include <iostream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "router/cli/command.h"
#include "router/cli/scu.h"
#include "router/delivery/http_client.h"

namespace dr::cli {

service::Peer peer_of(const delivery::DestinationSettings& destination) {
  return {.host = destination.host,
          .port = destination.port,
          .called_ae_title = destination.ae_title,
          .calling_ae_title = destination.calling_ae_title,
          .max_pdu = destination.max_pdu,
          .connect_timeout = destination.connect_timeout,
          .response_timeout = destination.response_timeout,
          .progress_timeout = destination.progress_timeout};
}

namespace {

/// What an echo came to: nothing wrong, or why not; could it be asked at all.
struct Answer {
  Answer() = default;
  Answer(int code, std::string what) : exit(code), text(std::move(what)) {}
  int exit = kYes;
  std::string text;
};

service::ProposedContext verification_context() {
  return {uid_literal("1.2.840.10008.1.1"), uid_literal("1.2.840.10008.1.2")};
}

asio::awaitable<Answer> verify(asio::any_io_executor executor,
                               const delivery::DestinationSettings& destination) {
  std::vector<service::ProposedContext> contexts(1, verification_context());
  auto scu =
      co_await service::StorageScu::associate(executor, peer_of(destination), std::move(contexts));
  if (!scu) {
    const bool answered = scu.error().code == Errc::kRejected;
    co_return Answer(answered ? kNo : kCouldNotAsk, scu.error().to_string());
  }
  if (!(*scu)->accepted(verification_context())) {
    co_await (*scu)->release();
    co_return Answer(kNo, "the Verification presentation context was not accepted");
  }
  const auto status = co_await (*scu)->echo();
  if (!status) co_return Answer(kCouldNotAsk, status.error().to_string());
  co_await (*scu)->release();
  if (*status != 0) co_return Answer(kNo, "status " + std::to_string(*status));
  co_return Answer(kYes, "status 0000H");
}

Answer verify_folder(const std::string& path) {
  if (::access(path.c_str(), W_OK | X_OK) == 0) return {kYes, "writable"};
  const std::error_code ec(errno, std::generic_category());
  return {kNo, path + ": " + ec.message()};
}

Answer verify_http(const delivery::DestinationSettings& destination) {
  const auto said = delivery::http_echo(destination);
  if (said) return {kYes, *said};
  return {kNo, delivery::place(destination) + ": " + said.error().detail};
}

int echo(const std::string& file, const std::string& name, bool json) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  const auto* destination = find_destination(*config, name);
  if (destination == nullptr) return kUsage;
  const auto started = std::chrono::steady_clock::now();
  asio::io_context context;
  const Answer answer = destination->kind == delivery::Kind::kFolder
                            ? verify_folder(destination->path)
                        : delivery::is_http(destination->kind)
                            ? verify_http(*destination)
                            : run_to_end(context, verify(context.get_executor(), *destination));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - started);
  if (json) {
    print_json({{"destination", name},
                {"ok", answer.exit == kYes},
                {"answer", answer.text},
                {"milliseconds", took.count()}});
  } else if (answer.exit == kYes) {
    std::cout << name << ": " << answer.text << ", " << took.count() << " ms\n";
  } else {
    complain(name + ": " + answer.text);
  }
  return answer.exit;
}

}  // namespace

void add_echo(CLI::App& app, Action& action) {
  struct Options {
    std::string file;
    std::string destination;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("echo", "C-ECHO with the destination's own settings");
  add_config_option(*command, options->file);
  command->add_option("destination", options->destination)->required()->type_name("DESTINATION");
  command->add_flag("--json", options->json, "one JSON document");
  command->callback([options, &action] {
    action = [options] { return echo(options->file, options->destination, options->json); };
  });
}

}  // namespace dr::cli
