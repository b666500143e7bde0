#include "system_call.h"

#include <sys/syscall.h>

namespace order {

std::string probed_path(const Tracee& tracee, long number, const user_regs_struct& regs) {
  if (number == SYS_access) return tracee.read_string(regs.rdi);
  if (number == SYS_faccessat || number == SYS_faccessat2) return tracee.read_string(regs.rsi);
  return "";
}

bool changes_mappings(long number) {
  return number == SYS_mmap || number == SYS_munmap || number == SYS_mremap || number == SYS_mprotect;
}

bool stores_into(const Region& region, const user_regs_struct& regs, long number) {
  switch (number) {
    case SYS_read:
    case SYS_pread64:
    case SYS_recvfrom:
      return region.touches(regs.rsi, regs.rdx);
    case SYS_readv:
    case SYS_preadv:
    case SYS_preadv2:
      return true;
    default:
      return false;
  }
}

bool writes_to(const Region& region, const Tracee& tracee, long number, const user_regs_struct& regs) {
  switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_writev:
    case SYS_pwritev:
    case SYS_pwritev2:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_sendfile:
      return region.is_descriptor(tracee, static_cast<int>(regs.rdi));
    case SYS_copy_file_range:
    case SYS_splice:
      return region.is_descriptor(tracee, static_cast<int>(regs.rdx));
    default:
      return false;
  }
}

}  // namespace order
