// What can be asked of a mapped library. Its file may shrink at any time, so tables are read leniently and a
// damaged answer is an error (fault.h).
#include <cstring>

#include "library.h"

namespace insitu {

std::string Library::string(uint32_t offset) const {
  require_mapped("string table");
  if (offset >= dynamic_.strtab.size) return {};
  return reinterpret_cast<const char*>(mapping_.at(dynamic_.strtab.vaddr)) + offset;
}

std::vector<std::string> Library::needed() const {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < dynamic_.needed_count; i++) names.push_back(string(dynamic_.needed[i]));
  return names;
}

uint64_t Library::final_address(const Elf64_Sym& symbol) const {
  if (symbol.st_shndx == SHN_ABS || ELF64_ST_TYPE(symbol.st_info) == STT_TLS) return 0;
  if (image_.segment_at(symbol.st_value, 1) == nullptr) return 0;
  const uint64_t address = mapping_.bias + symbol.st_value;
  if (ELF64_ST_TYPE(symbol.st_info) != STT_GNU_IFUNC) return address;
  if (state_ != State::linked) return 0;
  const Segment* in = image_.stored_at(symbol.st_value, 1);
  if (in == nullptr || !(in->flags & PF_X)) {
    Failure failure;
    fail(failure, "ERR_SYMBOL", 0) << "IFUNC has its resolver at " << Hex{symbol.st_value}
                                   << "; want it in text";
    throw_failure(failure);
  }
  return call_ifunc(address);
}

/// Index 0 where there is none; the entry is a copy, because the stored one may vanish.
uint32_t Library::look_up(const char* name, Elf64_Sym& symbol) const {
  const LenientReads lenient(guarded_);
  bool broken = false;
  const uint32_t index = find_symbol(tables_, SymbolName{name, gnu_hash_of(name), nullptr, false}, &broken);
  if (index != 0) memcpy(&symbol, &tables_.symbols[index], sizeof symbol);
  require_whole();
  if (broken) {
    Failure failure;
    fail(failure, "ERR_HASH", 0) << "hash chain of symbol " << name
                                 << " leaves its table, has no end or loops; want one that ends in it";
    throw_failure(failure);
  }
  return index;
}

uint64_t Library::symbol(const char* name) const {
  require_mapped("symbol lookup");
  Elf64_Sym symbol;
  if (look_up(name, symbol) != 0) return final_address(symbol);
  return strcmp(name, "napi_register_module_v1") == 0 ? addon_init_ : 0;
}

std::vector<std::string> Library::symbol_names() const {
  require_mapped("symbol list");
  std::vector<std::string> names;
  const LenientReads lenient(guarded_);
  for (uint64_t i = 1; i < tables_.symbol_limit; i++) {
    const Elf64_Sym& symbol = tables_.symbols[i];
    const char* name = tables_.name_of(symbol);
    const unsigned bind = ELF64_ST_BIND(symbol.st_info);
    if (symbol.st_shndx != SHN_UNDEF && name != nullptr && *name != '\0' && bind != STB_LOCAL)
      names.push_back(name);
  }
  require_whole();
  return names;
}

std::string Library::symbol_at(uint64_t address, uint64_t& distance) const {
  require_mapped("symbol lookup");
  const LenientReads lenient(guarded_);
  const uint64_t vaddr = address - mapping_.bias;
  const Elf64_Sym* best = nullptr;
  for (uint64_t i = 1; i < tables_.symbol_limit; i++) {
    const Elf64_Sym& s = tables_.symbols[i];
    if (s.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(s.st_info) != STT_FUNC || s.st_value > vaddr) continue;
    if (best == nullptr || s.st_value > best->st_value) best = &s;
  }
  const char* name = best == nullptr || vaddr >= image_.hi ? nullptr : tables_.name_of(*best);
  require_whole();
  distance = name == nullptr ? 0 : vaddr - best->st_value;
  return name == nullptr ? std::string() : std::string(name);
}

RelocationCounts Library::relocations() const {
  require_mapped("relocation count");
  const LinkHost none;
  RelocationCounts counts;
  Failure failure;
  if (!Relocator(image_, dynamic_, mapping_, none, page_size()).count(counts, failure))
    throw_failure(failure);
  return counts;
}

}  // namespace insitu
