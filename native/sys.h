// Raw system calls that answer value or -errno (syscall(2)). insitu-exec has no C library; the addon uses the
// same ones in the reader and mapper so that both run one code path.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>

namespace insitu::sys {

#if defined(__x86_64__)
inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long result;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
inline long call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "insitu runs on x86-64 and aarch64"
#endif

inline bool failed(long result) { return result < 0 && result >= -4095; }

inline long open(const char* path, int flags) {
  return call(SYS_openat, AT_FDCWD, reinterpret_cast<long>(path), flags | O_CLOEXEC, 0);
}
inline long close(int fd) { return call(SYS_close, fd); }
inline long pread(int fd, void* to, size_t size, uint64_t offset) {
  return call(SYS_pread64, fd, reinterpret_cast<long>(to), static_cast<long>(size),
              static_cast<long>(offset));
}
inline long mmap(uint64_t address, uint64_t size, int prot, int flags, int fd, uint64_t offset) {
  return call(SYS_mmap, static_cast<long>(address), static_cast<long>(size), prot, flags, fd,
              static_cast<long>(offset));
}
inline long munmap(uint64_t address, uint64_t size) {
  return call(SYS_munmap, static_cast<long>(address), static_cast<long>(size));
}
inline long mprotect(uint64_t address, uint64_t size, int prot) {
  return call(SYS_mprotect, static_cast<long>(address), static_cast<long>(size), prot);
}
inline long madvise(uint64_t address, uint64_t size, int advice) {
  return call(SYS_madvise, static_cast<long>(address), static_cast<long>(size), advice);
}

}  // namespace insitu::sys
