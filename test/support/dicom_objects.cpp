#include "test/support/dicom_objects.h"

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>

#include <unistd.h>

#include "test/support/paths.h"

namespace dr::test {
namespace {

using Tag = std::uint32_t;
struct Value {
  std::string vr;
  std::string octets;
};
using Elements = std::map<Tag, Value>;

template <std::unsigned_integral T>
void put(Bytes& out, T value) {
  const std::size_t at = out.size();
  out.resize(at + sizeof(T));
  store_le(out.data() + at, value);
}

void put_text(Bytes& out, std::string_view text) {
  const auto octets = as_bytes(text);
  out.insert(out.end(), octets.begin(), octets.end());
}

std::string us(std::uint16_t value) {
  std::string octets(2, '\0');
  store_le(reinterpret_cast<std::byte*>(octets.data()), value);
  return octets;
}

// VRs whose explicit form has two reserved octets and a 32-bit length (PS3.5 7.1.2).
bool has_long_length(std::string_view vr) {
  static constexpr std::string_view kLong = "OB OD OF OL OV OW SQ SV UC UN UR UT UV";
  return kLong.find(vr) != std::string_view::npos;
}

void put_element(Bytes& out, Tag tag, Value value, bool explicit_vr) {
  if (value.octets.size() % 2 != 0) {
    const bool null_padded = value.vr == "UI" || value.vr == "OB" || value.vr == "UN";
    value.octets.push_back(null_padded ? '\0' : ' ');
  }
  const auto length = static_cast<std::uint32_t>(value.octets.size());
  put(out, static_cast<std::uint16_t>(tag >> 16));
  put(out, static_cast<std::uint16_t>(tag & 0xffff));
  if (!explicit_vr) {
    put(out, length);
  } else {
    put_text(out, value.vr);
    if (has_long_length(value.vr)) {
      put(out, std::uint16_t{0});
      put(out, length);
    } else {
      put(out, static_cast<std::uint16_t>(length));
    }
  }
  put_text(out, value.octets);
}

std::string pixels(const ObjectSpec& spec) {
  std::string octets(spec.pixel_octets / 2 * 2, '\0');
  std::uint64_t state = std::hash<std::string>{}(spec.sop_instance_uid) | 1;
  for (std::size_t i = 0; i < octets.size(); i += 2) {
    state ^= state << 13;  // xorshift64
    state ^= state >> 7;
    state ^= state << 17;
    octets[i] = static_cast<char>(state & 0xff);
    octets[i + 1] = static_cast<char>((state >> 8) & 0x0f);  // 12 bits stored
  }
  return octets;
}

void add_image(Elements& e, const ObjectSpec& spec) {
  // Rows × Columns never exceeds what is there; a rest of less than a row is padding.
  const std::size_t words = spec.pixel_octets / 2;
  const std::size_t columns = words >= 512 * 512 ? 512 : words >= 64 * 64 ? 64 : 1;
  const std::size_t rows = std::min<std::size_t>(words / columns, 65535);
  e[0x00280002] = {"US", us(1)};
  e[0x00280004] = {"CS", "MONOCHROME2"};
  e[0x00280010] = {"US", us(static_cast<std::uint16_t>(rows))};
  e[0x00280011] = {"US", us(static_cast<std::uint16_t>(columns))};
  e[0x00280100] = {"US", us(16)};
  e[0x00280101] = {"US", us(12)};
  e[0x00280102] = {"US", us(11)};
  e[0x00280103] = {"US", us(0)};
  e[0x7fe00010] = {"OW", pixels(spec)};
}

Elements elements_of(const ObjectSpec& spec) {
  Elements e;
  e[0x00080005] = {"CS", "ISO_IR 100"};
  e[0x00080016] = {"UI", spec.sop_class_uid};
  e[0x00080018] = {"UI", spec.sop_instance_uid};
  e[0x00080020] = {"DA", "20240102"};
  e[0x00080030] = {"TM", "101112"};
  e[0x00080050] = {"SH", "ACC1"};
  e[0x00080060] = {"CS", spec.modality};
  e[0x00080070] = {"LO", "Test"};
  e[0x00100010] = {"PN", spec.patient_name};
  e[0x00100020] = {"LO", spec.patient_id};
  e[0x00100030] = {"DA", ""};
  e[0x00100040] = {"CS", "O"};
  e[0x0020000d] = {"UI", spec.study_instance_uid};
  e[0x0020000e] = {"UI", spec.series_instance_uid};
  e[0x00200010] = {"SH", "1"};
  e[0x00200011] = {"IS", "1"};
  e[0x00200013] = {"IS", "1"};
  if (spec.pixel_octets > 0) add_image(e, spec);
  for (const auto& extra : spec.extra) {
    e[Tag{extra.group} << 16 | extra.element] = {extra.vr, extra.value};
  }
  return e;
}

}  // namespace

std::string new_uid() {
  static const std::uint64_t process = [] {
    std::random_device random;
    return (std::uint64_t{random()} << 20) ^ static_cast<std::uint64_t>(getpid());
  }();
  static std::atomic<std::uint64_t> next{1};
  char text[64];
  std::snprintf(text, sizeof text, "2.25.%llu%09llu", static_cast<unsigned long long>(process | 1),
                static_cast<unsigned long long>(next++));
  return text;
}

Bytes make_data_set(const ObjectSpec& spec) {
  Bytes out;
  for (const auto& [tag, value] : elements_of(spec)) {
    put_element(out, tag, value, spec.transfer_syntax != kImplicitLe);
  }
  return out;
}

Bytes make_part10(const ObjectSpec& spec) {
  const Elements meta = {
      {0x00020001, {"OB", std::string("\0\1", 2)}},
      {0x00020002, {"UI", spec.sop_class_uid}},
      {0x00020003, {"UI", spec.sop_instance_uid}},
      {0x00020010, {"UI", spec.transfer_syntax}},
      {0x00020012, {"UI", "2.25.190146791043182537444806132342625375407"}},
  };
  Bytes group;
  for (const auto& [tag, value] : meta) put_element(group, tag, value, true);
  std::string length(4, '\0');
  store_le(reinterpret_cast<std::byte*>(length.data()), static_cast<std::uint32_t>(group.size()));

  Bytes out(128);
  put_text(out, "DICM");
  put_element(out, 0x00020000, {"UL", length}, true);
  out.insert(out.end(), group.begin(), group.end());
  const Bytes data_set = make_data_set(spec);
  out.insert(out.end(), data_set.begin(), data_set.end());
  return out;
}

std::filesystem::path write_part10(const ObjectSpec& spec, const std::filesystem::path& file) {
  std::filesystem::create_directories(file.parent_path());
  const Bytes octets = make_part10(spec);
  std::ofstream out(file, std::ios::binary);
  out << as_text(octets);
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
  return file;
}

Bytes read_octets(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  Bytes octets(std::filesystem::file_size(file));
  in.read(reinterpret_cast<char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
  if (!in) throw std::runtime_error("cannot read " + file.string());
  return octets;
}

Bytes data_set_of(const std::filesystem::path& part10_file) {
  const Bytes octets = read_octets(part10_file);
  // Preamble and prefix, then (0002,0000) UL of 4 octets: 12 octets in all (PS3.10 7.1).
  constexpr std::size_t kGroupLength = 132;
  constexpr std::size_t kAfterGroupLength = kGroupLength + 12;
  if (octets.size() < kAfterGroupLength || as_text(octets).substr(128, 4) != "DICM" ||
      load_le<std::uint32_t>(octets.data() + kGroupLength) != 0x00000002) {
    throw std::runtime_error("no file meta information: " + part10_file.string());
  }
  const auto group = load_le<std::uint32_t>(octets.data() + kGroupLength + 8);
  if (group > octets.size() - kAfterGroupLength) {
    throw std::runtime_error("truncated file meta information: " + part10_file.string());
  }
  return {octets.begin() + static_cast<std::ptrdiff_t>(kAfterGroupLength + group), octets.end()};
}

std::optional<std::filesystem::path> shared_data(std::string_view left_out) {
  const auto folder = source_dir().parent_path() / "shared" / "data";
  if (std::filesystem::is_directory(folder)) return folder;
  std::printf("left out, since ../shared/data is not there: %.*s\n",
              static_cast<int>(left_out.size()), left_out.data());
  return std::nullopt;
}

}  // namespace dr::test
