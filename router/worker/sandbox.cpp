#include "router/worker/sandbox.h"

#include <cerrno>
#include <csignal>
#include <initializer_list>
#include <memory>

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace dr::worker {
namespace {

// What a handler, the C library's allocator and the clean end of a process need.
constexpr int kAllowed[] = {
    // the descriptors that are here
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
    SCMP_SYS(pwrite64), SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(lseek), SCMP_SYS(fstat),
    SCMP_SYS(ftruncate), SCMP_SYS(fallocate), SCMP_SYS(fdatasync), SCMP_SYS(fsync), SCMP_SYS(close),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(copy_file_range),
    // memory
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
    // time and identity
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrusage), SCMP_SYS(sched_yield),
    // the end; tgkill is abort()
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(tgkill), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack),
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SCMP_SYS(pipe), SCMP_SYS(pipe2),  // by which sanitizers find out whether memory can be read
#endif
};

// No code of ours comes here: whoever does has taken the process over.
constexpr int kHostile[] = {SCMP_SYS(socket),    SCMP_SYS(socketpair),
                            SCMP_SYS(connect),   SCMP_SYS(bind),
                            SCMP_SYS(listen),    SCMP_SYS(accept),
                            SCMP_SYS(accept4),   SCMP_SYS(execve),
                            SCMP_SYS(execveat),  SCMP_SYS(fork),
                            SCMP_SYS(vfork),     SCMP_SYS(ptrace),
                            SCMP_SYS(kill),      SCMP_SYS(tkill),
                            SCMP_SYS(mount),     SCMP_SYS(unshare),
                            SCMP_SYS(setns),     SCMP_SYS(bpf),
                            SCMP_SYS(keyctl),    SCMP_SYS(process_vm_readv),
                            SCMP_SYS(unlink),    SCMP_SYS(unlinkat),
                            SCMP_SYS(rename),    SCMP_SYS(renameat),
                            SCMP_SYS(renameat2), SCMP_SYS(chmod),
                            SCMP_SYS(fchmod),    SCMP_SYS(fchmodat),
                            SCMP_SYS(link),      SCMP_SYS(linkat),
                            SCMP_SYS(symlink),   SCMP_SYS(symlinkat),
                            SCMP_SYS(truncate),  SCMP_SYS(mkdir),
                            SCMP_SYS(mkdirat),   SCMP_SYS(io_uring_setup),
                            SCMP_SYS(openat2),   SCMP_SYS(process_vm_writev)};

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

bool fill(scmp_filter_ctx filter) {
  bool good = true;
  const auto add = [&](std::uint32_t action, int call, auto... conditions) {
    good =
        good && seccomp_rule_add(filter, action, call, sizeof...(conditions), conditions...) == 0;
  };
  for (const int call : kAllowed) add(SCMP_ACT_ALLOW, call);
  for (const int call : kHostile) add(SCMP_ACT_KILL_PROCESS, call);
  // The C library's fstat(), and nothing by name.
  add(SCMP_ACT_ALLOW, SCMP_SYS(newfstatat),
      SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
  // No memory becomes code.
  add(SCMP_ACT_ALLOW, SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  add(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  // Reading a file by name fails, as a missing one would: libraries try. Writing is hostile.
  for (const scmp_datum_t writing : {O_WRONLY, O_RDWR}) {
    add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(openat),
        SCMP_A2(SCMP_CMP_MASKED_EQ, static_cast<scmp_datum_t>(O_ACCMODE), writing));
    add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(open),
        SCMP_A1(SCMP_CMP_MASKED_EQ, static_cast<scmp_datum_t>(O_ACCMODE), writing));
  }
  add(SCMP_ACT_KILL_PROCESS, SCMP_SYS(creat));
  return good;
}

}  // namespace

Result<void> close_sandbox() {
  const rlimit none{0, 0};
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      setrlimit(RLIMIT_CORE, &none) != 0) {
    return errno_error("sandbox", errno);
  }
  // A file that grows above its limit is an error of write(), and a node that is gone one of
  // send().
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (!filter || !fill(filter.get())) return Error{Errc::kUnsupported, "seccomp rules"};
  if (const int error = seccomp_load(filter.get()); error != 0) {
    return errno_error("seccomp", -error);
  }
  return {};
}

}  // namespace dr::worker
