// Symbol tables in memory: hash lookup and GNU symbol versions (gABI "Symbol Table" and "Hash Table"; LSB
// Core, "Symbol Versioning"). The same code looks into the image being linked, whose tables are hostile and
// bounded, and into objects that the process already runs, whose bounds are unknown and taken on trust
// (kUnbounded).
#pragma once
#include "dynamic.h"
#include "segments.h"

namespace insitu {

constexpr uint64_t kUnbounded = ~uint64_t{0} >> 8;

struct SymbolTables {
  const Elf64_Sym* symbols = nullptr;
  uint64_t symbol_limit = 0;
  const char* strings = nullptr;
  uint64_t strings_size = 0;
  const uint32_t* hash = nullptr;
  uint64_t hash_size = 0;  // bytes, as all sizes here
  const uint32_t* gnu_hash = nullptr;
  uint64_t gnu_hash_size = 0;
  const uint16_t* versym = nullptr;
  uint64_t versym_size = 0;
  const uint8_t* verdef = nullptr;
  uint64_t verdef_size = 0;
  const uint8_t* verneed = nullptr;
  uint64_t verneed_size = 0;

  /// Null where the name lies outside the string table.
  const char* name_of(const Elf64_Sym& symbol) const {
    return symbol.st_name < strings_size ? strings + symbol.st_name : nullptr;
  }
};

/// Tables of a mapped image; valid while the mapping is.
SymbolTables tables_of(const Dynamic& dynamic, const Mapping& mapping);

/// A name with the hash of it, and the version that the reference wants (null = any).
struct SymbolName {
  const char* name = nullptr;
  uint32_t gnu_hash = 0;
  const char* version = nullptr;
  bool weak = false;  // may stay undefined
};

/// Index of the defined symbol that satisfies `wanted`, or 0. Terminates on any table contents; `broken`, if
/// given, is set where a chain leaves its table, has no end or loops.
uint32_t find_symbol(const SymbolTables& tables, const SymbolName& wanted, bool* broken = nullptr);

/// Fills in the version that symbol `index` refers to through DT_VERNEED.
void wanted_version(const SymbolTables& tables, uint64_t index, SymbolName& wanted);

}  // namespace insitu
