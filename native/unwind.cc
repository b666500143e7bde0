#include "unwind.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "published.h"

extern "C" int _dl_find_object(void*, dl_find_object*) noexcept __attribute__((weak));

namespace insitu {
namespace {

constexpr uint64_t kMaxEntries = 4096;

Published<UnwindEntry, kMaxEntries> entries;

/// One object's slot for _dl_find_object, and the pages of it that are read-only by now.
struct Slot {
  uint64_t address = 0;
  uint64_t relro_begin = 0, relro_end = 0;
};

struct DynamicTables {
  const Elf64_Sym* symbols = nullptr;
  const char* strings = nullptr;
  const Elf64_Rela* relocations[2] = {};  // DT_JMPREL, DT_RELA
  uint64_t sizes[2] = {};
};

DynamicTables tables_of_object(const dl_phdr_info& info, const Elf64_Dyn* dynamic) {
  DynamicTables t;
  const auto pointer = [&](uint64_t value) {
    return value < info.dlpi_addr ? value + info.dlpi_addr : value;
  };
  for (; dynamic->d_tag != DT_NULL; dynamic++) {
    const uint64_t value = dynamic->d_un.d_val;
    switch (dynamic->d_tag) {
      case DT_SYMTAB:
        t.symbols = reinterpret_cast<const Elf64_Sym*>(pointer(value));
        break;
      case DT_STRTAB:
        t.strings = reinterpret_cast<const char*>(pointer(value));
        break;
      case DT_JMPREL:
        t.relocations[0] = reinterpret_cast<const Elf64_Rela*>(pointer(value));
        break;
      case DT_PLTRELSZ:
        t.sizes[0] = value;
        break;
      case DT_RELA:
        t.relocations[1] = reinterpret_cast<const Elf64_Rela*>(pointer(value));
        break;
      case DT_RELASZ:
        t.sizes[1] = value;
        break;
      default:
        break;
    }
  }
  return t;
}

uint64_t slot_in(const dl_phdr_info& info, const DynamicTables& t) {
  if (t.symbols == nullptr || t.strings == nullptr) return 0;
  for (int k = 0; k < 2; k++)
    for (uint64_t i = 0; t.relocations[k] != nullptr && i < t.sizes[k] / sizeof(Elf64_Rela); i++) {
      const Elf64_Sym& symbol = t.symbols[ELF64_R_SYM(t.relocations[k][i].r_info)];
      if (strcmp(t.strings + symbol.st_name, "_dl_find_object") == 0)
        return info.dlpi_addr + t.relocations[k][i].r_offset;
    }
  return 0;
}

int find_slot(dl_phdr_info* info, size_t, void* context) {
  if (strstr(info->dlpi_name, "libgcc_s.so") == nullptr) return 0;
  Slot& slot = *static_cast<Slot*>(context);
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const Elf64_Phdr& ph = info->dlpi_phdr[i];
    if (ph.p_type == PT_GNU_RELRO) {
      slot.relro_begin = info->dlpi_addr + ph.p_vaddr;
      slot.relro_end = slot.relro_begin + ph.p_memsz;
    }
    if (ph.p_type == PT_DYNAMIC) {
      const auto* dynamic = reinterpret_cast<const Elf64_Dyn*>(info->dlpi_addr + ph.p_vaddr);
      slot.address = slot_in(*info, tables_of_object(*info, dynamic));
    }
  }
  return 1;
}

bool redirect(const Slot& slot) {
  if (slot.address == 0 || slot.address % sizeof(void*) != 0) return false;
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  auto* const first = reinterpret_cast<void*>(slot.address & ~(page - 1));
  const bool read_only = slot.address >= slot.relro_begin && slot.address < (slot.relro_end & ~(page - 1));
  if (read_only && mprotect(first, page, PROT_READ | PROT_WRITE) != 0) return false;
  auto* word = reinterpret_cast<std::atomic<uint64_t>*>(slot.address);
  word->store(reinterpret_cast<uint64_t>(&insitu_find_object), std::memory_order_release);
  if (read_only) mprotect(first, page, PROT_READ);
  return true;
}

}  // namespace

bool unwinder_knows_us() {
  static const bool known = [] {
    Slot slot;
    if (_dl_find_object == nullptr) return false;
    dl_iterate_phdr(find_slot, &slot);
    return redirect(slot);
  }();
  return known;
}

bool unwind_add(UnwindEntry* entry) { return entries.add(entry); }

void unwind_remove(UnwindEntry* entry) { entries.remove(entry); }

extern "C" int insitu_find_object(void* address, dl_find_object* result) {
  const UnwindEntry* entry = entries.find(reinterpret_cast<uint64_t>(address));
  if (entry == nullptr) return _dl_find_object(address, result);
  if (entry->eh_frame_hdr == nullptr) return -1;
  memset(result, 0, sizeof *result);
  result->dlfo_map_start = reinterpret_cast<void*>(entry->begin);
  result->dlfo_map_end = reinterpret_cast<void*>(entry->end);
  result->dlfo_link_map = entry->map;
  result->dlfo_eh_frame = const_cast<uint8_t*>(entry->eh_frame_hdr);
  return 0;
}

}  // namespace insitu
