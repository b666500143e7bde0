// What the next instruction of the traced thread means to persistent memory. Only that: everything else is
// `other`, because what an ordinary instruction stores is seen in the region itself.
#pragma once
#include <sys/user.h>

#include <cstddef>
#include <cstdint>

namespace order {

enum class Kind { other, sfence, mfence, locked, clwb, clflushopt, clflush, nontemporal, syscall };

struct Instruction {
  Kind kind = Kind::other;
  bool repeated = false;  // rep movs, rep stos…: a single step is one iteration of it
  uint64_t address = 0;   // of the memory operand; only of clwb, clflushopt and clflush
  unsigned length = 0;    // in bytes; only of fences, write-backs and what is repeated
};

/// Decodes the instruction whose first bytes are `code` (up to 15; fewer only at the end of a mapping).
Instruction decode(const uint8_t* code, size_t size, const user_regs_struct& regs);

/// As the trace names it.
const char* kind_name(Kind kind);

}  // namespace order
