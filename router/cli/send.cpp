#include <algorithm>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>
#include <unistd.h>

#include "dimse/base/log.h"
#include "dimse/file/part10_reader.h"
#include "router/cli/command.h"
#include "router/cli/scu.h"

namespace dr::cli {
namespace {

using service::ProposedContext;

constexpr std::size_t kMostContexts = 128;  // PS3.8 9.3.2.2: odd numbers from 1 to 255
constexpr std::size_t kReadSize = 1U << 20;

struct FileToSend {
  std::string path;
  ProposedContext context;
  Uid sop_instance_uid;
};

/// What became of one file.
struct Sent {
  std::string path;
  std::optional<std::uint16_t> status;
  std::string error;  // empty: status says it
  bool good() const {
    return status && (*status == 0 || (*status & 0xf000) == 0xb000);  // success or warning
  }
};

/// Every regular file of the paths, in name order.
std::vector<std::string> all_files(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> inside;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) inside.push_back(entry.path().string());
    }
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

/// The data set of a file, as it lies there.
class FileSource final : public service::DataSetSource {
 public:
  explicit FileSource(const file::Part10Reader& reader) : reader_(reader), buffer_(kReadSize) {}
  asio::awaitable<Result<ByteSpan>> next() override {
    const auto n = reader_.read(offset_, buffer_);
    if (!n) co_return n.error();
    offset_ += *n;
    co_return ByteSpan(buffer_).first(*n);
  }

 private:
  const file::Part10Reader& reader_;
  Bytes buffer_;
  std::uint64_t offset_ = 0;
};

class Sender {
 public:
  Sender(asio::any_io_executor executor, service::Peer peer, bool progress)
      : executor_(std::move(executor)), peer_(std::move(peer)), progress_(progress) {}

  /// False: the destination could not be asked; what was not sent stands in `sent` as such.
  asio::awaitable<bool> run(std::vector<FileToSend> files, std::vector<Sent>& sent) {
    total_ = files.size();
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (scu_ == nullptr || !scu_->open() || !scu_->proposed(files[i].context)) {
        if (auto opened = co_await associate(files, i); !opened) {
          for (; i < files.size(); ++i) {
            sent.push_back({files[i].path, {}, opened.error().to_string()});
          }
          co_return false;
        }
      }
      sent.push_back(co_await send(files[i]));
      show(i + 1);
    }
    if (scu_ != nullptr && scu_->open()) co_await scu_->release();
    co_return true;
  }

 private:
  /// For as many of the files from `first` on as the contexts of one association allow.
  asio::awaitable<Result<void>> associate(const std::vector<FileToSend>& files, std::size_t first) {
    if (scu_ != nullptr && scu_->open()) co_await scu_->release();
    std::vector<ProposedContext> contexts;
    for (std::size_t i = first; i < files.size() && contexts.size() < kMostContexts; ++i) {
      if (std::ranges::find(contexts, files[i].context) == contexts.end()) {
        contexts.push_back(files[i].context);
      }
    }
    auto scu = co_await service::StorageScu::associate(executor_, peer_, std::move(contexts));
    if (!scu) co_return scu.error();
    scu_ = *std::move(scu);
    co_return Result<void>();
  }

  asio::awaitable<Sent> send(const FileToSend& file) {
    Sent sent{file.path, {}, {}};
    if (!scu_->accepted(file.context)) {
      sent.error = "presentation context not accepted";
      co_return sent;
    }
    const auto reader = file::Part10Reader::open(file.path);
    if (!reader) {
      sent.error = reader.error().to_string();
      co_return sent;
    }
    FileSource source(*reader);
    const auto outcome = co_await scu_->store(file.context, file.sop_instance_uid, source);
    if (outcome.error) {
      sent.error = outcome.error->to_string();
    } else {
      sent.status = outcome.status;
    }
    co_return sent;
  }

  void show(std::size_t done) const {
    if (progress_) std::cerr << '\r' << done << " of " << total_ << (done == total_ ? "\n" : "");
  }

  asio::any_io_executor executor_;
  service::Peer peer_;
  bool progress_;
  std::size_t total_ = 0;
  std::unique_ptr<service::StorageScu> scu_;
};

std::string text_of(const Sent& sent) {
  if (!sent.status) return sent.error;
  char text[16];
  std::snprintf(text, sizeof text, "%04XH", *sent.status);
  return text;
}

int report(const std::vector<Sent>& all, bool asked, bool json) {
  const auto good = static_cast<std::size_t>(std::ranges::count_if(all, &Sent::good));
  if (json) {
    nlohmann::json files = nlohmann::json::array();
    for (const Sent& sent : all) {
      files.push_back({{"file", sent.path}, {"ok", sent.good()}, {"answer", text_of(sent)}});
    }
    print_json({{"sent", good}, {"failed", all.size() - good}, {"files", files}});
  } else {
    for (const Sent& sent : all) {
      if (!sent.good()) complain(sent.path + ": " + text_of(sent));
    }
    std::cout << good << " sent, " << all.size() - good << " not\n";
  }
  if (!asked) return kCouldNotAsk;
  return good == all.size() ? kYes : kNo;
}

int send(const std::string& file, const std::string& name, const std::vector<std::string>& paths,
         bool json) {
  const auto config = load_or_complain(file);
  if (!config) return kNo;
  const auto* destination = find_destination(*config, name);
  if (destination == nullptr) return kUsage;
  if (destination->kind != delivery::Kind::kDimse) {
    complain("'" + name + "' is a folder: copy the files there");
    return kUsage;
  }
  std::vector<Sent> outcomes;
  std::vector<FileToSend> files;
  for (const std::string& path : all_files(paths)) {
    const auto reader = file::Part10Reader::open(path);
    if (!reader) {
      outcomes.push_back({path, {}, reader.error().to_string()});
      continue;
    }
    const auto& head = reader->header();
    files.push_back({path, {head.sop_class_uid, head.transfer_syntax_uid}, head.sop_instance_uid});
  }
  bool asked = true;
  if (!files.empty()) {
    asio::io_context context;
    Sender sender(context.get_executor(), peer_of(*destination), !json && ::isatty(2) == 1);
    asked = run_to_end(context, sender.run(std::move(files), outcomes));
  }
  return report(outcomes, asked, json);
}

}  // namespace

void add_send(CLI::App& app, Action& action) {
  struct Options {
    std::string file;
    std::string destination;
    std::vector<std::string> paths;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("send", "send files or folders to a destination, as they are");
  add_config_option(*command, options->file);
  command->add_option("destination", options->destination)->required()->type_name("DESTINATION");
  command->add_option("path", options->paths, "files or folders")
      ->required()
      ->check(CLI::ExistingPath);
  command->add_flag("--json", options->json, "one JSON document");
  command->callback([options, &action] {
    action = [options] {
      return send(options->file, options->destination, options->paths, options->json);
    };
  });
}

}  // namespace dr::cli
