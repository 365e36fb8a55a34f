#include "dimse/base/log.h"

#include <array>
#include <atomic>

namespace dr::log {
namespace {

// The logger is the one global of the program.
std::atomic<Sink> g_sink{nullptr};
std::atomic<Level> g_least{Level::kInfo};

}  // namespace

void set_sink(Sink sink, Level least) {
  g_least = least;
  g_sink = sink;
}

std::string escape(std::string_view text, std::size_t limit) {
  static constexpr std::array<char, 17> kHex{"0123456789abcdef"};
  std::string out;
  out.reserve(text.size());
  for (const char c : text.substr(0, limit)) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >= 0x20 && octet < 0x7f && c != '"' && c != '\\') {
      out.push_back(c);
    } else {
      out.append("\\x").push_back(kHex[octet >> 4]);
      out.push_back(kHex[octet & 15]);
    }
  }
  if (text.size() > limit) out.append("...");
  return out;
}

void event(Level level, std::string_view name, std::initializer_list<Field> fields) {
  const Sink sink = g_sink;
  if (sink == nullptr || level < g_least.load()) return;
  std::string line(name);
  for (const Field& field : fields) {
    line.append(" ").append(field.key).append("=");
    if (field.bare) {
      line.append(field.value);
    } else {
      line.append("\"").append(escape(field.value)).append("\"");
    }
  }
  sink(level, line);
}

}  // namespace dr::log
