#include "relocate.h"

#include "sys.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace insitu {
namespace {

enum class Kind {
  none,
  relative,
  absolute,
  irelative,
  copy,
  tls_module,
  tls_offset,
  tls_descriptor,
  tls_initial,
  unknown
};

Kind kind_of(uint32_t type) {
  switch (type) {
#if defined(__x86_64__)
    case R_X86_64_NONE:
      return Kind::none;
    case R_X86_64_RELATIVE:
      return Kind::relative;
    case R_X86_64_64:
    case R_X86_64_GLOB_DAT:
    case R_X86_64_JUMP_SLOT:
      return Kind::absolute;
    case R_X86_64_IRELATIVE:
      return Kind::irelative;
    case R_X86_64_COPY:
      return Kind::copy;
    case R_X86_64_DTPMOD64:
      return Kind::tls_module;
    case R_X86_64_DTPOFF64:
      return Kind::tls_offset;
    case R_X86_64_TLSDESC:
      return Kind::tls_descriptor;
    case R_X86_64_TPOFF64:
    case R_X86_64_TPOFF32:
      return Kind::tls_initial;
#elif defined(__aarch64__)
    case R_AARCH64_NONE:
    case 256:
      return Kind::none;
    case R_AARCH64_RELATIVE:
      return Kind::relative;
    case R_AARCH64_ABS64:
    case R_AARCH64_GLOB_DAT:
    case R_AARCH64_JUMP_SLOT:
      return Kind::absolute;
    case R_AARCH64_IRELATIVE:
      return Kind::irelative;
    case R_AARCH64_COPY:
      return Kind::copy;
    case R_AARCH64_TLS_DTPMOD:
      return Kind::tls_module;
    case R_AARCH64_TLS_DTPREL:
      return Kind::tls_offset;
    case R_AARCH64_TLSDESC:
      return Kind::tls_descriptor;
    case R_AARCH64_TLS_TPREL:
      return Kind::tls_initial;
#endif
    default:
      return Kind::unknown;
  }
}

/// What only calls go through (a procedure linkage table).
bool is_call(uint32_t type) {
#if defined(__x86_64__)
  return type == R_X86_64_JUMP_SLOT;
#else
  return type == R_AARCH64_JUMP_SLOT;
#endif
}

/// A JUMP_SLOT or GLOB_DAT takes the symbol's value alone on x86-64 (psABI: "S"), with addend elsewhere ("S +
/// A").
bool ignores_addend(uint32_t type) {
#if defined(__x86_64__)
  return type == R_X86_64_GLOB_DAT || type == R_X86_64_JUMP_SLOT;
#else
  (void)type;
  return false;
#endif
}

#if defined(__x86_64__)
constexpr uint32_t kRelativeType = R_X86_64_RELATIVE;
#else
constexpr uint32_t kRelativeType = R_AARCH64_RELATIVE;
#endif

bool is_text(const Segment* segment) { return segment != nullptr && (segment->flags & PF_X) != 0; }

}  // namespace

Relocator::Relocator(const Image& image, const Dynamic& dynamic, const Mapping& mapping, const LinkHost& host,
                     uint64_t page)
    : image_(image),
      dynamic_(dynamic),
      mapping_(mapping),
      host_(host),
      tables_(tables_of(dynamic, mapping)),
      page_(page) {}

bool Relocator::check_target(uint64_t offset, uint64_t at, Failure& failure) {
  if (offset >= target_first_ && offset <= target_last_) return true;
  const Segment* in = image_.segment_at(offset, 8);
  if (in != nullptr && (in->flags & PF_W)) {
    target_first_ = in->vaddr;
    target_last_ = in->end() - 8;
    return true;
  }
  if (is_text(in))
    return fail(failure, "ERR_TEXTREL", at) << "relocation at " << Hex{at} << " writes to text at "
                                            << Hex{offset} << "; want no text relocations (build with -fPIC)";
  return fail(failure, "ERR_RELOCATION", at) << "relocation at " << Hex{at} << " writes 8 bytes at "
                                             << Hex{offset} << "; want them in a writable segment";
}

bool Relocator::write(const Entry& entry, uint64_t offset, uint64_t value, Failure& failure) {
  if (!check_target(offset, entry.at, failure)) return false;
  __builtin_memcpy(mapping_.at(offset), &value, 8);
  return true;
}

bool Relocator::read_symbol(const Entry& entry, Elf64_Sym& symbol, SymbolName& name, Failure& failure) const {
  if (entry.symbol >= tables_.symbol_limit)
    return fail(failure, "ERR_SYMBOL", entry.at)
           << "relocation at " << Hex{entry.at} << " names symbol " << entry.symbol
           << "; want an index below " << tables_.symbol_limit;
  __builtin_memcpy(&symbol, &tables_.symbols[entry.symbol], sizeof symbol);
  name.name = tables_.name_of(symbol);
  if (name.name == nullptr)
    return fail(failure, "ERR_SYMBOL", entry.at)
           << "symbol " << entry.symbol << " has its name at " << symbol.st_name << "; the string table has "
           << tables_.strings_size << " bytes";
  return true;
}

void Relocator::miss(const SymbolName& name) {
  missing_count_++;
  if (!missing_.empty() && !missing_.has_room(__builtin_strlen(name.name) + 40)) return;
  missing_ << (missing_.empty() ? "" : ", ") << name.name;
  if (name.version != nullptr) missing_ << "@" << name.version;
}

bool Relocator::report_missing(Failure& failure) const {
  if (missing_count_ == 0) return true;
  return fail(failure, "ERR_SYMBOL", 0)
         << missing_count_ << (missing_count_ == 1 ? " symbol is" : " symbols are")
         << " defined nowhere: " << missing_.c_str()
         << "; want definitions in the process or the needed libraries";
}

bool Relocator::apply_tls(const Entry& entry, const Elf64_Sym& symbol, const SymbolName& name,
                          Failure& failure) {
  Resolution to{0, host_.tls_module, symbol.st_value, true};
  if (entry.symbol != 0 && symbol.st_shndx == SHN_UNDEF) to = host_.resolve(host_.context, name, true);
  if (!to.found) {
    if (ELF64_ST_BIND(symbol.st_info) != STB_WEAK) miss(name);
    return true;
  }
  if (to.module == 0)
    return fail(failure, "ERR_TLS", entry.at)
           << "relocation at " << Hex{entry.at} << " is thread-local and the image has no PT_TLS; want one";
  switch (kind_of(entry.type)) {
    case Kind::tls_module:
      return write(entry, entry.offset, to.module, failure);
    case Kind::tls_offset:
      return write(entry, entry.offset, to.offset + entry.addend, failure);
    default:
      break;
  }
  uint64_t words[2];
  if (!host_.describe_tls(host_.context, to.module, to.offset + entry.addend, words))
    return fail(failure, "ERR_TLS", entry.at) << "no memory for a TLS descriptor";
  return write(entry, entry.offset, words[0], failure) && write(entry, entry.offset + 8, words[1], failure);
}

bool Relocator::apply_symbol(const Entry& entry, Failure& failure) {
  Elf64_Sym symbol = {};
  SymbolName name{"", 0, nullptr, false};
  if (entry.symbol != 0) {
    if (!read_symbol(entry, symbol, name, failure)) return false;
    if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE) {
      name.gnu_hash = gnu_hash_of(name.name);
      name.weak = ELF64_ST_BIND(symbol.st_info) == STB_WEAK;
      wanted_version(tables_, entry.symbol, name);
    }
  }
  if (kind_of(entry.type) != Kind::absolute) return apply_tls(entry, symbol, name, failure);

  const uint64_t addend = ignores_addend(entry.type) ? 0 : entry.addend;
  if (entry.symbol == 0) return write(entry, entry.offset, addend, failure);
  if (symbol.st_shndx == SHN_UNDEF) {
    Resolution to = host_.resolve(host_.context, name, false);
    if (!to.found && ELF64_ST_BIND(symbol.st_info) != STB_WEAK) {
      if (host_.undefined != nullptr && is_call(entry.type))
        to = Resolution{host_.undefined(host_.context, name), 0, 0, true};
      else
        miss(name);
    }
    return write(entry, entry.offset, (to.found ? to.address : 0) + addend, failure);
  }
  if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC) {
    deferred_++;
    return check_target(entry.offset, entry.at, failure);
  }
  if (ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE && host_.resolve_unique != nullptr) {
    const Resolution to = host_.resolve_unique(host_.context, name);
    if (to.found) return write(entry, entry.offset, to.address + addend, failure);
  }
  const uint64_t base = symbol.st_shndx == SHN_ABS ? 0 : mapping_.bias;
  return write(entry, entry.offset, base + symbol.st_value + addend, failure);
}

bool Relocator::apply_entry(const Entry& entry, Failure& failure) {
  switch (kind_of(entry.type)) {
    case Kind::none:
      return true;
    case Kind::relative:
      return write(entry, entry.offset, mapping_.bias + entry.addend, failure);
    case Kind::irelative:
      deferred_++;
      return check_target(entry.offset, entry.at, failure);
    case Kind::copy:
      return fail(failure, "ERR_RELOCATION", entry.at)
             << "relocation at " << Hex{entry.at}
             << " is a COPY relocation; want a shared object, not a program's";
    case Kind::tls_initial:
      return fail(failure, "ERR_TLS", entry.at)
             << "relocation at " << Hex{entry.at}
             << " is initial-exec TLS, whose offset from the thread pointer is fixed before a library can be "
                "mapped; "
                "want general- or local-dynamic TLS (build with -ftls-model=global-dynamic)";
    case Kind::unknown:
      return fail(failure, "ERR_RELOCATION", entry.at)
             << "relocation at " << Hex{entry.at} << " has type " << entry.type
             << "; want a dynamic relocation of this processor's psABI";
    default:
      return apply_symbol(entry, failure);
  }
}

/// As many pages as stay in the processor's cache, with the entries for them, between being checked and
/// written.
constexpr uint64_t kRunPages = 64;

/// How many of the next entries fill whole pages word by word; 0 where they do not fill one.
uint64_t Relocator::full_pages(const Elf64_Rela* entries, uint64_t first, uint64_t count) const {
  const uint64_t per_page = page_ / 8;
  if (first % page_ != 0) return 0;
  const auto may_fill = [&](uint64_t n) {
    return n <= count && entries[n - 1].r_offset - first == (n - 1) * 8;
  };
  if (!may_fill(16 * per_page)) return 0;
  uint64_t n = per_page;
  while (n < kRunPages * per_page && may_fill(2 * n)) n *= 2;
  uint64_t odd = 0;
  for (uint64_t i = 0; i < n; i++)
    odd |= (entries[i].r_offset ^ (first + 8 * i)) | (entries[i].r_info ^ kRelativeType);
  const Segment* in = image_.segment_at(first, n * 8);
  return odd == 0 && in != nullptr && (in->flags & PF_W) ? n : 0;
}

/// Pages every word of which is relocated keep nothing of the file: fresh ones are put in their place, all at
/// once, instead of copying the file's one fault after the other.
bool Relocator::apply_full_pages(const Elf64_Rela* entries, uint64_t first, uint64_t count) {
  const uint64_t bias = mapping_.bias;
  const long got = sys::mmap(bias + first, count * 8, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
  if (sys::failed(got)) return false;
  uint64_t* words = reinterpret_cast<uint64_t*>(bias + first);
  for (uint64_t i = 0; i < count; i++) words[i] = bias + static_cast<uint64_t>(entries[i].r_addend);
  return true;
}

/// The leading RELATIVE entries, by far the most. Answers the first entry that it leaves to apply_entry.
uint64_t Relocator::apply_relatives(const Elf64_Rela* entries, uint64_t count) {
  uint64_t page = ~uint64_t{0};
  const uint64_t bias = mapping_.bias, page_mask = ~(page_ - 1);
  Failure ignored;
  uint64_t i = 0;
  while (i < count) {
    Elf64_Rela rela;
    __builtin_memcpy(&rela, entries + i, sizeof rela);  // read once: the file may change underneath
    if (rela.r_info != kRelativeType) break;
    if ((rela.r_offset & page_mask) != page) {
      page = rela.r_offset & page_mask;
      if (!check_target(rela.r_offset, 0, ignored)) break;
      const uint64_t run = full_pages(entries + i, rela.r_offset, count - i);
      if (run != 0 && apply_full_pages(entries + i, rela.r_offset, run)) {
        i += run;
        page = ~uint64_t{0};
        continue;
      }
    }
    if (rela.r_offset < target_first_ || rela.r_offset > target_last_) break;
    const uint64_t value = bias + static_cast<uint64_t>(rela.r_addend);
    __builtin_memcpy(reinterpret_cast<void*>(bias + rela.r_offset), &value, 8);
    i++;
  }
  return i;
}

constexpr uint64_t kPopulateTable = 1 << 20;  // bytes

bool Relocator::apply_table(const Range& table, Failure& failure) {
  if (!table) return true;
  const uint64_t count = table.size / sizeof(Elf64_Rela);
  const Elf64_Rela* entries = reinterpret_cast<const Elf64_Rela*>(mapping_.at(table.vaddr));
  // A table of many pages is read whole: one call for the pages instead of a fault every few of them.
  if (table.size >= kPopulateTable)
    sys::madvise(page_down(mapping_.bias + table.vaddr, page_), page_down(table.size, page_),
                 MADV_POPULATE_READ);
  for (uint64_t i = apply_relatives(entries, count); i < count; i++) {
    Elf64_Rela rela;
    __builtin_memcpy(&rela, entries + i, sizeof rela);
    const Entry entry{rela.r_offset, static_cast<uint64_t>(rela.r_addend),
                      static_cast<uint32_t>(ELF64_R_TYPE(rela.r_info)),
                      static_cast<uint32_t>(ELF64_R_SYM(rela.r_info)), table.vaddr + i * sizeof rela};
    if (!apply_entry(entry, failure)) return false;
  }
  return true;
}

/// DT_RELR: an even word is an address to relocate, an odd one a bitmap of the 63 words behind it (gABI
/// proposal).
bool Relocator::apply_relr(Failure& failure) {
  uint64_t where = 0;
  const uint64_t count = dynamic_.relr.size / 8;
  const uint8_t* words = count != 0 ? mapping_.at(dynamic_.relr.vaddr) : nullptr;
  const auto add_bias = [&](uint64_t offset, uint64_t at) {
    if (!check_target(offset, at, failure)) return false;
    uint64_t value;
    __builtin_memcpy(&value, mapping_.at(offset), 8);
    value += mapping_.bias;
    __builtin_memcpy(mapping_.at(offset), &value, 8);
    return true;
  };
  for (uint64_t i = 0; i < count; i++) {
    uint64_t word;
    __builtin_memcpy(&word, words + 8 * i, 8);
    const uint64_t at = dynamic_.relr.vaddr + 8 * i;
    if ((word & 1) == 0) {
      if (!add_bias(word, at)) return false;
      where = word + 8;
      continue;
    }
    for (uint64_t bit = 0; (word >>= 1) != 0; bit++)
      if ((word & 1) && !add_bias(where + 8 * bit, at)) return false;
    where += 63 * 8;
  }
  return true;
}

bool Relocator::apply(Failure& failure) {
  if (dynamic_.text_relocations)
    return fail(failure, "ERR_TEXTREL", 0)
           << "has text relocations (DT_TEXTREL); want text that needs none (build with -fPIC)";
  if (dynamic_.flags & DF_STATIC_TLS)
    return fail(failure, "ERR_TLS", 0)
           << "uses initial-exec TLS (DF_STATIC_TLS), whose offset from the thread pointer is fixed before a "
              "library "
              "can be mapped; want general- or local-dynamic TLS (build with -ftls-model=global-dynamic)";
  return apply_relr(failure) && apply_table(dynamic_.rela, failure) &&
         apply_table(dynamic_.jmprel, failure) && report_missing(failure);
}

bool Relocator::ifuncs_of_table(const Range& table, Failure& failure) {
  const uint64_t count = table.size / sizeof(Elf64_Rela);
  for (uint64_t i = 0; i < count; i++) {
    Elf64_Rela rela;
    __builtin_memcpy(&rela, mapping_.at(table.vaddr + i * sizeof rela), sizeof rela);
    const Entry entry{rela.r_offset, static_cast<uint64_t>(rela.r_addend),
                      static_cast<uint32_t>(ELF64_R_TYPE(rela.r_info)),
                      static_cast<uint32_t>(ELF64_R_SYM(rela.r_info)), table.vaddr + i * sizeof rela};
    uint64_t resolver = entry.addend, addend = 0;
    if (kind_of(entry.type) == Kind::absolute && entry.symbol != 0) {
      Elf64_Sym symbol;
      SymbolName name;
      if (!read_symbol(entry, symbol, name, failure)) return false;
      if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC) continue;
      resolver = symbol.st_value;
      addend = ignores_addend(entry.type) ? 0 : entry.addend;
    } else if (kind_of(entry.type) != Kind::irelative) {
      continue;
    }
    if (!is_text(image_.stored_at(resolver, 1)))
      return fail(failure, "ERR_RELOCATION", entry.at)
             << "relocation at " << Hex{entry.at} << " has its resolver at " << Hex{resolver}
             << "; want it in text";
    if (!write(entry, entry.offset, host_.call_ifunc(mapping_.bias + resolver) + addend, failure))
      return false;
  }
  return true;
}

bool Relocator::apply_ifuncs(Failure& failure) {
  return deferred_ == 0 ||
         (ifuncs_of_table(dynamic_.rela, failure) && ifuncs_of_table(dynamic_.jmprel, failure));
}

bool Relocator::count(RelocationCounts& counts, Failure&) const {
  const Range* tables[] = {&dynamic_.rela, &dynamic_.jmprel};
  for (const Range* table : tables) {
    for (uint64_t i = 0; i < table->size / sizeof(Elf64_Rela); i++) {
      Elf64_Rela rela;
      __builtin_memcpy(&rela, mapping_.at(table->vaddr + i * sizeof rela), sizeof rela);
      const Segment* in = image_.segment_at(rela.r_offset, 8);
      switch (kind_of(static_cast<uint32_t>(ELF64_R_TYPE(rela.r_info)))) {
        case Kind::none:
          continue;
        case Kind::relative:
          counts.relative++;
          break;
        case Kind::irelative:
          counts.irelative++;
          break;
        case Kind::tls_module:
        case Kind::tls_offset:
        case Kind::tls_descriptor:
        case Kind::tls_initial:
          counts.tls++;
          break;
        default:
          counts.symbol++;
          break;
      }
      if (is_text(in)) counts.text++;
    }
  }
  for (uint64_t i = 0; i < dynamic_.relr.size / 8; i++) {
    uint64_t word;
    __builtin_memcpy(&word, mapping_.at(dynamic_.relr.vaddr + 8 * i), 8);
    counts.relative += (word & 1) ? static_cast<uint64_t>(__builtin_popcountll(word)) - 1 : 1;
  }
  return true;
}

}  // namespace insitu
