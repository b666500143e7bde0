// What a file is stored on, as the kernel tells it: facts only, judged in loader/backing.ts.
#pragma once
#include <cstdint>
#include <string>

namespace insitu {

struct StorageFacts {
  uint32_t mode = 0;
  uint64_t size = 0, inode = 0, mount_id = 0;
  uint32_t device_major = 0, device_minor = 0;    // of the file system
  uint32_t special_major = 0, special_minor = 0;  // of a device node itself
  uint64_t attributes = 0, attributes_mask = 0;   // statx
  uint64_t file_system_type = 0;                  // statfs f_type
  uint64_t mount_flags = 0;                       // statfs f_flags (ST_NOEXEC …)
  double modified_seconds = 0;
};

/// open(2) for reading without ever blocking or following into a device's side effects. Throws LoadFailure.
int open_for_reading(const char* path);
StorageFacts sense(int fd);
/// Whether the kernel grants MAP_SYNC here: asked by trying.
bool grants_map_sync(int fd, uint64_t length);
/// File-system block map of the first extent: whether medium and file offset agree modulo 2 MiB. -1 =
/// unknown.
int first_extent_offset_in_huge_page(int fd, uint64_t& offset);
bool has_file_capabilities(int fd);

}  // namespace insitu
