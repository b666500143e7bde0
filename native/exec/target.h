// The file a program is stored in: opened, checked and described, before anything of it is read.
#pragma once
#include <sys/stat.h>

#include "elf.h"

namespace insitu {

struct Target {
  int fd = -1;
  struct stat status = {};
  Source source;
  uint64_t granule = 0;          // bytes; what its mappings must be a multiple of
  bool private_mappings = true;  // device-dax has none
  uint64_t view_size = 0;        // of source.view, if that is set
};

struct Wanted {
  const char* path = nullptr;
  uint64_t offset = 0;     // bytes
  uint64_t size = 0;       // bytes from there on; 0 = to the end of the file
  bool permission = true;  // to execute; the images inside a container file have none of their own
  bool copy = false;
  uint64_t page = 0;  // bytes
};

/// Gives the descriptor (close-on-exec, read-only) to `target`.
[[nodiscard]] bool open_target(const Wanted& wanted, Target& target, Failure& failure);

/// Closes it and unmaps the view; what was mapped of it stays.
void close_target(Target& target);

bool is_noexec(int fd);

}  // namespace insitu
