#include "exec/target.h"

#include <errno.h>
#include <sys/statfs.h>

#include "exec/report.h"
#include "file_type.h"
#include "sys.h"

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

namespace insitu {
namespace {

constexpr uint64_t kDaxGranule = 2 << 20;
constexpr long kNoexec = 8;    // ST_NOEXEC of statfs(2)
constexpr long kSetLock = 37;  // F_OFD_SETLK of fcntl(2)

FailureText fail_kind(Failure& failure, uint32_t mode) {
  return fail(failure, "ERR_FORMAT", 0)
         << "is " << file_type_name(mode) << "; want a regular file or a device-dax node";
}

/// O_NONBLOCK: a FIFO without a writer would wait for one. O_NOCTTY: a terminal would become ours.
bool open_file(const char* path, Target& target, Failure& failure) {
  const long got = sys::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (got == -ENXIO)
    return fail_system(failure, "open", got) << "a socket or a device without a driver; want a file";
  if (sys::failed(got))
    return fail_system(failure, "open", got) << "want a file that can be opened for reading";
  target.fd = static_cast<int>(got);
  const long stat = sys::call(SYS_fstat, target.fd, reinterpret_cast<long>(&target.status));
  if (sys::failed(stat)) return fail_system(failure, "fstat", stat) << "want a file";
  return true;
}

/// A program must not gain from here what execve would have given to it, nor lose it without a word.
bool check_privilege(const Target& target, Failure& failure) {
  if (target.status.st_mode & S_ISUID)
    return fail(failure, "ERR_PRIVILEGE", 0)
           << "is set-user-ID; want a program without privileges of its own";
  if (target.status.st_mode & S_ISGID)
    return fail(failure, "ERR_PRIVILEGE", 0)
           << "is set-group-ID; want a program without privileges of its own";
  const long capability =
      sys::call(SYS_fgetxattr, target.fd, reinterpret_cast<long>("security.capability"), 0, 0);
  if (capability > 0)
    return fail(failure, "ERR_PRIVILEGE", 0)
           << "has file capabilities; want a program without privileges of its own";
  return true;
}

FailureText fail_noexec(Failure& failure) {
  return fail(failure, "ERR_PERMISSION", 0)
         << "file system is mounted noexec; want one that programs may be started from";
}

bool check_permission(const Wanted& wanted, const Target& target, Failure& failure) {
  // A copy in anonymous memory would get around noexec.
  if (!wanted.permission) return !(wanted.copy && is_noexec(target.fd)) || fail_noexec(failure);
  constexpr long kExecute = 1;
  long got =
      sys::call(SYS_faccessat2, target.fd, reinterpret_cast<long>(""), kExecute, AT_EACCESS | AT_EMPTY_PATH);
  if (got == -ENOSYS)  // before Linux 5.8: by name and real user
    got = sys::call(SYS_faccessat, AT_FDCWD, reinterpret_cast<long>(wanted.path), kExecute);
  if (!sys::failed(got)) return true;
  if (is_noexec(target.fd)) return fail_noexec(failure);
  return fail_system(failure, "faccessat", got)
         << "no permission to execute it; want mode +x for this user (chmod +x), or FILE@0 to do without";
}

/// A number from /sys/dev/char/MAJOR:MINOR/<name>.
bool device_number(const Target& target, const char* name, uint64_t& value) {
  const uint64_t device = target.status.st_rdev;  // split as by major(3) and minor(3)
  Text<128> path;
  path << "/sys/dev/char/" << ((device >> 32 & 0xfffff000) | (device >> 8 & 0xfff)) << ":"
       << ((device >> 12 & 0xffffff00) | (device & 0xff)) << "/" << name;
  const long fd = sys::open(path.c_str(), O_RDONLY);
  if (sys::failed(fd)) return false;
  char text[32];
  const long size = sys::pread(static_cast<int>(fd), text, sizeof text, 0);
  sys::close(static_cast<int>(fd));
  value = 0;
  for (long i = 0; i < size && text[i] >= '0' && text[i] <= '9'; i++)
    value = value * 10 + static_cast<uint64_t>(text[i] - '0');
  return value != 0;
}

/// An entry of a region ends before the file does. Its space is not used for anything else while it is
/// locked; the mappings keep the lock when the descriptor is closed (native/file_range.h). Where there are no
/// locks, there are none.
bool narrow(const Wanted& wanted, Target& target, Failure& failure) {
  if (wanted.size == 0) return true;
  if (wanted.size > target.source.size)
    return fail(failure, "ERR_TRUNCATED", wanted.offset) << "has " << target.source.size << " bytes from "
                                                         << Hex{wanted.offset} << " on; want " << wanted.size;
  target.source.size = wanted.size;
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_start = static_cast<off_t>(wanted.offset);
  lock.l_len = static_cast<off_t>(page_up(wanted.offset + wanted.size, target.granule) - wanted.offset);
  sys::call(SYS_fcntl, target.fd, kSetLock, reinterpret_cast<long>(&lock));
  return true;
}

/// read(2) does not work on device-dax: what is read comes out of a mapping of all of it.
bool view_device(const Wanted& wanted, Target& target, Failure& failure) {
  uint64_t size = 0;
  if (!device_number(target, "size", size)) return fail_kind(failure, target.status.st_mode);
  if (!device_number(target, "align", target.granule) &&
      !device_number(target, "device/align", target.granule))
    target.granule = kDaxGranule;
  if (wanted.offset >= size)
    return fail(failure, "ERR_TRUNCATED", wanted.offset)
           << "offset " << Hex{wanted.offset} << " is behind the end; device has " << size << " bytes";
  if (is_noexec(target.fd)) return fail_noexec(failure);  // what is copied from it would get around that
  const uint64_t skipped = wanted.offset & (target.granule - 1);
  target.view_size = page_down(size, target.granule) - (wanted.offset - skipped);
  const long got = sys::mmap(0, target.view_size, PROT_READ, MAP_SHARED, target.fd, wanted.offset - skipped);
  if (sys::failed(got)) return fail_system(failure, "mmap", got) << "a view of the device for its headers";
  target.source = Source{target.fd, wanted.offset, target.view_size - skipped,
                         reinterpret_cast<const uint8_t*>(got) + skipped};
  target.private_mappings = false;
  return narrow(wanted, target, failure);
}

}  // namespace

bool is_noexec(int fd) {
  struct statfs status;
  const long got = sys::call(SYS_fstatfs, fd, reinterpret_cast<long>(&status));
  return !sys::failed(got) && (status.f_flags & kNoexec) != 0;
}

bool open_target(const Wanted& wanted, Target& target, Failure& failure) {
  if (wanted.offset % wanted.page != 0)
    return fail(failure, "ERR_OFFSET", wanted.offset)
           << "offset " << Hex{wanted.offset} << " is not page aligned; want a multiple of " << wanted.page;
  if (!open_file(wanted.path, target, failure)) return false;
  target.granule = wanted.page;
  if (S_ISCHR(target.status.st_mode)) return view_device(wanted, target, failure);
  if (!S_ISREG(target.status.st_mode)) return fail_kind(failure, target.status.st_mode);
  if (!check_privilege(target, failure) || !check_permission(wanted, target, failure)) return false;
  const auto size = static_cast<uint64_t>(target.status.st_size);
  if (wanted.offset != 0 && wanted.offset >= size)
    return fail(failure, "ERR_TRUNCATED", wanted.offset)
           << "offset " << Hex{wanted.offset} << " is behind the end; file has " << size << " bytes";
  target.source = Source{target.fd, wanted.offset, size - wanted.offset, nullptr};
  return narrow(wanted, target, failure);
}

void close_target(Target& target) {
  if (target.source.view != nullptr)
    sys::munmap(page_down(reinterpret_cast<uint64_t>(target.source.view), target.granule), target.view_size);
  if (target.fd >= 0) sys::close(target.fd);
  target.fd = -1;
}

}  // namespace insitu
