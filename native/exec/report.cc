#include "exec/report.h"

#include <errno.h>

#include "sys.h"

namespace insitu {
namespace {

const char* errno_name(int error) {
  switch (error) {
    case EPERM:
      return "EPERM";
    case ENOENT:
      return "ENOENT";
    case EINTR:
      return "EINTR";
    case EIO:
      return "EIO";
    case ENXIO:
      return "ENXIO";
    case EAGAIN:
      return "EAGAIN";
    case ENOMEM:
      return "ENOMEM";
    case EACCES:
      return "EACCES";
    case EFAULT:
      return "EFAULT";
    case EBUSY:
      return "EBUSY";
    case EEXIST:
      return "EEXIST";
    case ENODEV:
      return "ENODEV";
    case ENOTDIR:
      return "ENOTDIR";
    case EISDIR:
      return "EISDIR";
    case EINVAL:
      return "EINVAL";
    case ENFILE:
      return "ENFILE";
    case EMFILE:
      return "EMFILE";
    case ETXTBSY:
      return "ETXTBSY";
    case ENAMETOOLONG:
      return "ENAMETOOLONG";
    case ENOSYS:
      return "ENOSYS";
    case ELOOP:
      return "ELOOP";
    case EOVERFLOW:
      return "EOVERFLOW";
    case EOPNOTSUPP:
      return "EOPNOTSUPP";
    case ESTALE:
      return "ESTALE";
    default:
      return nullptr;
  }
}

}  // namespace

uint64_t length(const char* s) {
  uint64_t n = 0;
  while (s[n] != '\0') n++;
  return n;
}

bool write_text(int fd, const char* text) {
  uint64_t left = length(text);
  while (left > 0) {
    const long n = sys::call(SYS_write, fd, reinterpret_cast<long>(text), static_cast<long>(left));
    if (n == -EINTR) continue;
    if (n <= 0) return false;
    text += n;
    left -= static_cast<uint64_t>(n);
  }
  return true;
}

void leave(int status) {
  for (;;) sys::call(SYS_exit_group, status);
}

void refuse(const char* name, const Failure& failure, int status) {
  // Long names are cut rather than what was found.
  Text<8192> line;
  line << "insitu-exec: " << name << ": ";
  if (failure.system_error != 0) {
    const char* error = errno_name(failure.system_error);
    line << failure.syscall << " failed with ";
    if (error != nullptr)
      line << error << ": ";
    else
      line << "errno " << static_cast<uint32_t>(failure.system_error) << ": ";
  }
  line << failure.text.c_str() << "\n";
  write_text(2, line.c_str());
  leave(status);
}

}  // namespace insitu
