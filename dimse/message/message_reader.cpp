#include "dimse/message/message_reader.h"

#include <string>
#include <utility>

namespace dr::message {
namespace {

// Where the octets of a data set go that nobody wants.
class Discard {
 public:
  asio::awaitable<MutableByteSpan> buffer() { co_return MutableByteSpan(scratch_); }
  void filled(std::size_t /*n*/) {}

 private:
  Bytes scratch_ = Bytes(64 * 1024);
};

}  // namespace

MessageReader::MessageReader(std::shared_ptr<ul::Association> association, const Contexts& accepted)
    : association_(std::move(association)), accepted_(accepted) {}

Error MessageReader::out_of_step(std::string why) {
  Error error{Errc::kMalformed, why};
  association_->abort(std::move(why), ul::Ending::kInvalid);
  return error;
}

asio::awaitable<Result<std::optional<Message>>> MessageReader::next(ul::Association::Wait wait) {
  command_.clear();
  between_ = true;
  for (bool last = false; !last;) {
    const Result<ul::Indication> indication =
        co_await association_->next(between_ ? wait : ul::Association::Wait::kFragment);
    const bool first = std::exchange(between_, false);
    if (!indication) co_return indication.error();
    if (indication->kind == ul::Indication::Kind::kReleaseRequest) {
      if (!first) co_return out_of_step("A-RELEASE-RQ within a command set");
      co_return std::optional<Message>();
    }
    if (first) context_ = indication->pdv.id;
    const Result<bool> fragment = co_await read_command_fragment(indication->pdv);
    if (!fragment) co_return fragment.error();
    last = *fragment;
  }
  Result<CommandSet> command = decode_command(command_);
  if (!command) co_return out_of_step(command.error().to_string());
  co_return std::optional<Message>(Message{context_, std::move(command).value()});
}

asio::awaitable<Result<bool>> MessageReader::read_command_fragment(ul::PdvHeader pdv) {
  const auto id = static_cast<std::uint8_t>(pdv.id);
  if (!accepted_[id]) {
    co_return association_->refuse_input(
        6, "presentation context " + std::to_string(id) + " was not accepted");
  }
  if (!pdv.command) co_return out_of_step("data set fragment where a command set begins");
  if (pdv.id != context_) co_return out_of_step("command set changes its presentation context");
  const std::size_t have = command_.size();
  if (pdv.length > kMaxCommandSet - have) {
    co_return out_of_step("command set length=" + std::to_string(have + pdv.length) +
                          " limit=" + std::to_string(kMaxCommandSet));
  }
  command_.resize(have + pdv.length);
  for (std::size_t at = have; at < command_.size();) {
    const Result<std::size_t> n =
        co_await association_->read(MutableByteSpan(command_).subspan(at));
    if (!n) co_return n.error();
    at += *n;
  }
  co_return pdv.last;
}

asio::awaitable<Result<bool>> MessageReader::next_data_fragment() {
  const Result<ul::Indication> indication =
      co_await association_->next(ul::Association::Wait::kFragment);
  if (!indication) co_return indication.error();
  if (indication->kind == ul::Indication::Kind::kReleaseRequest) {
    co_return out_of_step("A-RELEASE-RQ within a data set");
  }
  if (indication->pdv.command) co_return out_of_step("command fragment within a data set");
  if (indication->pdv.id != context_) {
    co_return out_of_step("data set changes its presentation context");
  }
  co_return indication->pdv.last;
}

asio::awaitable<Result<std::uint64_t>> MessageReader::skip_data_set() {
  Discard discard;
  co_return co_await data_set(discard);
}

}  // namespace dr::message
