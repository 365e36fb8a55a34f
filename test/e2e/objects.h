#pragma once

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "dimse/file/part10_reader.h"
#include "test/support/dicom_objects.h"
#include "test/support/process.h"

namespace dr::test {

/// The data set of a file, as it lies there.
inline Bytes data_set(const std::filesystem::path& path) {
  const auto reader = file::Part10Reader::open(path.string());
  if (!reader) throw std::runtime_error(path.string() + ": " + reader.error().to_string());
  Bytes octets(reader->data_set_length());
  if (const auto n = reader->read(0, octets); !n || *n != octets.size()) {
    throw std::runtime_error(path.string() + ": can not be read");
  }
  return octets;
}

/// The data set of a file as an SCU sends it: deflated ones have an even length (PS3.5 A.5).
inline Bytes sent_data_set(const std::filesystem::path& path) {
  Bytes octets = data_set(path);
  const Uid syntax = file::Part10Reader::open(path.string())->header().transfer_syntax_uid;
  if (syntax == "1.2.840.10008.1.2.1.99" && octets.size() % 2 != 0) octets.emplace_back();
  return octets;
}

/// Whether DCMTK finds a SOP Instance UID in the data set: what has none is no object.
inline bool names_its_instance(const std::filesystem::path& path) {
  return !run({"dcmdump", "-q", "+P", "0008,0018", path.string()}).output.empty();
}

inline std::vector<std::filesystem::path> files_below(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

/// All data sets below a folder, by SOP Instance UID.
inline std::multimap<std::string, Bytes> stored(const std::filesystem::path& folder) {
  std::multimap<std::string, Bytes> all;
  for (const auto& path : files_below(folder)) {
    const auto reader = file::Part10Reader::open(path.string());
    if (!reader) {
      ADD_FAILURE() << path << ": " << reader.error().to_string();
      continue;
    }
    all.emplace(reader->header().sop_instance_uid.str(), data_set(path));
  }
  return all;
}

inline bool holds(const std::multimap<std::string, Bytes>& all, const std::string& uid,
                  const Bytes& octets) {
  const auto [first, last] = all.equal_range(uid);
  return std::any_of(first, last, [&](const auto& entry) { return entry.second == octets; });
}

/// One object to send.
struct Sample {
  std::filesystem::path path;
  std::string uid;
};

/// In each round every SOP Instance UID stands once: what shares one is sent one after another.
using Rounds = std::vector<std::vector<Sample>>;

/// Small objects in the encodings that DCMTK's dcmconv makes, where there are no real ones.
inline std::vector<std::filesystem::path> own_objects(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  const std::vector<std::string> options{"+te", "+ti", "+tb", "+td"};
  for (int i = 0; i < 12; ++i) {
    ObjectSpec spec;
    if (i % 3 == 1) spec.sop_class_uid = kMrImageStorage, spec.modality = "MR";
    if (i % 3 == 2) spec.sop_class_uid = "2.25.4711", spec.modality = "OT";  // a private class
    const auto plain = write_part10(spec, folder / (std::to_string(i) + ".plain"));
    const auto encoded = folder / (std::to_string(i) + ".dcm");
    const auto converted = run({"dcmconv", options[static_cast<std::size_t>(i) % options.size()],
                                plain.string(), encoded.string()});
    if (converted.status != 0) throw std::runtime_error("dcmconv: " + converted.output);
    files.push_back(encoded);
  }
  return files;
}

/// `unreadable`: what the project's own SCU can not send, since it is no Part 10 file.
inline Rounds rounds_of(std::vector<std::filesystem::path> files,
                        std::vector<std::filesystem::path>& unreadable) {
  std::sort(files.begin(), files.end());
  Rounds rounds;
  std::map<std::string, std::size_t> seen;
  for (const auto& path : files) {
    const auto reader = file::Part10Reader::open(path.string());
    if (!reader) {
      unreadable.push_back(path);
      continue;
    }
    const std::string uid = reader->header().sop_instance_uid.str();
    const std::size_t round = seen[uid]++;
    if (round == rounds.size()) rounds.emplace_back();
    rounds[round].push_back({path, uid});
  }
  return rounds;
}

inline std::vector<std::filesystem::path> paths_of(const std::vector<Sample>& round) {
  std::vector<std::filesystem::path> paths;
  for (const Sample& sample : round) paths.push_back(sample.path);
  return paths;
}

/// Those of the shared test data, or own ones in `folder`.
inline Rounds sample_objects(const std::filesystem::path& folder,
                             std::vector<std::filesystem::path>& unreadable) {
  const auto shared = shared_data("real objects; small ones of our own are sent instead");
  return rounds_of(shared ? files_below(*shared / "objects") : own_objects(folder), unreadable);
}

}  // namespace dr::test
