#include "stored.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "file_type.h"
#include "library.h"
#include "sys.h"

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x1000
#endif
#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

namespace insitu {
namespace {

[[noreturn]] void refuse(int error, const char* call) {
  LoadFailure failure;
  fail_system(failure, call, -error);
  throw failure;
}

[[noreturn]] void refuse_type(uint32_t mode) {
  LoadFailure failure;
  fail(failure, "ERR_NOT_MAPPABLE", 0)
      << "is " << file_type_name(mode) << "; want a regular file or a device-dax node";
  throw failure;
}

/// A socket can't even be opened (ENXIO), nor a device without a driver; which of them it is says more.
[[noreturn]] void refuse_open(const char* path, int error) {
  struct stat file;
  if (error == ENXIO && stat(path, &file) == 0) refuse_type(file.st_mode);
  refuse(error, "open");
}

bool is_ram_file_system(uint64_t type) {
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC || type == HUGETLBFS_MAGIC;
}

bool grants_map_sync(int fd, uint64_t length) {
  const long got = sys::mmap(0, length, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
  if (sys::failed(got)) return false;
  sys::munmap(static_cast<uint64_t>(got), length);
  return true;
}

/// A number in a file of /sys; 0 when there is none.
uint64_t sysfs_number(const char* directory, const char* name) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE* file = fopen(path, "re");
  if (file == nullptr) return 0;
  unsigned long long value = 0;
  if (fscanf(file, "%lli", reinterpret_cast<long long*>(&value)) != 1) value = 0;
  fclose(file);
  return value;
}

}  // namespace

StoredFile::StoredFile(const char* path, bool file_system) {
  // O_NONBLOCK: a FIFO without a writer must not hang, it is refused by its type afterwards.
  fd_ = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd_ < 0) refuse_open(path, errno);
  try {
    sense(file_system);
  } catch (...) {
    close(fd_);
    throw;
  }
}

StoredFile::StoredFile(int fd) : fd_(fd), owned_(false) { sense(true); }

StoredFile::~StoredFile() {
  if (owned_ && fd_ >= 0) close(fd_);
}

int StoredFile::release() { return std::exchange(fd_, -1); }

StorageRules StoredFile::rules(uint64_t start) const {
  return StorageRules{start, facts_.granule, facts_.medium != Medium::devdax};
}

void StoredFile::sense(bool file_system) {
  struct statx stx;
  if (statx(fd_, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &stx) != 0) refuse(errno, "statx");
  facts_.mode = stx.stx_mode;
  facts_.size = stx.stx_size;
  facts_.inode = stx.stx_ino;
  facts_.mount_id = (stx.stx_mask & STATX_MNT_ID) ? stx.stx_mnt_id : 0;
  facts_.device_major = stx.stx_dev_major;
  facts_.device_minor = stx.stx_dev_minor;
  facts_.special_major = stx.stx_rdev_major;
  facts_.special_minor = stx.stx_rdev_minor;
  facts_.attributes = stx.stx_attributes;
  facts_.attributes_mask = stx.stx_attributes_mask;
  facts_.granule = page_size();
  if (S_ISCHR(stx.stx_mode)) return sense_device();
  if (!S_ISREG(stx.stx_mode)) refuse_type(stx.stx_mode);
  // The attribute is this file's own state; mount options only say what was wished for.
  if (stx.stx_attributes & stx.stx_attributes_mask & STATX_ATTR_DAX) facts_.medium = Medium::dax;
  if (file_system) sense_file_system();
  if (facts_.medium == Medium::dax) facts_.map_sync = grants_map_sync(fd_, facts_.granule);
}

void StoredFile::sense_file_system() {
  struct statfs fs;
  if (S_ISCHR(facts_.mode)) return;
  if (fstatfs(fd_, &fs) != 0) refuse(errno, "fstatfs");
  facts_.file_system_type = static_cast<uint64_t>(fs.f_type);
  facts_.mount_flags = static_cast<uint64_t>(fs.f_flags);
  if (facts_.medium == Medium::page_cache && is_ram_file_system(facts_.file_system_type))
    facts_.medium = Medium::ram;
}

void StoredFile::sense_device() {
  char directory[64], path[96], subsystem[256] = {};
  snprintf(directory, sizeof directory, "/sys/dev/char/%u:%u", facts_.special_major, facts_.special_minor);
  snprintf(path, sizeof path, "%s/subsystem", directory);
  const ssize_t length = readlink(path, subsystem, sizeof subsystem - 1);
  const char* name = length > 0 ? strrchr(subsystem, '/') : nullptr;
  if (name == nullptr || strcmp(name, "/dax") != 0) refuse_type(facts_.mode);
  facts_.size = sysfs_number(directory, "size");
  facts_.granule = sysfs_number(directory, "align");
  // Where /sys does not tell the alignment (older kernels), 2 MiB is what the driver defaults to.
  if (facts_.granule < page_size()) facts_.granule = uint64_t{2} << 20;
  facts_.medium = Medium::devdax;
  facts_.map_sync = grants_map_sync(fd_, facts_.granule);
}

bool has_file_capabilities(int fd) { return fgetxattr(fd, "security.capability", nullptr, 0) > 0; }

}  // namespace insitu
