#include "symbols.h"

namespace insitu {
namespace {

constexpr uint16_t kHidden = 0x8000;

bool same(const char* a, const char* b) { return __builtin_strcmp(a, b) == 0; }

/// Reads a T at `offset` of a table that is `size` bytes long.
template <typename T>
bool load(const uint8_t* table, uint64_t size, uint64_t offset, T& to) {
  if (offset > size || sizeof(T) > size - offset) return false;
  __builtin_memcpy(&to, table + offset, sizeof(T));
  return true;
}

/// Name of version definition `index` in DT_VERDEF, or null.
const char* defined_version(const SymbolTables& t, uint16_t index) {
  uint64_t at = 0;
  Elf64_Verdef def;
  for (int steps = 0; steps < 0x8000 && t.verdef != nullptr && load(t.verdef, t.verdef_size, at, def);
       steps++) {
    Elf64_Verdaux aux;
    if ((def.vd_ndx & ~kHidden) == index)
      return load(t.verdef, t.verdef_size, at + def.vd_aux, aux) && aux.vda_name < t.strings_size
                 ? t.strings + aux.vda_name
                 : nullptr;
    if (def.vd_next == 0) return nullptr;
    at += def.vd_next;
  }
  return nullptr;
}

/// Whether definition `index` has the version that was asked for. An unversioned definition satisfies anyone,
/// and an unversioned reference takes the default (not hidden) definition, as ld.so has it.
bool version_fits(const SymbolTables& t, uint64_t index, const SymbolName& wanted) {
  if (t.versym == nullptr || index >= t.versym_size / 2) return true;
  const uint16_t versym = t.versym[index];
  const uint16_t version = versym & ~kHidden;
  if (wanted.version == nullptr) return (versym & kHidden) == 0;
  if (version <= VER_NDX_GLOBAL) return (versym & kHidden) == 0;
  const char* name = defined_version(t, version);
  return name != nullptr && same(name, wanted.version);
}

bool fits(const SymbolTables& t, uint64_t index, const SymbolName& wanted) {
  if (index >= t.symbol_limit) return false;
  Elf64_Sym symbol;
  __builtin_memcpy(&symbol, &t.symbols[index], sizeof symbol);
  const char* name = t.name_of(symbol);
  const unsigned bind = ELF64_ST_BIND(symbol.st_info);
  return symbol.st_shndx != SHN_UNDEF && (bind == STB_GLOBAL || bind == STB_WEAK || bind == STB_GNU_UNIQUE) &&
         name != nullptr && same(name, wanted.name) && version_fits(t, index, wanted);
}

uint32_t in_gnu_hash(const SymbolTables& t, const SymbolName& wanted, bool& broken) {
  const uint64_t words = t.gnu_hash_size / 4;
  const uint32_t *table = t.gnu_hash, h = wanted.gnu_hash;
  if (words < 4) return 0;
  const uint32_t buckets = table[0], first = table[1], bloom_words = table[2];
  if (buckets == 0 || bloom_words == 0) return 0;
  const uint64_t bloom_at = 4 + 2 * uint64_t{(h / 64) & (bloom_words - 1)};
  const uint64_t bucket_at = 4 + 2 * uint64_t{bloom_words}, chain_at = bucket_at + buckets;
  if (bloom_at + 2 > words || chain_at > words) return 0;
  uint64_t bloom;
  __builtin_memcpy(&bloom, table + bloom_at, 8);
  if (!((bloom >> (h % 64)) & (bloom >> ((h >> (table[3] & 31)) % 64)) & 1)) return 0;
  uint32_t index = table[bucket_at + h % buckets];
  if (index == 0) return 0;  // an empty bucket
  broken = index < first || index >= t.symbol_limit;
  if (broken) return 0;
  for (; index < t.symbol_limit && chain_at + (index - first) < words; index++) {
    const uint32_t value = table[chain_at + (index - first)];
    if ((value | 1) == (h | 1) && fits(t, index, wanted)) return index;
    if (value & 1) return 0;
  }
  broken = true;
  return 0;
}

uint32_t in_sysv_hash(const SymbolTables& t, const SymbolName& wanted, bool& broken) {
  const uint64_t words = t.hash_size / 4;
  if (words < 2) return 0;
  const uint32_t buckets = t.hash[0], chains = t.hash[1];
  if (buckets == 0 || uint64_t{buckets} + chains + 2 > words) return 0;
  uint32_t index = t.hash[2 + sysv_hash_of(wanted.name) % buckets];
  for (uint32_t steps = 0; index != 0 && index < chains && steps < chains; steps++) {
    if (fits(t, index, wanted)) return index;
    index = t.hash[2 + uint64_t{buckets} + index];
  }
  broken = index != 0;  // left the table, or went round
  return 0;
}

}  // namespace

SymbolTables tables_of(const Dynamic& d, const Mapping& m) {
  SymbolTables t;
  const auto at = [&m](const Range& range) -> const uint8_t* { return range ? m.at(range.vaddr) : nullptr; };
  t.symbols = reinterpret_cast<const Elf64_Sym*>(at(d.symtab));
  t.symbol_limit = d.symbol_limit();
  t.strings = reinterpret_cast<const char*>(at(d.strtab));
  t.strings_size = d.strtab.size;
  t.hash = reinterpret_cast<const uint32_t*>(at(d.hash));
  t.hash_size = d.hash.size;
  t.gnu_hash = reinterpret_cast<const uint32_t*>(at(d.gnu_hash));
  t.gnu_hash_size = d.gnu_hash.size;
  t.versym = reinterpret_cast<const uint16_t*>(at(d.versym));
  t.versym_size = d.versym.size;
  t.verdef = at(d.verdef);
  t.verdef_size = d.verdef.size;
  t.verneed = at(d.verneed);
  t.verneed_size = d.verneed.size;
  return t;
}

uint32_t find_symbol(const SymbolTables& tables, const SymbolName& wanted, bool* broken) {
  bool ignored = false;
  bool& fault = broken != nullptr ? *broken : ignored;
  if (tables.gnu_hash != nullptr) return in_gnu_hash(tables, wanted, fault);
  return tables.hash != nullptr ? in_sysv_hash(tables, wanted, fault) : 0;
}

void wanted_version(const SymbolTables& t, uint64_t index, SymbolName& wanted) {
  if (t.versym == nullptr || t.verneed == nullptr || index >= t.versym_size / 2) return;
  const uint16_t version = t.versym[index] & ~kHidden;
  if (version <= VER_NDX_GLOBAL) return;
  Elf64_Verneed need;
  uint64_t at = 0;
  for (int files = 0; files < 4096 && load(t.verneed, t.verneed_size, at, need); files++) {
    Elf64_Vernaux aux;
    uint64_t aux_at = at + need.vn_aux;
    for (int i = 0; i < need.vn_cnt && load(t.verneed, t.verneed_size, aux_at, aux); i++) {
      if ((aux.vna_other & ~kHidden) == version && aux.vna_name < t.strings_size) {
        wanted.version = t.strings + aux.vna_name;
        return;
      }
      if (aux.vna_next == 0) break;
      aux_at += aux.vna_next;
    }
    if (need.vn_next == 0) return;
    at += need.vn_next;
  }
}

}  // namespace insitu
