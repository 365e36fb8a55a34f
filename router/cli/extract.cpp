#include "rtstruct/extract.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <thread>

#include "router/cli/command.h"
#include "router/extraction/expectations.h"
#include "rtstruct/output.h"

namespace dr::cli {
namespace {

struct Options {
  std::string reference;
  std::string output = ".";
  std::string names;
  bool masks = false;
  bool meshes = false;
  bool dicom = false;
  std::vector<std::string> files;
};

unsigned threads() { return std::clamp(std::thread::hardware_concurrency(), 1U, 8U); }

/// The doses of the folder; one that can not be read is told and passed over.
std::vector<rtstruct::Dose> load_doses(const rtstruct::ReferenceSet& references) {
  std::vector<rtstruct::Dose> doses;
  for (const auto& path : references.doses) {
    const auto file = rtstruct::load_file(path.string());
    auto dose = file ? rtstruct::read_dose(file->data_set, file->transfer_syntax)
                     : Result<rtstruct::Dose>(file.error());
    if (dose) {
      doses.push_back(std::move(*dose));
    } else {
      complain(path.string() + ": " + dose.error().to_string());
    }
  }
  return doses;
}

Result<rtstruct::StructureSet> load(const std::string& file) {
  auto loaded = rtstruct::load_file(file);
  if (!loaded) return std::move(loaded).error();
  return rtstruct::read_structure_set(loaded->data_set, loaded->transfer_syntax);
}

Result<void> write(const Options& options, const rtstruct::Extraction& result,
                   const std::filesystem::path& folder) {
  Result<void> done;
  if (options.masks) done = rtstruct::write_masks(result, folder, threads());
  if (done && options.meshes) done = rtstruct::write_meshes(result, folder);
  if (done && options.dicom) done = rtstruct::write_objects(result, folder);
  return done;
}

int extract(const Options& options) {
  rtstruct::ExtractOptions how;
  how.masks = options.masks || options.dicom || options.meshes;
  how.keep_stacks = options.meshes;
  how.threads = threads();
  if (!options.names.empty()) {
    auto loaded = extraction::load_expectations(options.names);
    print(loaded.diagnostics);
    if (!loaded.good()) return kNo;
    how.expectations = std::move(loaded.expectations);
  }
  rtstruct::ReferenceSet references;
  if (!options.reference.empty()) {
    auto read = rtstruct::read_references(options.reference);
    if (!read) {
      complain(options.reference + ": " + read.error().to_string());
      return kCouldNotAsk;
    }
    references = std::move(*read);
  }
  const std::vector<rtstruct::Dose> doses = load_doses(references);
  int exit = kYes;
  for (std::size_t i = 0; i < options.files.size(); ++i) {
    auto set = load(options.files[i]);
    if (!set) {
      complain(options.files[i] + ": " + set.error().to_string());
      exit = std::max<int>(exit, kNo);
      continue;
    }
    const auto result = rtstruct::extract(std::move(*set), references, doses, how);
    std::cout << rtstruct::to_json(result) << '\n';
    std::filesystem::path folder = options.output;
    if (options.files.size() > 1) folder /= std::to_string(i + 1);
    if (const auto written = write(options, result, folder); !written) {
      complain(options.files[i] + ": " + written.error().to_string());
      if (written.error().code != Errc::kNotFound) return kCouldNotAsk;
      exit = std::max<int>(exit, kNo);
    }
  }
  return exit;
}

}  // namespace

void add_extract(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "extract", "RT Structure Sets to JSON on standard output, one document each");
  command->add_option("--reference", options->reference,
                      "folder of the images (and doses) that they refer to");
  command
      ->add_option("--output", options->output,
                   "folder for masks (ROI number.nii.gz; of several files below 1, 2, ...)")
      ->capture_default_str();
  command->add_flag("--masks", options->masks,
                    "voxel masks on the images' grid, as NIfTI (ROI number.nii.gz)");
  command->add_flag("--mesh", options->meshes, "surfaces as STL (ROI number.stl)");
  command->add_flag("--dicom", options->dicom,
                    "DICOM objects: segmentation.dcm (SEG) and report.dcm (SR, TID 1500)");
  command->add_option("--names", options->names,
                      "TOML file of standard names, volume limits and exclusive ROIs");
  command->add_option("files", options->files, "RT Structure Sets")->required()->type_name("FILE");
  command->callback([options, &action] { action = [options] { return extract(*options); }; });
}

}  // namespace dr::cli
