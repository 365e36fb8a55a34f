#include "router/cli/export.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "dimse/base/file_system.h"
#include "dimse/file/part10_writer.h"
#include "dimse/service/sop_classes.h"
#include "router/cli/command.h"
#include "router/journal/export.h"

namespace dr::cli {
namespace {

using journal::Rescued;

constexpr std::size_t kPiece = 1U << 20;
constexpr const char* kList = "objects.jsonl";

/// Writes files of which the name comes from the spool's own number and a UID that was checked;
/// none is ever replaced.
class Folder final : public journal::Rescue {
 public:
  explicit Folder(FileSystem& files) : files_(files), piece_(kPiece) {}

  /// The list that tells what every file is, and what could not be had.
  Result<void> open() {
    auto list = files_.open(kList, FileSystem::Mode::kCreateNew);
    if (!list) return std::move(list).error();
    list_ = std::move(*list);
    return {};
  }
  Result<void> close() {
    if (auto synced = list_->sync(); !synced) return synced;
    return files_.sync_dir("");
  }

  Result<void> object(const Rescued& object, journal::BodyReader* body, const Error* why) override {
    nlohmann::json line = {{"sequence", value(object.instance)},
                           {"sop_instance_uid", object.record.sop_instance_uid.str()},
                           {"study_instance_uid", object.record.study_instance_uid.str()},
                           {"calling_ae_title", object.record.calling_ae_title.str()}};
    line["states"] = nlohmann::json::object();
    for (const auto& each : object.states) line["states"][each.destination] = name(each.state);
    std::string damage = why != nullptr ? why->to_string() : "";
    if (body != nullptr) {
      std::string file = std::to_string(value(object.instance)) + "-" +
                         object.record.sop_instance_uid.str() + ".dcm";
      auto written = write(object.record, *body, file, damage);
      if (!written) return written;
      line["file"] = file;
    }
    if (!damage.empty()) {
      line["damage"] = damage;
      ++damaged_;
    } else {
      ++whole_;
    }
    return list(line);
  }

  Result<void> lost(journal::Sequence instance, const Error& why) override {
    ++damaged_;
    return list({{"sequence", value(instance)}, {"damage", why.to_string()}});
  }

  std::uint64_t whole() const { return whole_; }
  std::uint64_t damaged() const { return damaged_; }

 private:
  /// A damaged object keeps all octets that can be read, under a name that says so.
  Result<void> write(const journal::ObjectRecord& record, journal::BodyReader& body,
                     std::string& name, std::string& damage) {
    auto file = files_.open(name, FileSystem::Mode::kCreateNew);
    if (!file) return std::move(file).error();
    const Bytes head = file::part10_head(
        {record.sop_class_uid, record.sop_instance_uid, record.transfer_syntax_uid,
         service::implementation_class_uid(), "", record.calling_ae_title});
    std::uint64_t at = 0;
    auto done = append(**file, head, at);
    while (done && damage.empty()) {
      auto n = body.read(piece_);
      if (!n && n.error().code != Errc::kCorrupt) return n.error();
      if (!n) {  // told with the last piece, which is there all the same
        damage = n.error().to_string();
        n = std::min<std::uint64_t>(piece_.size(), body.size() - (at - head.size()));
      }
      if (*n == 0) break;
      done = append(**file, ByteSpan(piece_).first(*n), at);
    }
    if (done) done = (*file)->sync();
    if (!done || damage.empty()) return done;
    const std::string aside = name + ".damaged";
    done = files_.rename_new(name, aside);
    name = aside;
    return done;
  }

  static Result<void> append(File& file, ByteSpan octets, std::uint64_t& at) {
    const std::uint64_t offset = at;
    at += octets.size();
    return file.write_at(offset, std::span(&octets, 1));
  }

  Result<void> list(const nlohmann::json& line) {
    const std::string text = line.dump() + "\n";
    return append(*list_, as_bytes(text), list_octets_);
  }

  FileSystem& files_;
  std::unique_ptr<File> list_;
  std::uint64_t list_octets_ = 0;
  Bytes piece_;
  std::uint64_t whole_ = 0;
  std::uint64_t damaged_ = 0;
};

}  // namespace

int export_journal(const std::string& config_file, const std::string& folder) {
  const auto config = load_or_complain(config_file);
  if (!config) return kNo;
  const std::string spool = config->spool.string();
  const auto failed = [](const std::string& where, const Error& error) {
    complain(where + ": " + (error.code == Errc::kConflict ? "in use, or there already (" : "(") +
             error.to_string() + ")");
    return kCouldNotAsk;
  };
  if (!std::filesystem::is_directory(spool)) {
    complain(spool + ": no spool there");
    return kCouldNotAsk;
  }
  const auto files = open_posix_file_system(spool);
  if (!files) return failed(spool, files.error());
  const auto target = open_posix_file_system(folder);
  if (!target) return failed(folder, target.error());
  Folder out(**target);
  if (const auto opened = out.open(); !opened) return failed(folder, opened.error());
  const auto report = journal::export_objects(**files, SystemClock().now_utc(), out);
  if (!report) return failed(spool, report.error());
  if (const auto closed = out.close(); !closed) return failed(folder, closed.error());
  for (const std::string& finding : report->findings) std::cerr << finding << '\n';
  std::cout << out.whole() << " objects in " << folder << ", " << out.damaged() << " damaged; "
            << kList << " tells what each is\n";
  return out.damaged() == 0 && report->damaged_records == 0 ? kYes : kNo;
}

}  // namespace dr::cli
