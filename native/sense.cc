#include "sense.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#include <cstring>

#include "library.h"
#include "sys.h"

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000
#endif

namespace insitu {
namespace {

[[noreturn]] void refuse(int error, const char* call) {
  LoadFailure failure;
  fail_system(failure, call, -error);
  throw failure;
}

}  // namespace

int open_for_reading(const char* path) {
  // O_NONBLOCK: a FIFO without a writer must not hang, it is refused by its mode afterwards.
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) refuse(errno, "open");
  return fd;
}

StorageFacts sense(int fd) {
  struct statx stx;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &stx) != 0) refuse(errno, "statx");
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0) refuse(errno, "fstatfs");
  StorageFacts facts;
  facts.mode = stx.stx_mode;
  facts.size = stx.stx_size;
  facts.inode = stx.stx_ino;
  facts.mount_id = (stx.stx_mask & STATX_MNT_ID) ? stx.stx_mnt_id : 0;
  facts.device_major = stx.stx_dev_major;
  facts.device_minor = stx.stx_dev_minor;
  facts.special_major = stx.stx_rdev_major;
  facts.special_minor = stx.stx_rdev_minor;
  facts.attributes = stx.stx_attributes;
  facts.attributes_mask = stx.stx_attributes_mask;
  facts.file_system_type = static_cast<uint64_t>(fs.f_type);
  facts.mount_flags = static_cast<uint64_t>(fs.f_flags);
  facts.modified_seconds = static_cast<double>(stx.stx_mtime.tv_sec) + stx.stx_mtime.tv_nsec / 1e9;
  return facts;
}

bool grants_map_sync(int fd, uint64_t length) {
  const long got = sys::mmap(0, length, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
  if (sys::failed(got)) return false;
  sys::munmap(static_cast<uint64_t>(got), length);
  return true;
}

int first_extent_offset_in_huge_page(int fd, uint64_t& offset) {
  constexpr uint64_t kHuge = uint64_t{2} << 20;
  alignas(fiemap) uint8_t storage[sizeof(fiemap) + sizeof(fiemap_extent)] = {};
  auto* request = reinterpret_cast<fiemap*>(storage);
  request->fm_length = ~uint64_t{0};
  request->fm_extent_count = 1;
  if (ioctl(fd, FS_IOC_FIEMAP, request) != 0 || request->fm_mapped_extents == 0) return -1;
  const fiemap_extent& extent = request->fm_extents[0];
  offset = (extent.fe_physical - extent.fe_logical) % kHuge;
  return 0;
}

bool has_file_capabilities(int fd) { return fgetxattr(fd, "security.capability", nullptr, 0) > 0; }

}  // namespace insitu
