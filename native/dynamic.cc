#include "dynamic.h"

namespace insitu {
namespace {

constexpr uint64_t kMaxEntries = 4096;

struct Name {
  int64_t tag;
  const char* text;
};

const char* tag_name(int64_t tag) {
  static constexpr Name names[] = {
      {DT_STRTAB, "DT_STRTAB"},
      {DT_SYMTAB, "DT_SYMTAB"},
      {DT_RELA, "DT_RELA"},
      {DT_JMPREL, "DT_JMPREL"},
      {DT_RELR, "DT_RELR"},
      {DT_HASH, "DT_HASH"},
      {DT_GNU_HASH, "DT_GNU_HASH"},
      {DT_VERSYM, "DT_VERSYM"},
      {DT_VERNEED, "DT_VERNEED"},
      {DT_VERDEF, "DT_VERDEF"},
      {DT_INIT, "DT_INIT"},
      {DT_FINI, "DT_FINI"},
      {DT_INIT_ARRAY, "DT_INIT_ARRAY"},
      {DT_FINI_ARRAY, "DT_FINI_ARRAY"},
  };
  for (const Name& name : names)
    if (name.tag == tag) return name.text;
  return "DT_?";
}

/// What the table gave, before it is checked as a whole (entries come in any order).
struct Raw {
  uint64_t values[40] = {};
  uint64_t versym = 0, verneed = 0, verdef = 0, gnu_hash = 0;
  uint64_t at = 0;  // of the dynamic section in the image
  uint64_t operator[](int64_t tag) const { return values[tag]; }
};

bool take_entry(const Elf64_Dyn& entry, uint64_t at, Raw& raw, Dynamic& dynamic, Failure& failure) {
  const uint64_t value = entry.d_un.d_val;
  switch (entry.d_tag) {
    case DT_NEEDED:
      if (dynamic.needed_count == kMaxNeeded)
        return fail(failure, "ERR_DYNAMIC", at)
               << "has more than " << kMaxNeeded << " DT_NEEDED entries; want no more";
      dynamic.needed[dynamic.needed_count++] =
          static_cast<uint32_t>(value < kNoString ? value : kNoString - 1);
      return true;
    case DT_SONAME:
      dynamic.soname = static_cast<uint32_t>(value < kNoString ? value : kNoString - 1);
      return true;
    case DT_RUNPATH:
      dynamic.runpath = static_cast<uint32_t>(value < kNoString ? value : kNoString - 1);
      return true;
    case DT_RPATH:
      dynamic.rpath = static_cast<uint32_t>(value < kNoString ? value : kNoString - 1);
      return true;
    case DT_TEXTREL:
      dynamic.text_relocations = true;
      return true;
    case DT_FLAGS_1:
      dynamic.flags_1 = value;
      return true;
    case DT_VERSYM:
      raw.versym = value;
      return true;
    case DT_VERNEED:
      raw.verneed = value;
      return true;
    case DT_VERDEF:
      raw.verdef = value;
      return true;
    case DT_GNU_HASH:
      raw.gnu_hash = value;
      return true;
    case DT_REL:
      return fail(failure, "ERR_DYNAMIC", at) << "has DT_REL relocations; want DT_RELA on this processor";
    default:
      if (entry.d_tag > 0 && entry.d_tag < 40) raw.values[entry.d_tag] = value;
      return true;
  }
}

bool read_entries(const Source& source, const Image& image, Raw& raw, Dynamic& dynamic, Failure& failure) {
  const Segment* in = image.stored_at(image.dynamic.vaddr, image.dynamic.size);
  const uint64_t start = image.dynamic.vaddr - in->vaddr + in->offset;
  raw.at = start;
  const uint64_t total = image.dynamic.size / sizeof(Elf64_Dyn);
  Elf64_Dyn batch[32];
  for (uint64_t first = 0; first < total && first < kMaxEntries; first += 32) {
    const uint64_t count = total - first < 32 ? total - first : 32;
    const uint64_t at = start + first * sizeof(Elf64_Dyn);
    if (!source.read(at, batch, count * sizeof(Elf64_Dyn)))
      return fail(failure, "ERR_CHANGED", at) << "dynamic section could not be read";
    for (uint64_t i = 0; i < count; i++) {
      if (batch[i].d_tag == DT_NULL) return true;
      if (!take_entry(batch[i], at + i * sizeof(Elf64_Dyn), raw, dynamic, failure)) return false;
    }
  }
  return fail(failure, "ERR_DYNAMIC", start)
         << "dynamic section of " << total << " entries has no end; want a DT_NULL entry";
}

/// A table of known size.
bool take_table(const Image& image, int64_t tag, uint64_t vaddr, uint64_t size, uint64_t entry, uint64_t at,
                Range& range, Failure& failure) {
  if (size == 0) return true;
  if (size % entry != 0)
    return fail(failure, "ERR_DYNAMIC", at)
           << tag_name(tag) << " has a size of " << size << " bytes; want a multiple of " << entry;
  if ((entry >= 8 && vaddr % 8 != 0) || image.table_at(vaddr, size) == nullptr)
    return fail(failure, "ERR_DYNAMIC", at) << tag_name(tag) << " is at " << Hex{vaddr} << " + " << Hex{size}
                                            << "; want it aligned and inside a readable PT_LOAD's file bytes";
  range = Range{vaddr, size};
  return true;
}

/// A table whose size is not stored: what is left of the segment's file bytes bounds it.
bool take_open_table(const Image& image, int64_t tag, uint64_t vaddr, uint64_t least, uint64_t align,
                     uint64_t at, Range& range, Failure& failure) {
  if (vaddr == 0) return true;
  const Segment* in = image.table_at(vaddr, least);
  if (in == nullptr || vaddr % align != 0)
    return fail(failure, "ERR_DYNAMIC", at) << tag_name(tag) << " is at " << Hex{vaddr}
                                            << "; want it aligned and inside a readable PT_LOAD's file bytes";
  range = Range{vaddr, in->file_end() - vaddr};
  return true;
}

bool take_relocations(const Image& image, const Raw& raw, Dynamic& d, Failure& failure) {
  if ((raw[DT_RELA] != 0 && raw[DT_RELAENT] != sizeof(Elf64_Rela)) ||
      (raw[DT_RELR] != 0 && raw[DT_RELRENT] != sizeof(uint64_t)))
    return fail(failure, "ERR_DYNAMIC", raw.at) << "DT_RELAENT is " << raw[DT_RELAENT] << " and DT_RELRENT "
                                                << raw[DT_RELRENT] << "; want 24 and 8";
  if (raw[DT_JMPREL] != 0 && raw[DT_PLTREL] != DT_RELA)
    return fail(failure, "ERR_DYNAMIC", raw.at) << "DT_PLTREL is " << raw[DT_PLTREL] << "; want 7 (DT_RELA)";
  if ((raw[DT_RELASZ] != 0 && raw[DT_RELA] == 0) || (raw[DT_PLTRELSZ] != 0 && raw[DT_JMPREL] == 0))
    return fail(failure, "ERR_DYNAMIC", raw.at)
           << "has the size of a relocation table and no DT_RELA or DT_JMPREL; want both or neither";
  return take_table(image, DT_RELA, raw[DT_RELA], raw[DT_RELASZ], sizeof(Elf64_Rela), raw.at, d.rela,
                    failure) &&
         take_table(image, DT_JMPREL, raw[DT_JMPREL], raw[DT_PLTRELSZ], sizeof(Elf64_Rela), raw.at, d.jmprel,
                    failure) &&
         take_table(image, DT_RELR, raw[DT_RELR], raw[DT_RELRSZ], sizeof(uint64_t), raw.at, d.relr, failure);
}

/// Headers only: chains are followed, and their faults found, when a symbol is looked up.
bool check_hash_tables(const Source& source, const Image& image, uint64_t at, Dynamic& d, Failure& failure) {
  if (d.hash && d.symtab) {
    uint32_t counts[2];
    if (!read_at(source, image, d.hash.vaddr, counts, sizeof counts))
      return fail(failure, "ERR_CHANGED", at) << "DT_HASH could not be read";
    const uint64_t needs = (uint64_t{counts[0]} + counts[1] + 2) * 4;
    if (counts[0] == 0 || needs > d.hash.size || counts[1] > d.symbol_limit())
      return fail(failure, "ERR_HASH", at) << "DT_HASH has " << counts[0] << " buckets and " << counts[1]
                                           << " chains; want buckets, and all inside a PT_LOAD's file bytes";
    d.symtab.size = uint64_t{counts[1]} * sizeof(Elf64_Sym);
  }
  if (d.gnu_hash && d.symtab) {
    uint32_t header[4];  // buckets, first symbol, Bloom words, Bloom shift
    if (!read_at(source, image, d.gnu_hash.vaddr, header, sizeof header))
      return fail(failure, "ERR_CHANGED", at) << "DT_GNU_HASH could not be read";
    const bool bloom = header[2] != 0 && (header[2] & (header[2] - 1)) == 0;
    const uint64_t needs = 16 + 8 * uint64_t{header[2]} + 4 * uint64_t{header[0]};
    if (!bloom || header[0] == 0 || needs > d.gnu_hash.size || header[1] > d.symbol_limit())
      return fail(failure, "ERR_HASH", at)
             << "DT_GNU_HASH has " << header[0] << " buckets, " << header[2]
             << " Bloom words and first symbol " << header[1]
             << "; want buckets, a power of two, and all inside a PT_LOAD's file bytes";
  }
  return true;
}

bool take_symbols(const Source& source, const Image& image, const Raw& raw, Dynamic& d, Failure& failure) {
  if (!take_table(image, DT_STRTAB, raw[DT_STRTAB], raw[DT_STRSZ], 1, raw.at, d.strtab, failure))
    return false;
  if (raw[DT_SYMTAB] != 0 && raw[DT_SYMENT] != sizeof(Elf64_Sym))
    return fail(failure, "ERR_DYNAMIC", raw.at) << "DT_SYMENT is " << raw[DT_SYMENT] << "; want 24";
  if (d.strtab) {
    char last = 1;
    if (image.stored_at(d.strtab.vaddr, 1)->flags & PF_W)
      return fail(failure, "ERR_DYNAMIC", raw.at)
             << "DT_STRTAB is writable; want strings that stay as they are";
    if (!read_at(source, image, d.strtab.vaddr + d.strtab.size - 1, &last, 1) || last != '\0')
      return fail(failure, "ERR_DYNAMIC", raw.at)
             << "DT_STRTAB does not end in a NUL; want terminated strings";
  }
  if (!take_open_table(image, DT_SYMTAB, raw[DT_SYMTAB], sizeof(Elf64_Sym), 8, raw.at, d.symtab, failure) ||
      !take_open_table(image, DT_HASH, raw[DT_HASH], 8, 4, raw.at, d.hash, failure) ||
      !take_open_table(image, DT_GNU_HASH, raw.gnu_hash, 16, 8, raw.at, d.gnu_hash, failure) ||
      !take_open_table(image, DT_VERSYM, raw.versym, 2, 2, raw.at, d.versym, failure) ||
      !take_open_table(image, DT_VERNEED, raw.verneed, sizeof(Elf64_Verneed), 4, raw.at, d.verneed,
                       failure) ||
      !take_open_table(image, DT_VERDEF, raw.verdef, sizeof(Elf64_Verdef), 4, raw.at, d.verdef, failure))
    return false;
  if (d.symtab && !d.strtab)
    return fail(failure, "ERR_DYNAMIC", raw.at) << "has DT_SYMTAB and no DT_STRTAB; want both";
  // No tag holds the number of symbols. Linkers put the strings behind them; a hash table knows better.
  if (d.symtab && d.strtab.vaddr > d.symtab.vaddr && d.strtab.vaddr - d.symtab.vaddr < d.symtab.size)
    d.symtab.size = d.strtab.vaddr - d.symtab.vaddr;
  return check_hash_tables(source, image, raw.at, d, failure);
}

bool check_string(const Dynamic& d, uint32_t offset, const char* what, uint64_t at, Failure& failure) {
  if (offset == kNoString || offset < d.strtab.size) return true;
  return fail(failure, "ERR_DYNAMIC", at)
         << what << " is string " << offset << "; the string table has " << d.strtab.size << " bytes";
}

bool take_functions(const Image& image, const Raw& raw, Dynamic& d, Failure& failure) {
  d.init = raw[DT_INIT];
  d.fini = raw[DT_FINI];
  const uint64_t code[] = {d.init, d.fini};
  for (uint64_t vaddr : code) {
    const Segment* in = image.stored_at(vaddr, 1);
    if (vaddr != 0 && (in == nullptr || !(in->flags & PF_X)))
      return fail(failure, "ERR_DYNAMIC", raw.at) << tag_name(vaddr == d.init ? DT_INIT : DT_FINI) << " is "
                                                  << Hex{vaddr} << "; want an address in text";
  }
  return take_table(image, DT_INIT_ARRAY, raw[DT_INIT_ARRAY], raw[DT_INIT_ARRAYSZ], 8, raw.at, d.init_array,
                    failure) &&
         take_table(image, DT_FINI_ARRAY, raw[DT_FINI_ARRAY], raw[DT_FINI_ARRAYSZ], 8, raw.at, d.fini_array,
                    failure);
}

}  // namespace

bool read_at(const Source& source, const Image& image, uint64_t vaddr, void* to, uint64_t count) {
  const Segment* in = image.stored_at(vaddr, count);
  return in != nullptr && source.read(vaddr - in->vaddr + in->offset, to, count);
}

bool read_dynamic(const Source& source, const Image& image, Dynamic& d, Failure& failure) {
  if (!image.dynamic) return true;
  Raw raw;
  if (!read_entries(source, image, raw, d, failure)) return false;
  d.flags = raw[DT_FLAGS];
  if (d.flags & DF_TEXTREL) d.text_relocations = true;
  if (!take_symbols(source, image, raw, d, failure) || !take_relocations(image, raw, d, failure) ||
      !take_functions(image, raw, d, failure))
    return false;
  for (uint32_t i = 0; i < d.needed_count; i++)
    if (!check_string(d, d.needed[i], "DT_NEEDED", raw.at, failure)) return false;
  return check_string(d, d.soname, "DT_SONAME", raw.at, failure) &&
         check_string(d, d.runpath, "DT_RUNPATH", raw.at, failure) &&
         check_string(d, d.rpath, "DT_RPATH", raw.at, failure);
}

uint32_t gnu_hash_of(const char* name) {
  uint32_t h = 5381;
  for (; *name != '\0'; name++) h = h * 33 + static_cast<unsigned char>(*name);
  return h;
}

uint32_t sysv_hash_of(const char* name) {
  uint32_t h = 0;
  for (; *name != '\0'; name++) {
    h = (h << 4) + static_cast<unsigned char>(*name);
    h ^= (h >> 24) & 0xf0;
  }
  return h & 0x0fffffff;
}

namespace {

bool is_named(const Source& source, const Image& image, const Dynamic& d, const Elf64_Sym& symbol,
              const char* name) {
  char stored[64];
  const uint64_t length = __builtin_strlen(name) + 1;
  return length <= sizeof stored && symbol.st_name < d.strtab.size &&
         length <= d.strtab.size - symbol.st_name &&
         read_at(source, image, d.strtab.vaddr + symbol.st_name, stored, length) &&
         __builtin_memcmp(stored, name, length) == 0;
}

bool names_symbol(const Source& source, const Image& image, const Dynamic& d, uint32_t index,
                  const char* name) {
  Elf64_Sym symbol;
  return index < d.symbol_limit() &&
         read_at(source, image, d.symtab.vaddr + uint64_t{index} * 24, &symbol, 24) &&
         symbol.st_shndx != SHN_UNDEF && is_named(source, image, d, symbol, name);
}

bool in_gnu_hash(const Source& source, const Image& image, const Dynamic& d, const char* name) {
  uint32_t header[4];  // nbuckets, symoffset, bloom words, bloom shift
  const uint64_t table = d.gnu_hash.vaddr;
  if (!read_at(source, image, table, header, sizeof header) || header[0] == 0 || header[2] == 0) return false;
  const uint32_t h = gnu_hash_of(name);
  uint64_t word;
  if (!read_at(source, image, table + 16 + 8 * uint64_t{(h / 64) & (header[2] - 1)}, &word, 8)) return false;
  if (!((word >> (h % 64)) & (word >> ((h >> (header[3] & 31)) % 64)) & 1)) return false;
  const uint64_t buckets = table + 16 + 8 * uint64_t{header[2]};
  uint32_t index;
  if (!read_at(source, image, buckets + 4 * uint64_t{h % header[0]}, &index, 4) || index < header[1])
    return false;
  const uint64_t chains = buckets + 4 * uint64_t{header[0]};
  for (; index < d.symbol_limit(); index++) {
    uint32_t value;
    if (!read_at(source, image, chains + 4 * uint64_t{index - header[1]}, &value, 4)) return false;
    if ((value | 1) == (h | 1) && names_symbol(source, image, d, index, name)) return true;
    if (value & 1) return false;
  }
  return false;
}

bool in_sysv_hash(const Source& source, const Image& image, const Dynamic& d, const char* name) {
  uint32_t counts[2], index;
  const uint64_t table = d.hash.vaddr;
  if (!read_at(source, image, table, counts, sizeof counts) || counts[0] == 0 ||
      !read_at(source, image, table + 8 + 4 * uint64_t{sysv_hash_of(name) % counts[0]}, &index, 4))
    return false;
  for (uint32_t steps = 0; index != 0 && index < counts[1] && steps < counts[1]; steps++) {
    if (names_symbol(source, image, d, index, name)) return true;
    if (!read_at(source, image, table + 8 + 4 * (uint64_t{counts[0]} + index), &index, 4)) return false;
  }
  return false;
}

}  // namespace

bool exports_symbol(const Source& source, const Image& image, const Dynamic& d, const char* name) {
  if (!d.symtab) return false;
  if (d.gnu_hash) return in_gnu_hash(source, image, d, name);
  return d.hash && in_sysv_hash(source, image, d, name);
}

bool imports_symbol(const Source& source, const Image& image, const Dynamic& d, const char* name) {
  uint32_t header[2] = {0, 0};  // DT_GNU_HASH covers the defined symbols only, which lie behind the others
  if (d.gnu_hash && !read_at(source, image, d.gnu_hash.vaddr, header, sizeof header)) return false;
  const uint64_t limit = d.gnu_hash && header[1] < d.symbol_limit() ? header[1] : d.symbol_limit();
  Elf64_Sym batch[64];
  for (uint64_t first = 1; first < limit; first += 64) {
    const uint64_t count = limit - first < 64 ? limit - first : 64;
    if (!read_at(source, image, d.symtab.vaddr + first * 24, batch, count * 24)) return false;
    for (uint64_t i = 0; i < count; i++)
      if (batch[i].st_shndx == SHN_UNDEF && is_named(source, image, d, batch[i], name)) return true;
  }
  return false;
}

}  // namespace insitu
