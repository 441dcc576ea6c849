#include "faults.h"

#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool armed = false;
long at, calls;
int what, detail;
char trace[4096];

long result(long r) {
  if (r >= 0) return r;
  errno = int(-r);
  return -1;
}
template <class... A> long system_call(long number, A... a) {
  const long r = ::syscall(number, a...);
  return r < 0 ? -errno : r;
}

/// One call that changes a file: real(part) does it, a write in so many of 256 parts.
template <class F> long call(char letter, F real) {
  if (!armed) return result(real(256));
  const long k = calls++;
  if (k + 1 < long(sizeof trace)) trace[k] = letter, trace[k + 1] = 0;
  const bool full = what == kFaultFail && detail == ENOSPC && k > at && (letter == 'W' || letter == 'C');
  if (k != at && !full) return result(real(256));
  switch (what) {
    case kFaultFail:
      if (letter == 'L') real(256);  // a close that fails has closed
      return result(-detail);
    case kFaultShort: return result(real(letter == 'W' ? detail : 256));
    case kFaultKillAfter: real(letter == 'W' ? detail : 256); [[fallthrough]];
    case kFaultKillBefore: ::kill(::getpid(), SIGKILL);
  }
  return result(real(256));
}

long open_call(const char* path, int flags, va_list list) {
  const int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(list, int) : 0;
  const auto real = [&](int) { return system_call(SYS_openat, AT_FDCWD, path, flags, mode); };
  return flags & O_CREAT ? call('C', real) : result(real(256));
}
bool is_folder(int fd) {
  struct stat s;
  return ::fstat(fd, &s) == 0 && S_ISDIR(s.st_mode);
}

}  // namespace

extern "C" {

void fault_arm(long n, int w, int d) { at = n, what = w, detail = d, calls = 0, trace[0] = 0, armed = true; }
long fault_calls() { return calls; }
const char* fault_trace() { return trace; }

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const long fd = open_call(path, flags, list);
  va_end(list);
  return int(fd);
}
int open64(const char* path, int flags, ...) __attribute__((alias("open")));  // offsets have 64 bits in both
ssize_t write(int fd, const void* data, size_t n) {
  return call('W', [&](int part) { return system_call(SYS_write, fd, data, part == 256 ? n : n / 256 * size_t(part) + n % 256 * size_t(part) / 256); });
}
int fsync(int fd) {
  return int(call(armed && is_folder(fd) ? 'D' : 'S', [&](int) { return system_call(SYS_fsync, fd); }));
}
int close(int fd) {
  return int(call('L', [&](int) { return system_call(SYS_close, fd); }));
}
int chmod(const char* path, mode_t mode) noexcept {
  return int(call('M', [&](int) { return system_call(SYS_fchmodat, AT_FDCWD, path, mode); }));
}
int rename(const char* from, const char* to) noexcept {
  return int(call('R', [&](int) { return system_call(SYS_rename, from, to); }));
}
int unlink(const char* path) noexcept {
  return int(call('U', [&](int) { return system_call(SYS_unlink, path); }));
}
}
