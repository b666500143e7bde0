// System calls that matter to a region, by number and arguments (x86-64: rdi, rsi, rdx, r10).
#pragma once
#include "region.h"
#include "tracee.h"

namespace order {

/// The path that access(2) or one of its relatives was asked about, or "".
std::string probed_path(const Tracee& tracee, long number, const user_regs_struct& regs);
bool changes_mappings(long number);
/// Whether the kernel stores into the program's mapping of the region (read(2) into it, and so on). With
/// vectors (readv) that is not looked up: yes.
bool stores_into(const Region& region, const user_regs_struct& regs, long number);
/// Whether the call writes to a descriptor of the region, or changes its size.
bool writes_to(const Region& region, const Tracee& tracee, long number, const user_regs_struct& regs);

}  // namespace order
