#include "instruction.h"

#include <cstring>

namespace order {
namespace {

struct Prefixes {
  bool lock = false, operand_size = false, address_size = false, rep = false, repne = false;
  uint64_t segment_base = 0;
  uint8_t rex = 0;  // or the same bits of a VEX or EVEX prefix
};

/// Bytes of one instruction; zeros after their end, so that a short read never decodes as one of ours.
class Code {
 public:
  Code(const uint8_t* code, size_t size) { memcpy(bytes_, code, size < 15 ? size : 15); }
  uint8_t operator[](size_t at) const { return at < sizeof bytes_ ? bytes_[at] : 0; }
  int32_t word(size_t at) const {
    uint32_t value = 0;
    for (int i = 3; i >= 0; i--) value = value << 8 | (*this)[at + i];
    return static_cast<int32_t>(value);
  }

 private:
  uint8_t bytes_[16] = {};
};

size_t read_prefixes(const Code& code, const user_regs_struct& regs, Prefixes& prefixes) {
  for (size_t at = 0;; at++) switch (code[at]) {
      case 0xf0:
        prefixes.lock = true;
        break;
      case 0x66:
        prefixes.operand_size = true;
        break;
      case 0x67:
        prefixes.address_size = true;
        break;
      case 0xf3:
        prefixes.rep = true;
        break;
      case 0xf2:
        prefixes.repne = true;
        break;
      case 0x64:
        prefixes.segment_base = regs.fs_base;
        break;
      case 0x65:
        prefixes.segment_base = regs.gs_base;
        break;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        break;
      default:
        if ((code[at] & 0xf0) != 0x40) return at;
        prefixes.rex = code[at];
        return at + 1;
    }
}

uint64_t register_value(unsigned number, const user_regs_struct& regs) {
  const unsigned long long* const values[16] = {
      &regs.rax, &regs.rcx, &regs.rdx, &regs.rbx, &regs.rsp, &regs.rbp, &regs.rsi, &regs.rdi,
      &regs.r8,  &regs.r9,  &regs.r10, &regs.r11, &regs.r12, &regs.r13, &regs.r14, &regs.r15};
  return *values[number & 15];
}

/// The address of a ModRM memory operand at `at`, of an instruction without an immediate; sets the length.
/// Intel SDM volume 2, 2.1.5 (ModRM and SIB) and 2.2.1 (REX, RIP-relative).
uint64_t memory_operand(const Code& code, size_t at, const Prefixes& prefixes, const user_regs_struct& regs,
                        Instruction& instruction) {
  const unsigned mod = code[at] >> 6, rm = code[at] & 7;
  const unsigned base_bit = (prefixes.rex & 1) << 3, index_bit = (prefixes.rex & 2) << 2;
  size_t end = at + 1;
  uint64_t address = 0;
  bool wide = mod == 2, relative = false;
  if (rm == 4) {
    const uint8_t sib = code[end++];
    const unsigned index = (sib >> 3 & 7) | index_bit, base = sib & 7;
    if (index != 4) address += register_value(index, regs) << (sib >> 6);
    if (base == 5 && mod == 0)
      wide = true;
    else
      address += register_value(base | base_bit, regs);
  } else if (rm == 5 && mod == 0) {
    wide = relative = true;
  } else {
    address += register_value(rm | base_bit, regs);
  }
  if (wide) {
    address += static_cast<int64_t>(code.word(end));
    end += 4;
  } else if (mod == 1) {
    address += static_cast<int64_t>(static_cast<int8_t>(code[end++]));
  }
  if (relative) address += regs.rip + end;
  if (prefixes.address_size) address &= 0xffffffff;
  instruction.length = static_cast<unsigned>(end);
  return address + prefixes.segment_base;
}

/// 0F AE: fences where ModRM names a register, write-backs where it names memory.
void decode_group15(const Code& code, size_t at, const Prefixes& prefixes, const user_regs_struct& regs,
                    Instruction& instruction) {
  const unsigned mod = code[at] >> 6, operation = code[at] >> 3 & 7;
  if (prefixes.rep || prefixes.repne) return;
  if (mod == 3) {
    if (prefixes.operand_size) return;
    if (operation == 7) instruction.kind = Kind::sfence;
    if (operation == 6) instruction.kind = Kind::mfence;
    instruction.length = static_cast<unsigned>(at + 1);
    return;
  }
  if (operation == 6 && prefixes.operand_size) instruction.kind = Kind::clwb;
  if (operation == 7) instruction.kind = prefixes.operand_size ? Kind::clflushopt : Kind::clflush;
  if (instruction.kind != Kind::other)
    instruction.address = memory_operand(code, at, prefixes, regs, instruction);
}

/// movntps, movntpd, movntq, movntdq and maskmov: also under their VEX and EVEX names.
bool is_nontemporal(uint8_t opcode) {
  return opcode == 0x2b || opcode == 0xc3 || opcode == 0xe7 || opcode == 0xf7;
}

/// The opcode of a VEX or EVEX instruction of the map that 0F selects elsewhere; 0 of any other.
uint8_t vector_opcode(const Code& code, size_t at) {
  if (code[at] == 0xc5) return code[at + 2];
  if (code[at] == 0xc4) return (code[at + 1] & 0x1f) == 1 ? code[at + 3] : 0;
  if (code[at] == 0x62) return (code[at + 1] & 7) == 1 ? code[at + 4] : 0;
  return 0;
}

}  // namespace

Instruction decode(const uint8_t* bytes, size_t size, const user_regs_struct& regs) {
  const Code code(bytes, size);
  Instruction instruction;
  Prefixes prefixes;
  const size_t at = read_prefixes(code, regs, prefixes);
  const uint8_t opcode = code[at], second = code[at + 1], modrm = code[at + 1];
  if (prefixes.lock) {
    instruction.kind = Kind::locked;
  } else if (opcode == 0x0f) {
    if (second == 0x05) instruction.kind = Kind::syscall;
    if (second == 0xae) decode_group15(code, at + 2, prefixes, regs, instruction);
    // F7 and E7 with F2 or F3 are conversions between registers; C3 is movnti only without 66.
    if (is_nontemporal(second) && !prefixes.rep && !prefixes.repne) instruction.kind = Kind::nontemporal;
  } else if ((opcode == 0x86 || opcode == 0x87) && modrm >> 6 != 3) {
    instruction.kind = Kind::locked;  // xchg with memory locks without being told to
  } else if (const uint8_t vector = vector_opcode(code, at);
             vector == 0x2b || vector == 0xe7 || vector == 0xf7) {
    // F7 is vmaskmovdqu only in map 1 with a register operand, and a shift by a register in map 2, which
    // never stores.
    instruction.kind = Kind::nontemporal;
  }
  const bool string = (opcode >= 0xa4 && opcode <= 0xa7) || opcode == 0xaa || opcode == 0xab;
  instruction.repeated = string && (prefixes.rep || prefixes.repne);
  if (instruction.repeated) instruction.length = static_cast<unsigned>(at + 1);
  return instruction;
}

const char* kind_name(Kind kind) {
  static const char* const names[] = {"other",      "sfence",  "mfence",      "locked", "clwb",
                                      "clflushopt", "clflush", "nontemporal", "syscall"};
  return names[static_cast<int>(kind)];
}

}  // namespace order
