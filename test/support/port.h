#pragma once

#include <cstdint>

namespace dr::test {

/// A TCP port of the loopback interface that nobody uses, chosen by the kernel, for a program that
/// cannot be given port 0. The same process never gets a port twice.
std::uint16_t free_port();

/// Whether some process listens on this TCP port. Asks the kernel's table, so the listener sees no
/// connection.
bool is_listening(std::uint16_t port);

}  // namespace dr::test
