#include "router/journal/staging.h"

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

namespace dr::journal {
namespace {

constexpr std::size_t kMemory = 1U << 20;
constexpr std::size_t kPage = File::kDirectAlignment;

bool on_page(const std::byte* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % kPage == 0;
}

/// Cuts the octets of a group into pieces that are aligned in file and memory.
class Cutter {
 public:
  Cutter(File& file, std::uint64_t offset, std::byte* memory)
      : file_(file), offset_(offset), memory_(memory) {}

  Result<void> add(ByteSpan part) {
    while (!part.empty()) {
      std::size_t n = part.size() / kPage * kPage;
      if (n > 0 && (filled_ - begin_) % kPage == 0 && on_page(part.data())) {
        close_gathered();
        pieces_.push_back(part.first(n));
      } else {
        n = std::min(part.size(), kMemory - filled_);
        std::copy_n(part.begin(), n, memory_ + filled_);
        filled_ += n;
        if (filled_ == kMemory) {
          if (auto written = hand_over(); !written) return written;
        }
      }
      part = part.subspan(n);
    }
    return {};
  }

  Result<void> hand_over() {
    close_gathered();
    auto written = pieces_.empty() ? Result<void>{} : file_.write_at(offset_, pieces_);
    for (const ByteSpan piece : pieces_) offset_ += piece.size();
    pieces_.clear();
    begin_ = filled_ = 0;
    return written;
  }

 private:
  void close_gathered() {
    if (filled_ > begin_) pieces_.emplace_back(memory_ + begin_, filled_ - begin_);
    begin_ = filled_;
  }

  File& file_;
  std::uint64_t offset_;
  std::byte* const memory_;
  std::size_t begin_ = 0;  // of what is gathered for the next piece
  std::size_t filled_ = 0;
  std::vector<ByteSpan> pieces_;
};

}  // namespace

void Staging::Free::operator()(std::byte* memory) const noexcept {
  ::operator delete (memory, std::align_val_t{kPage});
}

Result<void> Staging::write(File& file, std::uint64_t offset, std::span<const ByteSpan> parts) {
  if (!file.write_past_cache()) return file.write_at(offset, parts);
  if (!memory_) {
    memory_.reset(static_cast<std::byte*>(::operator new (kMemory, std::align_val_t{kPage})));
  }
  Cutter cutter(file, offset, memory_.get());
  for (const ByteSpan part : parts) {
    if (auto written = cutter.add(part); !written) return written;
  }
  return cutter.hand_over();
}

}  // namespace dr::journal
