// Mutation that knows where the numbers of an ELF file are: single bytes flipped at random hardly ever leave
// a file that is read any further than its header. A quarter of the mutations are libFuzzer's own all the
// same.
#include <elf.h>
#include <string.h>

#include "fuzz/knobs.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace insitu::fuzz {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15 + 1) {}
  uint64_t next() {  // splitmix64
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <typename T, size_t N>
  const T& of(const T (&choices)[N]) {
    return choices[below(N)];
  }

 private:
  uint64_t state_;
};

/// A number inside a structure.
struct Field {
  uint8_t offset, size;
};

/// A table that a dynamic entry leads to.
struct Table {
  int64_t tag, size_tag;  // size_tag 0: not stored
  uint64_t entry;
  const Field* fields;  // of an entry
  size_t field_count;
};

constexpr Field kEhdr[] = {{0, 4},  {4, 1},  {5, 1},  {6, 1},  {7, 1},  {16, 2}, {18, 2},
                           {20, 4}, {24, 8}, {32, 8}, {52, 2}, {54, 2}, {56, 2}};
constexpr Field kPhdr[] = {{0, 4}, {4, 4}, {8, 8}, {16, 8}, {32, 8}, {40, 8}, {48, 8}};
constexpr Field kRela[] = {{0, 8}, {8, 4}, {12, 4}, {16, 8}};
constexpr Field kSym[] = {{0, 4}, {4, 1}, {5, 1}, {6, 2}, {8, 8}, {16, 8}};
constexpr Field kVerneed[] = {{0, 2}, {2, 2}, {4, 4}, {8, 4}, {12, 4}};  // vernaux is as long and alike
constexpr Field kVerdef[] = {{0, 2}, {2, 2}, {4, 2}, {6, 2}, {8, 4}, {12, 4}, {16, 4}, {20, 4}};
constexpr Field kWord64[] = {{0, 8}}, kWord32[] = {{0, 4}}, kWord16[] = {{0, 2}}, kByte[] = {{0, 1}};

constexpr Table kTables[] = {
    {DT_RELA, DT_RELASZ, 24, kRela, 4},
    {DT_JMPREL, DT_PLTRELSZ, 24, kRela, 4},
    {36 /* DT_RELR */, 35, 8, kWord64, 1},
    {DT_SYMTAB, 0, 24, kSym, 6},
    {DT_HASH, 0, 4, kWord32, 1},
    {DT_GNU_HASH, 0, 4, kWord32, 1},
    {DT_VERSYM, 0, 2, kWord16, 1},
    {DT_VERNEED, 0, 16, kVerneed, 5},
    {DT_VERDEF, 0, 28, kVerdef, 8},
    {DT_STRTAB, DT_STRSZ, 1, kByte, 1},
    {DT_INIT_ARRAY, DT_INIT_ARRAYSZ, 8, kWord64, 1},
};

constexpr int64_t kTags[] = {DT_NULL,
                             DT_NEEDED,
                             DT_PLTRELSZ,
                             DT_HASH,
                             DT_STRTAB,
                             DT_SYMTAB,
                             DT_RELA,
                             DT_RELASZ,
                             DT_RELAENT,
                             DT_STRSZ,
                             DT_SYMENT,
                             DT_INIT,
                             DT_FINI,
                             DT_SONAME,
                             DT_RPATH,
                             DT_REL,
                             DT_PLTREL,
                             DT_DEBUG,
                             DT_TEXTREL,
                             DT_JMPREL,
                             DT_RUNPATH,
                             DT_FLAGS,
                             DT_INIT_ARRAY,
                             DT_FINI_ARRAY,
                             DT_INIT_ARRAYSZ,
                             DT_GNU_HASH,
                             DT_FINI_ARRAYSZ,
                             DT_VERSYM,
                             DT_RELACOUNT,
                             DT_FLAGS_1,
                             DT_VERDEF,
                             DT_VERNEED,
                             DT_VERNEEDNUM,
                             35,
                             36,
                             37,
                             39,
                             40,
                             -1};

constexpr uint32_t kBindings[] = {STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE};
constexpr uint32_t kSymbolTypes[] = {STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_TLS, STT_GNU_IFUNC};
constexpr uint32_t kTypes[] = {PT_NULL, PT_LOAD, PT_DYNAMIC,      PT_INTERP,    PT_NOTE,
                               PT_PHDR, PT_TLS,  PT_GNU_EH_FRAME, PT_GNU_STACK, PT_GNU_RELRO};

#if defined(__x86_64__)
constexpr uint32_t kRelocations[] = {R_X86_64_NONE,      R_X86_64_64,       R_X86_64_GLOB_DAT,
                                     R_X86_64_JUMP_SLOT, R_X86_64_RELATIVE, R_X86_64_IRELATIVE,
                                     R_X86_64_COPY,      R_X86_64_DTPMOD64, R_X86_64_DTPOFF64,
                                     R_X86_64_TLSDESC,   R_X86_64_TPOFF64,  R_X86_64_PC32};
#else
constexpr uint32_t kRelocations[] = {R_AARCH64_NONE,      R_AARCH64_ABS64,      R_AARCH64_GLOB_DAT,
                                     R_AARCH64_JUMP_SLOT, R_AARCH64_RELATIVE,   R_AARCH64_IRELATIVE,
                                     R_AARCH64_COPY,      R_AARCH64_TLS_DTPMOD, R_AARCH64_TLS_DTPREL,
                                     R_AARCH64_TLSDESC,   R_AARCH64_TLS_TPREL,  R_AARCH64_PREL32};
#endif

constexpr uint64_t kInteresting[] = {0,
                                     1,
                                     2,
                                     7,
                                     8,
                                     24,
                                     63,
                                     0xff,
                                     0xffe,
                                     0xfff,
                                     0x1000,
                                     0x1001,
                                     0x2000,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x1fffff,
                                     0x200000,
                                     0x7fffffff,
                                     0x80000000,
                                     0xfffffffe,
                                     0xffffffff,
                                     0x100000000,
                                     uint64_t{1} << 40,
                                     (uint64_t{1} << 47) - 0x1000,
                                     (uint64_t{1} << 47) - 1,
                                     uint64_t{1} << 47,
                                     uint64_t{1} << 60,
                                     (uint64_t{1} << 63) - 1,
                                     uint64_t{1} << 63,
                                     ~uint64_t{0} - 0xfff,
                                     ~uint64_t{0} - 7,
                                     ~uint64_t{0}};

/// The input as ELF, as far as it is one; every access is bounded by its size.
class Elf {
 public:
  Elf(uint8_t* data, size_t size, Random& random) : data_(data), size_(size), random_(random) {
    Elf64_Ehdr eh;
    if (!get(0, eh)) return;
    phoff_ = eh.e_phoff;
    phnum_ = eh.e_phnum < 64 ? eh.e_phnum : 64;
    for (uint64_t i = 0; i < phnum_; i++) {
      Elf64_Phdr ph;
      if (!get(phoff_ + i * sizeof ph, ph)) {
        phnum_ = i;
        break;
      }
      if (ph.p_type == PT_LOAD && load_count_ < 16) loads_[load_count_++] = ph;
      if (ph.p_type == PT_DYNAMIC) dynamic_ = ph;
    }
    Elf64_Dyn entry;
    while (dynamic_count_ < 64 && get(dynamic_.p_offset + 16 * dynamic_count_, entry)) {
      dynamic_count_++;
      if (entry.d_tag == DT_NULL) break;
    }
    if (dynamic_.p_type != PT_DYNAMIC) dynamic_count_ = 0;
  }

  void mutate() {
    switch (random_.below(16)) {
      case 0:
        return change(kEhdr[random_.below(sizeof kEhdr / sizeof kEhdr[0])], 0);
      case 1:
      case 2:
      case 3:
        return mutate_program_header();
      case 4:
      case 5:
      case 6:
        return mutate_dynamic();
      case 7:
        return mutate_knobs();
      default:
        return mutate_table(random_.of(kTables));
    }
  }

 private:
  template <typename T>
  bool get(uint64_t at, T& to) const {
    if (at > size_ || sizeof(T) > size_ - at) return false;
    memcpy(&to, data_ + at, sizeof(T));
    return true;
  }

  void set(uint64_t at, uint64_t value, uint64_t size) {
    if (at <= size_ && size <= size_ - at) memcpy(data_ + at, &value, size);
  }

  /// File offset of a link-time address; size_ where there is none.
  uint64_t offset_of(uint64_t vaddr) const {
    for (uint64_t i = 0; i < load_count_; i++)
      if (vaddr >= loads_[i].p_vaddr && vaddr - loads_[i].p_vaddr < loads_[i].p_filesz)
        return vaddr - loads_[i].p_vaddr + loads_[i].p_offset;
    return size_;
  }

  /// First value of a tag, or 0.
  uint64_t value_of(int64_t tag) const {
    Elf64_Dyn entry;
    for (uint64_t i = 0; i < dynamic_count_; i++)
      if (get(dynamic_.p_offset + 16 * i, entry) && entry.d_tag == tag) return entry.d_un.d_val;
    return 0;
  }

  /// An address at or about an edge of a segment.
  uint64_t edge() {
    if (load_count_ == 0) return random_.of(kInteresting);
    const Elf64_Phdr& ph = loads_[random_.below(load_count_)];
    const uint64_t edges[] = {ph.p_vaddr, ph.p_vaddr + ph.p_filesz, ph.p_vaddr + ph.p_memsz,
                              (ph.p_vaddr + ph.p_memsz + 4095) & ~uint64_t{4095},
                              ph.p_vaddr + random_.below(ph.p_memsz)};
    return random_.of(edges) + random_.below(33) - 16;
  }

  uint64_t value(uint64_t old) {
    switch (random_.below(10)) {
      case 0:
      case 1:
      case 2:
        return random_.of(kInteresting);
      case 3:
        return size_ + random_.below(3) - 1;
      case 4:
        return edge();
      case 5:
        return old + random_.below(33) - 16;
      case 6:
        return old + (random_.below(9) - 4) * 0x1000;
      case 7:
        return old ^ (uint64_t{1} << random_.below(64));
      case 8:
        return random_.below(64);
      default: {
        uint64_t other = random_.next();
        get(random_.below(size_) & ~uint64_t{7}, other);
        return other;
      }
    }
  }

  void change(Field field, uint64_t at) {
    uint64_t old = 0;
    at += field.offset;
    if (at > size_ || field.size > size_ - at) return;
    memcpy(&old, data_ + at, field.size);
    set(at, value(old), field.size);
  }

  /// Two entries of a table change places, or one becomes a copy of the other.
  void shuffle(uint64_t table, uint64_t count, uint64_t size) {
    const uint64_t a = table + random_.below(count) * size, b = table + random_.below(count) * size;
    if (a > size_ || b > size_ || size > size_ - a || size > size_ - b || size > 64) return;
    uint8_t kept[64];
    memcpy(kept, data_ + a, size);
    memmove(data_ + a, data_ + b, size);
    if (random_.one_in(2)) memcpy(data_ + b, kept, size);
  }

  void mutate_program_header() {
    if (phnum_ == 0) return;
    const uint64_t at = phoff_ + random_.below(phnum_) * sizeof(Elf64_Phdr);
    switch (random_.below(8)) {
      case 0:
        return shuffle(phoff_, phnum_, sizeof(Elf64_Phdr));
      case 1:
        return set(at, random_.of(kTypes), 4);
      case 2:
        return set(at + 4, random_.below(8), 4);
      case 3:
        return move_segment(at);
      default:
        return change(random_.of(kPhdr), at);
    }
  }

  /// Offset and address together, so that they stay congruent; or both sizes.
  void move_segment(uint64_t at) {
    Elf64_Phdr ph;
    if (!get(at, ph)) return;
    const uint64_t by = (random_.below(17) - 8) * (random_.one_in(2) ? 0x1000 : 8);
    if (random_.one_in(2)) {
      set(at + 16, ph.p_vaddr + by, 8);
      if (random_.one_in(2)) set(at + 8, ph.p_offset + by, 8);
    } else {
      set(at + 40, ph.p_memsz + by, 8);
      if (random_.one_in(2)) set(at + 32, ph.p_filesz + by, 8);
    }
  }

  void mutate_dynamic() {
    if (dynamic_count_ == 0) return;
    const uint64_t at = dynamic_.p_offset + random_.below(dynamic_count_) * 16;
    switch (random_.below(6)) {
      case 0:
        return shuffle(dynamic_.p_offset, dynamic_count_, 16);
      case 1:
        return set(at, static_cast<uint64_t>(random_.of(kTags)), 8);
      case 2:
        return set(at + 8, edge() & ~uint64_t{7}, 8);
      default:
        return change({8, 8}, at);
    }
  }

  void mutate_knobs() {
    const uint64_t which = random_.below(kKnobsSize);
    // Mostly with a sound plan: a damaged one is refused long before relocation.
    if (which >= 3 && !random_.one_in(3)) return set(kKnobsAt + 3, 0, 1);
    // Looking closely is slow, and one run of 64 is looked at all the same.
    set(kKnobsAt + which, which == 0 ? random_.next() & 127 : random_.next(), 1);
  }

  void mutate_table(const Table& table) {
    const uint64_t vaddr = value_of(table.tag);
    const uint64_t offset = vaddr == 0 ? size_ : offset_of(vaddr);
    if (offset >= size_) return mutate_dynamic();
    uint64_t size = table.size_tag != 0 ? value_of(table.size_tag) : 48 * 8;
    if (size > size_ - offset) size = size_ - offset;
    const uint64_t count = size / table.entry;
    if (count == 0) return mutate_dynamic();
    if (random_.one_in(12)) return shuffle(offset, count, table.entry);
    // What is first in a table is seen by every look-up.
    const uint64_t at = offset + (random_.one_in(3) ? 0 : random_.below(count)) * table.entry;
    if (table.fields == kRela && !random_.one_in(4)) return mutate_relocation(at);
    if (table.fields == kSym && random_.one_in(3))
      return set(at + 4, random_.of(kBindings) << 4 | random_.of(kSymbolTypes), 1);
    if (table.tag == DT_GNU_HASH && random_.one_in(4)) return clear_end_of_chain(at);
    change(table.fields[random_.below(table.field_count)], at);
  }

  void clear_end_of_chain(uint64_t at) {
    uint32_t word;
    if (get(at, word)) set(at, word & ~1u, 4);
  }

  void mutate_relocation(uint64_t at) {
    switch (random_.below(4)) {
      case 0:
        return set(at, edge(), 8);
      case 1:
        return set(at + 8, random_.of(kRelocations), 4);
      case 2:
        return set(at + 12, random_.below(10), 4);
      default:
        return set(at + 16, edge(), 8);
    }
  }

  uint8_t* const data_;
  const size_t size_;
  Random& random_;
  uint64_t phoff_ = 0, phnum_ = 0, dynamic_count_ = 0, load_count_ = 0;
  Elf64_Phdr loads_[16], dynamic_ = {};
};

size_t resize(uint8_t* data, size_t size, size_t max_size, Random& random) {
  const size_t wanted = random.one_in(2) ? random.below(size + 1) : size + random.below(0x1000);
  const size_t end = wanted < max_size ? wanted : max_size;
  if (end > size) memset(data + size, 0, end - size);
  return end;
}

}  // namespace
}  // namespace insitu::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace insitu::fuzz;
  Random random(seed);
  if (size < sizeof(Elf64_Ehdr) || random.one_in(4)) return LLVMFuzzerMutate(data, size, max_size);
  if (random.one_in(40)) return resize(data, size, max_size, random);
  for (uint64_t left = 1 + random.below(4); left > 0; left--) Elf(data, size, random).mutate();
  return size;
}
