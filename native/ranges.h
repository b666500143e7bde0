// The ranges of an image by what they are for, and where the pages of each are. By the image's own program
// headers and its bias: the protections that a mapping happens to have do not tell RELRO from text's tables,
// nor .bss from the heap behind it.
#pragma once
#include <vector>

#include "census.h"
#include "elf.h"

namespace insitu {

/// relro: read-only after relocation; bss: whole pages without file bytes. Names in loader/evidence.ts.
enum class RangeKind : uint32_t { text = 0, rodata = 1, relro = 2, data = 3, bss = 4 };

/// Page-aligned link-time addresses.
struct ImageRange {
  RangeKind kind = RangeKind::text;
  uint64_t vaddr = 0, end = 0;
};

struct RangeCensus {
  RangeKind kind = RangeKind::text;
  uint64_t address = 0, length = 0;  // bytes
  Census census;
};

/// In the order of their addresses, none empty.
std::vector<ImageRange> ranges_of(const Image& image, uint64_t page);

/// The census of an image that is mapped with this bias; `pid` 0 = this process.
std::vector<RangeCensus> take_census(int pid, const Image& image, uint64_t bias);

}  // namespace insitu
