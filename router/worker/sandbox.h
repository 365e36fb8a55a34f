#pragma once

#include "dimse/base/result.h"

namespace dr::worker {

/// Closes this process in, for good: it gains no rights by running programs, opens no file, socket
/// or process, and is left with reading and writing the descriptors that it has or is handed,
/// memory and time. A system call that nobody has use for fails with EPERM; one that only an
/// intruder makes (socket, connect, execve, fork, ptrace, …) ends the process with SIGSYS. Also:
/// killed when the thread that started it ends, and no core dumps, since its memory holds patient
/// data and keys.
Result<void> close_sandbox();

}  // namespace dr::worker
