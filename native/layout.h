// How a file lies on its medium, and whether 2 MiB pages can map it: what the file system tells (FIEMAP), and
// what page faults show. The three must agree modulo 2 MiB: place on the medium, offset in the file, and
// address in memory.
#pragma once
#include <cstdint>

namespace insitu {

constexpr uint64_t kHugeBlock = uint64_t{2} << 20;

/// Of the 2 MiB blocks of a file that lie wholly inside a range of it.
struct HugeLayout {
  bool told = false;      // the file system tells where the file lies
  bool absolute = false;  // ... and /sys where its device does; else it is taken to begin at a 2 MiB boundary
  uint64_t base = 0;      // where the file system begins on the medium, modulo 2 MiB
  uint64_t blocks = 0;    // all
  uint64_t huge = 0;      // those that are one extent on a 2 MiB boundary
  uint64_t first = 0;     // offset in the file of the first of the others
  uint64_t misalignment = 0;  // of that one: place on the medium less place in the file, modulo 2 MiB
};

HugeLayout huge_layout(int fd, uint64_t offset, uint64_t length);

/// One extent: the file's bytes from `logical` on lie at `physical` of the file system's device.
struct Extent {
  uint64_t logical = 0, physical = 0, length = 0;
};

/// The extent that holds byte `offset` of the file, or the first behind it. False when there is none, or the
/// file system does not tell.
bool extent_at(int fd, uint64_t offset, Extent& extent);

struct TouchCount {
  uint64_t pages = 0, faults = 0;
};

/// Maps the range anew at an address that is congruent to its offset modulo 2 MiB, and reads a byte of each
/// page: one fault for each page that the kernel could map. In a child process, so that a file which shrinks
/// meanwhile ends nothing else: false then. Throws LoadFailure when it cannot be mapped.
bool count_faults(int fd, uint64_t offset, uint64_t length, TouchCount& count);

/// As fallocate(2), FALLOC_FL_* in `mode`. Gives 0 or -errno.
int allocate(int fd, int mode, uint64_t offset, uint64_t length);

}  // namespace insitu
