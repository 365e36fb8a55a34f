#include "dimse/service/storage_scp.h"

#include <algorithm>
#include <array>
#include <utility>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/use_awaitable.hpp>

#include "dimse/message/command_set.h"
#include "dimse/message/status.h"
#include "dimse/service/sop_classes.h"

namespace dr::service {
namespace {

namespace status = message::status;
using message::Command;
using ul::Association;

constexpr auto kUse = asio::experimental::as_tuple(asio::use_awaitable);

message::MessageReader::Contexts accepted_ids(const ul::AcceptedContexts& contexts) {
  message::MessageReader::Contexts accepted{};
  for (std::size_t id = 0; id < contexts.size(); ++id) accepted[id] = contexts[id].has_value();
  return accepted;
}

// PS3.7 9.3.1.2 and 9.3.5.2: what every response repeats of its request.
message::CommandSet response_to(const message::CommandSet& request, std::uint16_t code) {
  message::CommandSet response;
  response.affected_sop_class_uid = request.affected_sop_class_uid;
  if (response.affected_sop_class_uid && response.affected_sop_class_uid->empty()) {
    response.affected_sop_class_uid.reset();
  }
  response.command_field = message::response_to(*request.command_field);
  response.message_id_being_responded_to = request.message_id;
  response.command_data_set_type = message::kNoDataSet;
  response.status = code;
  return response;
}

bool is_known(Command command) {
  switch (command) {
    case Command::kCGetRq:
    case Command::kCFindRq:
    case Command::kCMoveRq:
    case Command::kNEventReportRq:
    case Command::kNGetRq:
    case Command::kNSetRq:
    case Command::kNActionRq:
    case Command::kNCreateRq:
    case Command::kNDeleteRq:
      return true;
    default:
      return false;
  }
}

}  // namespace

StorageScp::StorageScp(std::shared_ptr<Association> association,
                       std::shared_ptr<const AssociationInfo> info, Options options,
                       Handler& handler)
    : association_(std::move(association)),
      info_(std::move(info)),
      options_(std::move(options)),
      handler_(handler),
      reader_(association_, accepted_ids(*options_.contexts)),
      answered_(association_->transport().executor(), asio::steady_timer::time_point::max()) {}

asio::awaitable<void> StorageScp::run() {
  association_->on_response_timeout([this] { on_response_timeout(); });
  association_->on_ended([this] { answered_.cancel(); });
  for (bool going = true; going;) {
    co_await wait_until_outstanding_below(options_.window);
    if (stopping_) {
      co_await wait_until_outstanding_below(1);
      association_->abort("this node is stopping");
      break;
    }
    Result<std::optional<message::Message>> message =
        co_await reader_.next(Association::Wait::kMessage);
    if (!message) break;
    if (!*message) {  // A-RELEASE-RQ: what is outstanding is answered first (AR-7)
      co_await wait_until_outstanding_below(1);
      association_->respond_release();
      break;
    }
    going = co_await handle(std::move(**message));
  }
  association_->on_response_timeout(nullptr);
  association_->on_ended(nullptr);
}

void StorageScp::stop() {
  stopping_ = true;
  abort_if_drained();
}

void StorageScp::abort_if_drained() {
  if (stopping_ && reader_.between_messages() && outstanding_.empty()) {
    association_->abort("this node is stopping");
  }
}

// Each handler: false when the association is of no more use.
asio::awaitable<bool> StorageScp::handle(message::Message message) {
  const message::CommandSet& command = message.command;
  if (command.command_field && message::is_response(*command.command_field)) {
    association_->abort("a response to nothing", ul::Ending::kInvalid);
    co_return false;
  }
  if (command.command_field == Command::kCCancelRq) co_return true;  // nothing here takes long
  // Without these nobody can tell what a response would answer, or whether a data set follows.
  if (!command.command_field || !command.message_id || !command.command_data_set_type) {
    association_->abort("command set without field, message ID or data set type",
                        ul::Ending::kInvalid);
    co_return false;
  }
  if (is_outstanding(*command.message_id)) {
    co_return co_await refuse(std::move(message), status::kDuplicateInvocation);
  }
  switch (*command.command_field) {
    case Command::kCStoreRq:
      co_return co_await store(std::move(message));
    case Command::kCEchoRq:
      co_return co_await echo(std::move(message));
    default:
      break;
  }
  // A service that exists, but in no context of this association, or none at all (PS3.7 C.5).
  const bool known = is_known(*command.command_field);
  co_return co_await refuse(std::move(message),
                            known ? status::kSopClassNotSupported : status::kUnrecognizedOperation);
}

asio::awaitable<bool> StorageScp::refuse(message::Message message, std::uint16_t code) {
  message::CommandSet response = response_to(message.command, code);
  const bool store = message.command.command_field == Command::kCStoreRq;
  if (store && message.command.affected_sop_instance_uid &&
      !message.command.affected_sop_instance_uid->empty()) {
    response.affected_sop_instance_uid = message.command.affected_sop_instance_uid;
  }
  if (message.command.has_data_set()) {
    const Result<std::uint64_t> skipped = co_await reader_.skip_data_set();
    if (!skipped) co_return false;
    octets_ += *skipped;
  }
  if (!co_await respond(message.context, std::move(response))) co_return false;
  if (store) {
    ++objects_;
    handler_.responded(*info_, code, 0.0);
  }
  co_return true;
}

asio::awaitable<bool> StorageScp::echo(message::Message message) {
  const auto& context = (*options_.contexts)[static_cast<std::uint8_t>(message.context)];
  const auto& sop_class = message.command.affected_sop_class_uid;
  std::uint16_t code = status::kSuccess;
  if (!sop_class || message.command.mistyped) {
    code = status::kMistypedArgument;
  } else if (*sop_class != context->abstract_syntax || *sop_class != kVerification) {
    code = status::kSopClassNotSupported;
  }
  co_return co_await refuse(std::move(message), code);
}

std::uint16_t StorageScp::judge_store(const message::Message& message) const {
  const message::CommandSet& command = message.command;
  const auto& context = (*options_.contexts)[static_cast<std::uint8_t>(message.context)];
  if (command.mistyped || !command.affected_sop_class_uid || !command.affected_sop_instance_uid ||
      !command.has_data_set()) {
    return status::kMistypedArgument;
  }
  if (*command.affected_sop_class_uid != context->abstract_syntax ||
      !is_storage(context->abstract_syntax)) {
    return status::kSopClassNotSupported;
  }
  if (command.affected_sop_instance_uid->empty()) return status::kInvalidSopInstance;
  return status::kSuccess;
}

asio::awaitable<bool> StorageScp::store(message::Message message) {
  const std::uint16_t code = judge_store(message);
  if (code != status::kSuccess) co_return co_await refuse(std::move(message), code);

  auto store = std::make_shared<Outstanding>();
  store->message_id = *message.command.message_id;
  store->context = message.context;
  store->sop_class = *message.command.affected_sop_class_uid;
  store->sop_instance = *message.command.affected_sop_instance_uid;
  const auto& context = (*options_.contexts)[static_cast<std::uint8_t>(message.context)];
  store->sink = handler_.begin_store(StoreRequest{
      .association = info_,
      .message_id = store->message_id,
      .affected_sop_class_uid = store->sop_class,
      .affected_sop_instance_uid = store->sop_instance,
      .transfer_syntax_uid = context->transfer_syntax,
  });
  const Result<std::uint64_t> received = co_await reader_.data_set(*store->sink);
  if (!received) co_return false;  // with `store` the sink dies unfinished: no trace of the object
  octets_ += *received;

  store->received = association_->watchdog().now();
  store->deadline = store->received + options_.response;
  outstanding_.push_back(store);
  watch_oldest();
  asio::co_spawn(association_->transport().executor(), finish(shared_from_this(), store),
                 asio::detached);
  co_return true;
}

bool StorageScp::is_outstanding(std::uint16_t message_id) const {
  return std::any_of(outstanding_.begin(), outstanding_.end(),
                     [&](const auto& store) { return store->message_id == message_id; });
}

asio::awaitable<void> StorageScp::finish(std::shared_ptr<StorageScp> self, OutstandingPtr store) {
  StoreResponse response = co_await store->sink->finish();
  store->sink.reset();
  if (!store->answered) co_await self->answer(store, std::move(response));
}

asio::awaitable<void> StorageScp::answer_late(std::shared_ptr<StorageScp> self,
                                              OutstandingPtr store) {
  // Named: g++ 12 destroys a braced temporary within a co_await expression twice.
  StoreResponse response{.status = status::kOutOfResources,
                         .error_comment = "not durable in time; still being stored"};
  co_await self->answer(std::move(store), std::move(response));
}

asio::awaitable<void> StorageScp::answer(OutstandingPtr store, StoreResponse result) {
  store->answered = true;
  message::CommandSet response;
  response.affected_sop_class_uid = store->sop_class;
  response.command_field = Command::kCStoreRsp;
  response.message_id_being_responded_to = store->message_id;
  response.command_data_set_type = message::kNoDataSet;
  response.status = result.status;
  if (!result.error_comment.empty()) response.error_comment = std::move(result.error_comment);
  response.affected_sop_instance_uid = store->sop_instance;
  const bool sent = co_await respond(store->context, std::move(response));
  outstanding_.remove(store);
  watch_oldest();
  answered_.cancel();
  abort_if_drained();
  if (!sent) co_return;
  ++objects_;
  const std::chrono::duration<double> taken = association_->watchdog().now() - store->received;
  handler_.responded(*info_, result.status, taken.count());
}

void StorageScp::watch_oldest() {
  const auto oldest = std::find_if(outstanding_.begin(), outstanding_.end(),
                                   [](const auto& store) { return !store->answered; });
  if (oldest == outstanding_.end()) {
    association_->watchdog().clear(ul::Watchdog::kResponse);
  } else {
    association_->watchdog().set_at(ul::Watchdog::kResponse, (*oldest)->deadline);
  }
}

void StorageScp::on_response_timeout() {
  const SteadyTime now = association_->watchdog().now();
  for (const OutstandingPtr& store : outstanding_) {
    if (store->answered || store->deadline > now) continue;
    store->answered = true;
    asio::co_spawn(association_->transport().executor(), answer_late(shared_from_this(), store),
                   asio::detached);
  }
  watch_oldest();
}

asio::awaitable<bool> StorageScp::respond(ul::PresentationContextId context,
                                          message::CommandSet response) {
  const Bytes command = message::encode_command(response);
  const auto header =
      ul::p_data_header(context, true, true, static_cast<std::uint32_t>(command.size()));
  const std::array parts{asio::buffer(header), asio::buffer(command)};
  const Result<void> written = co_await association_->write(parts);
  co_return written.ok();
}

asio::awaitable<void> StorageScp::wait_until_outstanding_below(std::size_t limit) {
  while (outstanding_.size() >= limit && association_->writable()) {
    (void)co_await answered_.async_wait(kUse);
  }
}

}  // namespace dr::service
