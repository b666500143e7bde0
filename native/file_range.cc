#include "file_range.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "library.h"

namespace insitu {
namespace {

[[noreturn]] void refuse(int error, const char* call, const char* text) {
  LoadFailure failure;
  fail_system(failure, call, -error) << text;
  throw failure;
}

struct flock describe(short type, uint64_t start, uint64_t length) {
  struct flock lock = {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(start);
  lock.l_len = static_cast<off_t>(length);
  return lock;
}

}  // namespace

bool lock_range(int fd, uint64_t start, uint64_t length, RangeLock kind, bool wait) {
  constexpr short kTypes[] = {F_UNLCK, F_RDLCK, F_WRLCK};
  struct flock lock = describe(kTypes[static_cast<uint32_t>(kind)], start, length);
  if (fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock) == 0) return true;
  if (!wait && (errno == EAGAIN || errno == EACCES)) return false;
  refuse(errno, "fcntl", "lock of a part of the file");
}

void try_lock_shared(int fd, uint64_t start, uint64_t length) {
  struct flock lock = describe(F_RDLCK, start, length);
  (void)fcntl(fd, F_OFD_SETLK, &lock);
}

bool find_locked(int fd, uint64_t start, uint64_t length, LockedRange& found) {
  struct flock lock = describe(F_WRLCK, start, length);
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0) refuse(errno, "fcntl", "question for locks on a part of the file");
  if (lock.l_type == F_UNLCK) return false;
  found.start = static_cast<uint64_t>(lock.l_start);
  found.end = lock.l_len == 0 ? ~uint64_t{0} : found.start + static_cast<uint64_t>(lock.l_len);
  return true;
}

bool has_data(int fd, uint64_t start) {
  // A file system that knows no holes gives `start` itself, and a start behind the end ENXIO.
  return lseek(fd, static_cast<off_t>(start), SEEK_DATA) >= 0;
}

void allocate_range(int fd, uint64_t start, uint64_t length) {
  int error;
  do error = posix_fallocate(fd, static_cast<off_t>(start), static_cast<off_t>(length));
  while (error == EINTR);
  if (error != 0) refuse(error, "posix_fallocate", "storage for a part of the file");
}

}  // namespace insitu
