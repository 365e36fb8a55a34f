#include "router/extraction/tasks.h"

#include <algorithm>
#include <array>
#include <future>
#include <utility>

#include <openssl/sha.h>

#include "router/extraction/octets.h"

namespace dr::extraction {
namespace {

constexpr std::size_t kMostJson = 256U << 20;
constexpr std::size_t kMostOctets = 512U << 20;  // of records, of an object
constexpr std::size_t kMostDoses = worker::kMaxDescriptors - 2 - std::size_t(Output::kCount);

using Files = std::vector<worker::Descriptor>;

/// 2.25 and the first 128 bits of a digest (PS3.5 B.2).
Uid derived_uid(const std::string& text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  __extension__ using Number = unsigned __int128;
  Number number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i) number = number << 8 | digest.at(i);
  std::string digits;
  do {
    digits += static_cast<char>('0' + static_cast<int>(number % 10));
    number /= 10;
  } while (number != 0);
  return uid_literal("2.25." + std::string(digits.rbegin(), digits.rend()));
}

Result<Made> made_of(const Files& files) {
  const auto read = [&](Output which, std::size_t most) {
    return read_all(files.at(static_cast<std::size_t>(which)).get(), most);
  };
  Made made;
  const auto json = read(Output::kJson, kMostJson);
  if (!json) return json.error();
  made.json = as_text(*json);
  const auto records = read(Output::kRecords, kMostOctets);
  auto heads = records ? split_records(*records) : Result<std::vector<Bytes>>(records.error());
  if (!heads) return heads.error();
  made.records = *std::move(heads);
  for (const auto& [which, into] :
       {std::pair(Output::kSegmentation, &made.segmentation), {Output::kReport, &made.report}}) {
    auto octets = read(which, kMostOctets);
    if (!octets) return octets.error();
    *into = *std::move(octets);
  }
  return made;
}

}  // namespace

rtstruct::ResultUids result_uids(const Uid& structure_set) {
  const auto make = [&](const char* what) {
    return derived_uid(std::string("dicom-router ") + what + " " + structure_set.str());
  };
  return {make("segmentation"), make("segmentation series"), make("report"), make("report series")};
}

Tasks::Tasks(const Inputs& inputs, const Clock& clock, worker::Settings workers,
             std::function<void(Finished)> ended)
    : inputs_(inputs), clock_(clock), ended_(std::move(ended)), pool_(std::move(workers)) {}

Result<worker::Order> Tasks::order(const Job& job, const Request& request, const Site* site) const {
  worker::Order order;
  order.kind = kJob;
  order.request = encode(request);
  auto structure_set = inputs_.open(job.instance);
  if (!structure_set) return structure_set.error();
  order.inputs.push_back(*std::move(structure_set));
  if (site == nullptr) return order;
  auto around = unnamed_file(inputs_.folder());
  if (!around) return around.error();
  if (auto written = write_all(around->get(), encode(*site)); !written) return written.error();
  order.inputs.push_back(*std::move(around));
  return order;
}

Result<void> Tasks::begin_references(const Job& job) {
  Request request;
  request.transfer_syntax_uid = job.transfer_syntax_uid;
  auto made = order(job, request, nullptr);
  if (!made) return std::move(made).error();
  const UtcMicros started = clock_.now_utc();
  return pool_.submit({*std::move(made), [this, instance = job.instance, started](auto answer) {
                         Finished finished{instance, {}, {}, Task::kReferences, started, {}};
                         finished.references = answer ? decode_references(*answer)
                                                      : Result<References>(answer.error());
                         finished.finished = clock_.now_utc();
                         ended_(std::move(finished));
                       }});
}

Result<void> Tasks::begin_extract(const Job& job, const Site& site, std::span<const DoseOf> doses,
                                  Objects objects) {
  Request request;
  request.task = Task::kExtract;
  request.transfer_syntax_uid = job.transfer_syntax_uid;
  request.segmentation = objects.segmentation;
  request.report = objects.report;
  request.uids = result_uids(job.sop_instance_uid);
  Files dose_files;
  for (const DoseOf& each : doses.first(std::min(doses.size(), kMostDoses))) {
    auto file = inputs_.open(each.dose.instance);
    if (!file && file.error().code == Errc::kNotFound) continue;  // forgotten
    if (!file) return std::move(file).error();
    request.doses.push_back({each.dose.transfer_syntax_uid, each.link});
    dose_files.push_back(*std::move(file));
  }
  auto made = order(job, request, &site);
  if (!made) return std::move(made).error();
  std::ranges::move(dose_files, std::back_inserter(made->inputs));
  auto files = std::make_shared<Files>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(Output::kCount); ++i) {
    auto file = unnamed_file(inputs_.folder());
    if (!file) return std::move(file).error();
    made->outputs.push_back(duplicate(*file));
    files->push_back(*std::move(file));
  }
  const UtcMicros started = clock_.now_utc();
  return pool_.submit(
      {*std::move(made), [this, instance = job.instance, started, files](auto answer) {
         Finished finished{instance, {}, {}, Task::kExtract, started, {}};
         finished.made = answer ? made_of(*files) : Result<Made>(answer.error());
         finished.finished = clock_.now_utc();
         ended_(std::move(finished));
       }});
}

Result<Bytes> Tasks::mask(const Job& job, const Site& site, std::int32_t roi_number) {
  Request request;
  request.task = Task::kMask;
  request.transfer_syntax_uid = job.transfer_syntax_uid;
  request.roi_number = roi_number;
  auto made = order(job, request, &site);
  if (!made) return made.error();
  auto file = unnamed_file(inputs_.folder());
  if (!file) return file.error();
  made->outputs.push_back(duplicate(*file));
  std::promise<Result<Bytes>> promise;
  auto future = promise.get_future();
  auto begun = pool_.submit(
      {*std::move(made), [&promise](auto answer) { promise.set_value(std::move(answer)); }});
  if (!begun) return std::move(begun).error();
  if (auto answer = future.get(); !answer) return answer;
  return read_all(file->get(), kMostOctets);
}

}  // namespace dr::extraction
