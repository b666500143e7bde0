// Where the pages of a mapping physically are: frame numbers (proc(5), /proc/pid/pagemap) against the ranges
// of /proc/iomem. The only proof of "in place": resident-set figures and mincore(2) say nothing about it.
#pragma once
#include <cstdint>

namespace insitu {

/// Counts of pages. present = nvm + ram + other + unknown; `unknown` where the kernel hides frame numbers
/// (no CAP_SYS_ADMIN). `anonymous` of the present ones no longer belong to the file: copied, or written to.
/// Where frame numbers are hidden, that cannot be told of a DAX file's pages, and all of them are counted
/// there.
struct Census {
  uint64_t pages = 0, present = 0, nvm = 0, ram = 0, other = 0, unknown = 0, anonymous = 0, swapped = 0;
  bool readable = true;  // pagemap could be opened
};

/// `pid` 0 = this process. The range is page aligned.
Census take_census(int pid, uint64_t address, uint64_t length);

}  // namespace insitu
