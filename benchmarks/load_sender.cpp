// Sends C-STOREs as fast as a peer answers them, at next to no cost of its own: the PDUs are
// encoded once, after the association's PDU length is known, and only UIDs and the message ID are
// patched.

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include "benchmarks/wire.h"
#include "test/support/dicom_objects.h"

namespace dr::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::uint32_t;

constexpr std::string_view kUsage =
    "usage: load_sender PORT [--associations N] [--objects N] [--seconds S] [--pixels OCTETS]\n"
    "                   [--called AET] [--calling AET]\n"
    "Sends CT images to 127.0.0.1:PORT until N objects (each association its share) or S seconds\n"
    "are over. Prints one line of results; exit status 1 if any object failed.\n";

struct Options {
  std::uint16_t port = 0;
  unsigned associations = 1;
  unsigned objects = 1000000;
  double seconds = 1e9;
  std::size_t pixels = 524288;
  std::string called = "ANY-SCP";
  std::string calling = "LOAD";
};

struct Tally {
  std::vector<Microseconds> latencies;  // of each object that was stored
  unsigned failed = 0;
  std::string reason;  // of the first failure

  void fail(std::string why) {
    ++failed;
    if (reason.empty()) reason = std::move(why);
  }
};

constexpr std::uint8_t kContext = 1;
// The digits that make a UID of its own: association (3) and number (8).
constexpr std::size_t kDigits = 11;

std::string base_uid() {
  std::random_device random;
  return "2.25.1" + std::to_string(100000000 + random() % 900000000) + std::string(kDigits, '0');
}

std::string padded(std::string_view ae_title) {
  std::string text(ae_title.substr(0, 16));
  text.resize(16, ' ');
  return text;
}

Bytes associate_rq(const Options& options) {
  Bytes context = {std::byte{kContext}, std::byte{0}, std::byte{0}, std::byte{0}};
  put_item(context, 0x30, as_bytes(test::kCtImageStorage));
  put_item(context, 0x40, as_bytes(test::kExplicitLe));
  Bytes items;
  put_item(items, 0x10, as_bytes(kApplicationContext));
  put_item(items, 0x20, context);
  put_item(items, 0x50, user_information());
  return associate_pdu(1, as_bytes(padded(options.called) + padded(options.calling)), items);
}

/// The peer's greatest PDU (0: no limit) out of an A-ASSOCIATE-AC that accepts our context.
std::optional<std::uint32_t> accepted(ByteSpan pdu) {
  bool context = false;
  std::uint32_t most = 0;
  if (pdu.size() < 74 || pdu[0] != std::byte{2}) return std::nullopt;
  each_item(pdu.subspan(74), [&](std::uint8_t type, ByteSpan value) {
    if (type == 0x21 && value.size() >= 4) context = value[2] == std::byte{0};
    if (type != 0x50) return;
    each_item(value, [&](std::uint8_t sub, ByteSpan v) {
      if (sub == 0x51 && v.size() == 4) most = load_be<std::uint32_t>(v.data());
    });
  });
  if (!context) return std::nullopt;
  return most;
}

/// A C-STORE-RQ and its data set as one run of PDUs, and where in it the UID's digits and the
/// message ID stand.
class Message {
 public:
  Message(std::size_t pixels, std::uint32_t max_pdu) {
    const std::string uid = base_uid();
    const Bytes data_set = test::make_data_set({.sop_instance_uid = uid, .pixel_octets = pixels});
    Bytes command;
    put_command_element(command, 0x0002, as_bytes(test::kCtImageStorage));
    put_command_us(command, 0x0100, 0x0001);  // C-STORE-RQ
    put_command_us(command, 0x0110, 1);       // message ID
    put_command_us(command, 0x0700, 0);       // medium priority
    put_command_us(command, 0x0800, 0x0001);  // a data set follows
    put_command_element(command, 0x1000, as_bytes(uid));
    put_p_data(octets_, kContext, kCommandBit | kLastBit, with_group_length(command));

    const std::size_t most = std::min<std::size_t>(max_pdu == 0 ? kMaxPdu : max_pdu, 1U << 20);
    const std::size_t fragment = (most - kPdvHeader) / 2 * 2;
    for (std::size_t at = 0; at < data_set.size(); at += fragment) {
      const auto piece = ByteSpan(data_set).subspan(at, std::min(fragment, data_set.size() - at));
      const bool last = at + piece.size() == data_set.size();
      put_p_data(octets_, kContext, last ? kLastBit : std::byte{0}, piece);
    }
    find_digits(uid);
    const std::string_view id("\x10\x01\x02\0\0\0", 6);
    message_id_ = as_text(octets_).find(id) + id.size();
  }

  ByteSpan octets() const { return octets_; }

  void patch(unsigned association, unsigned number) {
    char digits[kDigits + 1];
    std::snprintf(digits, sizeof digits, "%03u%08u", association % 1000, number % 100000000);
    for (const std::size_t at : digits_) std::memcpy(octets_.data() + at, digits, kDigits);
    store_le(octets_.data() + message_id_, static_cast<std::uint16_t>(number));
  }

 private:
  void find_digits(const std::string& uid) {
    const auto text = as_text(octets_);
    for (auto at = text.find(uid); at != text.npos && digits_.size() < 2;
         at = text.find(uid, at + 1)) {
      digits_.push_back(at + uid.size() - kDigits);
    }
  }

  Bytes octets_;
  std::vector<std::size_t> digits_;
  std::size_t message_id_ = 0;
};

/// The status of the next C-STORE-RSP, or nothing when the association is over.
std::optional<std::uint16_t> response_status(int fd) {
  const Bytes pdu = receive_pdu(fd, kMaxPdu);
  if (pdu.size() < kPduHeader + kPdvHeader || pdu[0] != std::byte{4}) return std::nullopt;
  return command_us(ByteSpan(pdu).subspan(kPduHeader + kPdvHeader), 0x0900, 0xffff);
}

void store(int fd, Message& message, unsigned association, unsigned objects, double seconds,
           Clock::time_point start, Tally& tally) {
  const auto deadline = start + std::chrono::duration<double>(seconds);
  for (unsigned i = 0; i < objects; ++i) {
    const auto begin = Clock::now();
    if (begin >= deadline) return;
    message.patch(association, i);
    if (!send_all(fd, message.octets())) return tally.fail("connection lost while sending");
    const auto status = response_status(fd);
    if (!status) return tally.fail("association ended before the response");
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
    if (*status == 0) {
      tally.latencies.push_back(static_cast<Microseconds>(took.count()));
    } else {
      char text[32];
      std::snprintf(text, sizeof text, "status %04XH", *status);
      tally.fail(text);
    }
  }
}

void run_association(const Options& options, unsigned number, Clock::time_point start,
                     Tally& tally) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(options.port);
  const timeval most{120, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  no_delay(fd);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    tally.fail("no connection");
  } else if (send_all(fd, associate_rq(options))) {
    const auto max_pdu = accepted(receive_pdu(fd, 65536));
    if (!max_pdu) {
      tally.fail("association refused");
    } else {
      Message message(options.pixels, *max_pdu);
      const unsigned share = options.objects / options.associations +
                             (number < options.objects % options.associations ? 1 : 0);
      store(fd, message, number, share, options.seconds, start, tally);
      if (send_all(fd, release_pdu(kReleaseRq))) receive_pdu(fd, kMaxPdu);
    }
  }
  close(fd);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

int report(std::vector<Tally>& tallies, double seconds, std::size_t pixels) {
  std::vector<Microseconds> all;
  unsigned failed = 0;
  std::string reason;
  for (const auto& t : tallies) {
    all.insert(all.end(), t.latencies.begin(), t.latencies.end());
    failed += t.failed;
    if (reason.empty()) reason = t.reason;
  }
  std::sort(all.begin(), all.end());
  const auto quantile = [&](double q) {
    if (all.empty()) return 0.0;
    return all[static_cast<std::size_t>(q * static_cast<double>(all.size() - 1))] / 1000.0;
  };
  const auto stored = static_cast<double>(all.size());
  const auto octets = static_cast<double>(test::make_data_set({.pixel_octets = pixels}).size());
  std::printf(
      "objects=%zu failed=%u seconds=%.3f objects_per_s=%.1f mb_per_s=%.1f p50_ms=%.3f "
      "p95_ms=%.3f octets=%.0f sender_cpu_s=%.3f",
      all.size(), failed, seconds, stored / seconds, stored * octets / seconds / 1e6, quantile(0.5),
      quantile(0.95), octets, cpu_seconds());
  if (failed > 0) std::printf(" reason=\"%s\"", reason.c_str());
  std::printf("\n");
  return failed > 0 || all.empty() ? 1 : 0;
}

template <class T>
bool number(std::string_view text, T& value) {
  return std::from_chars(text.data(), text.data() + text.size(), value).ptr ==
         text.data() + text.size();
}

bool parse(int argc, char** argv, Options& o) {
  if (argc < 2 || argc % 2 != 0 || !number(argv[1], o.port)) return false;
  for (int i = 2; i < argc; i += 2) {
    const std::string_view key = argv[i];
    const std::string_view value = argv[i + 1];
    const bool known = key == "--associations" ? number(value, o.associations) && o.associations > 0
                       : key == "--objects"    ? number(value, o.objects)
                       : key == "--seconds"    ? number(value, o.seconds)
                       : key == "--pixels"     ? number(value, o.pixels)
                       : key == "--called"     ? (o.called = value, true)
                       : key == "--calling"    ? (o.calling = value, true)
                                               : false;
    if (!known) return false;
  }
  return true;
}

}  // namespace
}  // namespace dr::bench

int main(int argc, char** argv) {
  using namespace dr::bench;
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(kUsage.data(), stderr);
    return 2;
  }
  std::vector<Tally> tallies(options.associations);
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (unsigned i = 0; i < options.associations; ++i) {
    threads.emplace_back([&, i] { run_association(options, i, start, tallies[i]); });
  }
  for (auto& t : threads) t.join();
  const std::chrono::duration<double> took = Clock::now() - start;
  return report(tallies, took.count(), options.pixels);
}
