// The dynamic section (gABI chapter 5, "Dynamic Linking"): where the tables of a shared object lie, checked
// against its segments before anything follows them.
#pragma once
#include "elf.h"

namespace insitu {

constexpr uint32_t kMaxNeeded = 256;
constexpr uint32_t kNoString = ~uint32_t{0};

/// All addresses are link-time ones; each Range lies inside the file bytes of one PT_LOAD.
struct Dynamic {
  Range strtab, rela, jmprel, relr, init_array, fini_array;
  Range symtab;  // size = up to the end of what can hold symbols, see symbol_limit()
  Range hash, gnu_hash, versym, verneed, verdef;  // sizes likewise: up to the end of the segment's file bytes
  uint64_t init = 0, fini = 0;
  uint32_t needed[kMaxNeeded] = {};  // offsets into strtab
  uint32_t needed_count = 0;
  uint32_t soname = kNoString, runpath = kNoString, rpath = kNoString;
  uint64_t flags = 0, flags_1 = 0;
  bool text_relocations = false;

  uint64_t symbol_limit() const { return symtab.size / sizeof(Elf64_Sym); }
  bool is_pie() const { return (flags_1 & 0x08000000 /* DF_1_PIE */) != 0; }
};

/// Reads PT_DYNAMIC from the stored image. An image without one gives an empty Dynamic.
[[nodiscard]] bool read_dynamic(const Source& source, const Image& image, Dynamic& dynamic, Failure& failure);

/// Copies bytes at a link-time address out of the stored image; false where no PT_LOAD's file bytes hold
/// them.
bool read_at(const Source& source, const Image& image, uint64_t vaddr, void* to, uint64_t count);

/// True when the stored image exports `name`; looks at its hash table only (a few small reads).
bool exports_symbol(const Source& source, const Image& image, const Dynamic& dynamic, const char* name);

/// True when the stored image leaves `name` undefined. Reads the undefined part of its symbol table.
bool imports_symbol(const Source& source, const Image& image, const Dynamic& dynamic, const char* name);

uint32_t gnu_hash_of(const char* name);
uint32_t sysv_hash_of(const char* name);

}  // namespace insitu
