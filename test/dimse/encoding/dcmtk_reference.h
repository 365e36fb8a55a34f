// One file as DCMTK reads it, for the tests that hold our reading against its.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/oflog/oflog.h>
#include <gtest/gtest.h>

#include "dimse/encoding/element_header.h"
#include "dimse/encoding/header_scanner.h"
#include "test/dimse/encoding/data_set_builder.h"
#include "test/support/paths.h"

namespace dr::encoding {

namespace fs = std::filesystem;

inline const fs::path kShared = test::source_dir() / "../shared/data";

inline Bytes contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(in), {});
  const ByteSpan bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

inline std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto extension = entry.path().extension();
    if (entry.is_regular_file() && extension != ".gz" && extension != ".tsv") {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  return files;
}

/// Behind preamble and group 0002, if they are there.
inline ByteSpan data_set_of(ByteSpan file) {
  const bool part10 = file.size() > 132 && as_text(file).substr(128, 4) == "DICM";
  ByteSpan rest = part10 ? file.subspan(132) : file;
  while (true) {
    const auto header = decode_element_header(rest, kExplicitLittleEndian);
    if (!header || header->tag.group != 2) return rest;
    rest = rest.subspan(std::min<std::size_t>(rest.size(), header->size + header->length));
  }
}

/// One file as DCMTK reads it.
struct Reference {
  DcmFileFormat file;
  E_TransferSyntax xfer = EXS_Unknown;
  Uid syntax;

  bool load(const fs::path& path) {
    OFLog::configure(OFLogger::FATAL_LOG_LEVEL);  // its warnings are not what is tested
    return file.loadFile(path.c_str()).good() && loaded();
  }
  /// A whole file in memory.
  bool load(ByteSpan octets) {
    OFLog::configure(OFLogger::FATAL_LOG_LEVEL);
    DcmInputBufferStream stream;
    stream.setBuffer(octets.data(), static_cast<offile_off_t>(octets.size()));
    stream.setEos();
    file.transferInit();
    const auto read = file.read(stream);
    file.transferEnd();
    return read.good() && loaded();
  }
  /// Top-level elements before pixel data.
  std::vector<DcmElement*> elements() {
    std::vector<DcmElement*> found;
    DcmDataset& set = *file.getDataset();
    for (unsigned long i = 0; i < set.card(); ++i) {
      if (set.getElement(i)->getGTag() < 0x7fe0) found.push_back(set.getElement(i));
    }
    return found;
  }

 private:
  bool loaded() {
    xfer = file.getDataset()->getOriginalXfer();
    syntax = uid_literal(DcmXfer(xfer).getXferID());
    return true;
  }
};

inline Tag tag_of(DcmElement& element) { return {element.getGTag(), element.getETag()}; }

inline Bytes value_octets(DcmElement& element, E_TransferSyntax xfer) {
  Bytes value(element.getLengthField());
  const auto read = element.getPartialValue(value.data(), 0, static_cast<Uint32>(value.size()),
                                            nullptr, DcmXfer(xfer).getByteOrder());
  EXPECT_TRUE(value.empty() || read.good()) << read.text();
  return value;
}

/// The items that the scan brought, in a data set of their own, as DCMTK reads them.
inline bool same_items(DcmElement& element, const ScannedElement& scanned, E_TransferSyntax xfer) {
  const bool un = scanned.vr == vr('U', 'N');
  const DcmXfer syntax(xfer);
  const bool big_endian = syntax.getByteOrder() == EBO_BigEndian;
  DataSetBuilder alone({syntax.isExplicitVR() != OFFalse, big_endian});
  alone.undefined(scanned.tag, scanned.vr).raw(scanned.value);
  alone.raw((un ? DataSetBuilder(kImplicitLittleEndian) : DataSetBuilder({true, big_endian}))
                .end_sequence()
                .bytes());
  DcmInputBufferStream stream;
  stream.setBuffer(alone.bytes().data(), static_cast<offile_off_t>(alone.size()));
  stream.setEos();
  DcmDataset set;
  const E_TransferSyntax plain =
      xfer == EXS_DeflatedLittleEndianExplicit ? EXS_LittleEndianExplicit : xfer;
  set.transferInit();
  const auto read = set.read(stream, plain);
  set.transferEnd();
  DcmElement* again = nullptr;
  if (read.bad() || set.findAndGetElement(element.getTag(), again).bad()) return false;
  return again->compare(element) == 0;
}

/// Every element of one file that the scan may bring, against DCMTK. Octets of values compared.
inline std::size_t compare_with_dcmtk(Reference& reference, const HeaderScanner& scanner) {
  std::size_t compared = 0;
  for (DcmElement* element : reference.elements()) {
    const Tag tag = tag_of(*element);
    const ScannedElement* scanned = scanner.find(tag);
    if (!scanned) {
      ADD_FAILURE() << tag.to_string() << " is missing";
      continue;
    }
    if (element->ident() == EVR_SQ) {
      if (scanned->truncated) continue;  // its head is no whole item
      EXPECT_TRUE(same_items(*element, *scanned, reference.xfer)) << tag.to_string();
    } else {
      std::string theirs(as_text(value_octets(*element, reference.xfer)));
      // DCMTK has already used private creators, and replaced their padding by a NUL.
      const bool creator = tag.group % 2 != 0 && tag.element >= 0x10 && tag.element < 0x100;
      if (creator && theirs.ends_with('\0')) theirs.back() = ' ';
      if (scanned->truncated) {
        EXPECT_GE(scanned->value.size(), std::min<std::size_t>(theirs.size(), 64U << 10) / 2);
        theirs.resize(scanned->value.size());
      }
      EXPECT_EQ(as_text(scanned->value), theirs) << tag.to_string();
    }
    compared += scanned->value.size() + 1;
  }
  return compared;
}

}  // namespace dr::encoding
