// Relocation of a mapped shared object (psABI x86-64 table 4.10, AAELF64 "Dynamic relocations"). It writes
// only to the image's own writable segments; what it needs from the process comes in through LinkHost.
#pragma once
#include "symbols.h"

namespace insitu {

/// Where a reference leads. `module`/`offset` are set for thread-local symbols, `address` for all others.
struct Resolution {
  uint64_t address = 0;
  uint64_t module = 0, offset = 0;
  bool found = false;
};

struct LinkHost {
  void* context = nullptr;
  /// Finds an undefined symbol in the process; answers not found by `found = false`. Null in analysis.
  Resolution (*resolve)(void* context, const SymbolName& wanted, bool thread_local_symbol) = nullptr;
  /// For a definition of the image itself that the process must share (STB_GNU_UNIQUE); may be null.
  Resolution (*resolve_unique)(void* context, const SymbolName& wanted) = nullptr;
  /// The two words of a TLS descriptor; false when there is no room for one.
  bool (*describe_tls)(void* context, uint64_t module, uint64_t offset, uint64_t words[2]) = nullptr;
  /// Calls an IFUNC resolver that lies in text already executable.
  uint64_t (*call_ifunc)(uint64_t resolver) = nullptr;
  /// What a function that is defined nowhere is bound to, where calls to it alone may fail; null where it has
  /// to be.
  uint64_t (*undefined)(void* context, const SymbolName& wanted) = nullptr;
  uint64_t tls_module = 0;  // what DTPMOD of the image's own symbols becomes
};

/// Relocation entries by kind, counted by Relocator::count.
struct RelocationCounts {
  uint64_t relative = 0, symbol = 0, irelative = 0, tls = 0, text = 0;
};

class Relocator {
 public:
  Relocator(const Image& image, const Dynamic& dynamic, const Mapping& mapping, const LinkHost& host,
            uint64_t page);

  /// Everything that needs no code of the image to run. Missing strong symbols are collected: all of them are
  /// named.
  [[nodiscard]] bool apply(Failure& failure);
  /// IRELATIVE entries and references to the image's own IFUNCs; call once text is executable.
  [[nodiscard]] bool apply_ifuncs(Failure& failure);
  /// What apply would meet, without writing anything.
  [[nodiscard]] bool count(RelocationCounts& counts, Failure& failure) const;
  bool has_ifuncs() const { return deferred_ != 0; }

 private:
  struct Entry {
    uint64_t offset, addend;
    uint32_t type, symbol;
    uint64_t at;  // of the entry itself, link-time
  };
  bool apply_table(const Range& table, Failure& failure);
  bool apply_relr(Failure& failure);
  bool apply_entry(const Entry& entry, Failure& failure);
  bool apply_symbol(const Entry& entry, Failure& failure);
  bool apply_tls(const Entry& entry, const Elf64_Sym& symbol, const SymbolName& name, Failure& failure);
  bool ifuncs_of_table(const Range& table, Failure& failure);
  bool read_symbol(const Entry& entry, Elf64_Sym& symbol, SymbolName& name, Failure& failure) const;
  bool write(const Entry& entry, uint64_t offset, uint64_t value, Failure& failure);
  bool check_target(uint64_t offset, uint64_t at, Failure& failure);
  uint64_t apply_relatives(const Elf64_Rela* entries, uint64_t count);
  uint64_t full_pages(const Elf64_Rela* entries, uint64_t first, uint64_t count) const;
  bool apply_full_pages(const Elf64_Rela* entries, uint64_t first, uint64_t count);
  void miss(const SymbolName& name);
  bool report_missing(Failure& failure) const;

  const Image& image_;
  const Dynamic& dynamic_;
  const Mapping& mapping_;
  const LinkHost& host_;
  const SymbolTables tables_;
  const uint64_t page_;
  uint64_t target_first_ = 1, target_last_ = 0;  // the writable segment last written to: [first, last]
  uint64_t deferred_ = 0;
  uint64_t missing_count_ = 0;
  Text<800> missing_;
};

}  // namespace insitu
