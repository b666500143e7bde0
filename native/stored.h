// A file opened and sensed: what it is stored on, and what that allows (statx(2), statfs(2), /sys for
// device-dax).
#pragma once
#include "plan.h"

namespace insitu {

enum class Medium : uint32_t { page_cache = 0, ram = 1, dax = 2, devdax = 3 };

struct StorageFacts {
  uint32_t mode = 0;
  uint64_t size = 0, inode = 0, mount_id = 0;
  uint32_t device_major = 0, device_minor = 0;    // of the file system
  uint32_t special_major = 0, special_minor = 0;  // of a device node itself
  uint64_t attributes = 0, attributes_mask = 0;   // statx
  uint64_t file_system_type = 0;                  // statfs f_type
  uint64_t mount_flags = 0;                       // statfs f_flags (ST_NOEXEC …)
  Medium medium = Medium::page_cache;
  uint64_t granule = 0;   // bytes
  bool map_sync = false;  // asked by trying, where there is DAX
};

/// Owns the descriptor.
class StoredFile {
 public:
  /// For reading; never blocks on a FIFO. Throws LoadFailure: open(2)'s errors, or ERR_NOT_MAPPABLE for a
  /// directory, FIFO, socket or a device that is no device-dax node.
  /// Without `file_system`, type and mount flags are left 0 (and a RAM file system is not told from others):
  /// a load in place does without that system call, and its report finds the mount by its number.
  explicit StoredFile(const char* path, bool file_system = true);
  /// Senses a descriptor that stays the caller's.
  explicit StoredFile(int fd);
  ~StoredFile();
  StoredFile(const StoredFile&) = delete;
  StoredFile& operator=(const StoredFile&) = delete;

  /// What was left out. The mount stays the same as long as the file is open or mapped.
  void sense_file_system();

  int fd() const { return fd_; }
  const StorageFacts& facts() const { return facts_; }
  StorageRules rules(uint64_t start) const;
  int release();

 private:
  void sense(bool file_system);
  void sense_device();

  int fd_ = -1;
  bool owned_ = true;
  StorageFacts facts_;
};

bool has_file_capabilities(int fd);

}  // namespace insitu
