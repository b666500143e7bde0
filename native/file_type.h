#pragma once
#include <sys/stat.h>

#include <cstdint>

namespace insitu {

/// What a file that is neither regular nor device-dax is, for messages.
inline const char* file_type_name(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a FIFO";
    case S_IFSOCK:
      return "a socket";
    case S_IFBLK:
      return "a block device";
    case S_IFCHR:
      return "a character device that is not device-dax";
    default:
      return "not a regular file";
  }
}

}  // namespace insitu
