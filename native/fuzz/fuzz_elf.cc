// A file of any bytes goes through everything that insitu does to one before it jumps: read, plan, map,
// relocate, publish, look symbols up, release. Nothing of it is ever executed. What is required here beyond
// "no sanitizer complains" is what segments.h and relocate.h promise: see the strings of require().
#include <string.h>

#include <initializer_list>

#include "fuzz/planned.h"
#include "fuzz/stage.h"
#include "plan.h"
#include "relocate.h"
#include "sys.h"

namespace insitu::fuzz {
namespace {

constexpr uint64_t kHuge = 2 << 20;
constexpr uint64_t kIfuncResult = 0x1f00c0de;
constexpr uint64_t kCompared = 1 << 18;   // bytes of a segment that are compared at most
constexpr uint64_t kNamesLookedUp = 160;  // of a symbol table

struct Input {
  const uint8_t* data;
  uint64_t size;
  Knobs knobs;
  uint64_t digest;

  uint64_t kept() const { return size * knobs.kept / 256; }
};

/// How a load ended; `bytes` of all segments, to compare twins that lie at the same bias.
struct Outcome {
  bool loaded = false;
  const char* code = nullptr;
  Text<1024> text;
  uint64_t bias = 0, bytes = 0;
};

uint64_t digest_of(const uint8_t* data, uint64_t size, uint64_t digest = 0x9e3779b97f4a7c15) {
  uint64_t at = 0, word;
  for (; at + 8 <= size; at += 8) {
    memcpy(&word, data + at, 8);
    digest = (digest ^ word) * 0xff51afd7ed558ccd;
    digest ^= digest >> 29;
  }
  for (; at < size; at++) digest = (digest ^ data[at]) * 0xff51afd7ed558ccd;
  return digest ^ (digest >> 32);
}

bool same_text(const char* a, const char* b) { return strcmp(a, b) == 0; }

/// One load, as Library::map and Library::relocate drive it.
class Load {
 public:
  Load(const Input& input, bool copy) : input_(input), knobs_(input.knobs), copy_(copy) {}

  Outcome run();

 private:
  bool read();
  void require_read() const;
  bool map();
  bool link();
  bool relocate();
  void require_unharmed() const;
  void require_stored_bytes(const PlannedSegment& s) const;
  void require_edges(const Segment& s) const;
  bool is_copy_on_write(const Segment& s) const;
  void require_protections(bool published) const;
  void look_up() const;
  void look_up(const SymbolTables& tables, const SymbolName& wanted) const;
  uint64_t bytes_of_segments() const;
  bool tables_stay_as_stored() const;
  bool is_checked_closely() const { return knobs_.closely || input_.digest % 64 == 0; }

  static Resolution resolve(void* context, const SymbolName& wanted, bool thread_local_symbol);
  static Resolution resolve_unique(void* context, const SymbolName& wanted);
  static bool describe_tls(void* context, uint64_t module, uint64_t offset, uint64_t words[2]);
  static uint64_t call_ifunc(uint64_t resolver);

  const Input& input_;
  const Knobs& knobs_;
  const bool copy_;
  Source source_;
  Image image_;
  Dynamic dynamic_;
  Plan plan_;
  Mapping mapping_;
  Failure failure_;
  Fence fence_;
  static const Load* current_;  // call_ifunc has no context
};

const Load* Load::current_;

Resolution Load::resolve(void* context, const SymbolName& wanted, bool thread_local_symbol) {
  const auto& load = *static_cast<const Load*>(context);
  require(wanted.name != nullptr && strlen(wanted.name) < load.dynamic_.strtab.size,
          "a name that is asked for ends in its table");
  uint32_t choice = wanted.gnu_hash;
  if (wanted.version != nullptr) choice ^= gnu_hash_of(wanted.version);
  if (choice % 4 == 1) return {};
  static const uint64_t harmless[8] = {};
  if (thread_local_symbol) return {0, choice % 8 == 2 ? 0u : 3u, choice, true};
  return {reinterpret_cast<uint64_t>(&harmless[choice % 8]), 0, 0, true};
}

Resolution Load::resolve_unique(void* context, const SymbolName& wanted) {
  return resolve(context, wanted, false);
}

bool Load::describe_tls(void*, uint64_t module, uint64_t offset, uint64_t words[2]) {
  require(module != 0, "a TLS descriptor has a module");
  words[0] = 0xdead;
  words[1] = offset;
  return offset % 256 != 0x7f;
}

uint64_t Load::call_ifunc(uint64_t resolver) {
  const Segment* in = current_->image_.stored_at(resolver - current_->mapping_.bias, 1);
  require(in != nullptr && (in->flags & PF_X), "a resolver lies in text");
  return kIfuncResult;
}

bool Load::read() {
  source_.start = knobs_.behind_a_page ? kPage : 0;
  source_.size = input_.size;
  source_.fd = store(input_.data, input_.size, source_.start);
  // libFuzzer's copy ends where the input does, so that AddressSanitizer sees a read behind it.
  if (knobs_.viewed) source_.view = input_.data;
  if (knobs_.head_read) {
    source_.head = input_.data;
    source_.head_size = input_.size < kPage ? input_.size : kPage;
  }
  if (knobs_.cut == Cut::before_read) cut_file(source_.start + input_.kept());
  if (!read_image(source_, kPage, image_, failure_)) return false;
  if (!read_dynamic(source_, image_, dynamic_, failure_)) return false;
  require_read();
  for (const char* name : {"napi_register_module_v1", "answer", "", "state"})
    (void)exports_symbol(source_, image_, dynamic_, name);
  return true;
}

void Load::require_read() const {
  const Image& m = image_;
  require(m.segment_count > 0 && m.segment_count <= kMaxSegments, "an image has segments");
  uint64_t taken = m.lo;
  for (uint32_t i = 0; i < m.segment_count; i++) {
    const Segment& s = m.segments[i];
    require(s.vaddr / kPage * kPage >= taken && s.mem_size > 0 && s.end() > s.vaddr && s.end() <= m.hi,
            "segments ascend and share no page");
    require(s.file_size <= s.mem_size && s.offset <= input_.size && s.file_size <= input_.size - s.offset,
            "segments lie in the file");
    require((s.vaddr - s.offset) % kPage == 0, "segments can be mapped");
    taken = (s.end() + kPage - 1) / kPage * kPage;
  }
  require(taken == m.hi && m.hi <= kAddressLimit, "hi is the end of the last segment");
  const Dynamic& d = dynamic_;
  for (const Range* r : {&d.strtab, &d.rela, &d.jmprel, &d.relr, &d.init_array, &d.fini_array, &d.symtab,
                         &d.hash, &d.gnu_hash, &d.versym, &d.verneed, &d.verdef, &m.dynamic})
    require(!*r || m.table_at(r->vaddr, r->size) != nullptr, "tables lie in file bytes that can be read");
  char last = 0;
  if (d.strtab && read_at(source_, m, d.strtab.vaddr + d.strtab.size - 1, &last, 1))
    require(last == '\0', "the string table ends in a NUL");
  for (uint32_t i = 0; i < d.needed_count; i++) require(d.needed[i] < d.strtab.size, "DT_NEEDED is a string");
  if (m.relro) require(m.segment_at(m.relro.vaddr, 1)->flags & PF_W, "RELRO was writable");
}

bool Load::map() {
  const StorageRules rules{source_.start, knobs_.huge_granule ? kHuge : kPage, !knobs_.no_private};
  plan_image(image_, rules, copy_, kPage, plan_);
  damage(knobs_, plan_);
  if (!check_plan(plan_, failure_)) return false;
  require_sound(plan_);
  // Address 0, which only root may map, is a null pointer to the sanitizers.
  const bool fixed = knobs_.fixed && image_.type == ET_EXEC && plan_.lo != 0;
  if (!reserve(plan_, fixed, mapping_, failure_)) return false;
  const uint64_t lowest = mapping_.bias + plan_.lo / plan_.granule * plan_.granule;
  require(lowest >= mapping_.reservation &&
              lowest + (plan_.hi - plan_.lo) <= mapping_.reservation + mapping_.reserved,
          "the image lies in its reservation");
  require(mapping_.base == mapping_.bias + plan_.lo && mapping_.base % kPage == 0, "base and bias fit");
  require(mapping_.bias == 0 || mapping_.bias % plan_.alignment == plan_.congruence,
          "bias is as was planned");
  guard_range(mapping_.reservation, mapping_.reservation + mapping_.reserved);
  fence_.raise(mapping_);
  if (knobs_.cut == Cut::before_place) cut_file(source_.start + input_.kept());
  return place_segments(source_, plan_, mapping_, failure_);
}

bool Load::link() {
  if (knobs_.cut == Cut::before_apply) cut_file(source_.start + input_.kept());
  if (is_checked_closely()) require_protections(false);
  // A damaged plan is one for some other image.
  const bool done = knobs_.edit == 0
                        ? relocate()
                        : seal_copies(plan_, mapping_, failure_) && publish_text(plan_, mapping_, failure_);
  if (knobs_.edit == 0) require_unharmed();
  if (done && is_checked_closely()) require_protections(true);
  if (knobs_.edit == 0) look_up();
  return done;
}

bool Load::relocate() {
  const LinkHost host{
      this, resolve, resolve_unique, describe_tls, call_ifunc, nullptr, image_.tls ? uint64_t{7} : 0};
  Relocator relocator(image_, dynamic_, mapping_, host, kPage);
  RelocationCounts counts;
  if (!relocator.count(counts, failure_)) return false;
  const bool done = relocator.apply(failure_) && seal_copies(plan_, mapping_, failure_) &&
                    (relocator.has_ifuncs() || protect_relro(image_, kPage, mapping_, failure_)) &&
                    publish_text(plan_, mapping_, failure_);
  if (!done || !relocator.has_ifuncs()) return done;
  return relocator.apply_ifuncs(failure_) && protect_relro(image_, kPage, mapping_, failure_);
}

void Load::require_unharmed() const {
  for (uint32_t i = 0; i < plan_.count; i++)
    if (!(plan_.segments[i].prot & PROT_WRITE) && (plan_.segments[i].prot & PROT_READ))
      require_stored_bytes(plan_.segments[i]);
  for (uint32_t i = 0; i < image_.segment_count; i++)
    if (image_.segments[i].flags & PF_W) require_edges(image_.segments[i]);
}

/// A segment that is not writable holds what the file holds (and zeros where that was cut off underneath).
void Load::require_stored_bytes(const PlannedSegment& s) const {
  uint64_t there = s.file_size;
  if (knobs_.cut != Cut::never && s.placement == Placement::in_place) {
    const uint64_t kept = input_.kept();
    there = kept <= s.file_offset ? 0 : kept - s.file_offset < there ? kept - s.file_offset : there;
  }
  require(memcmp(mapping_.at(s.vaddr), input_.data + s.file_offset, there) == 0,
          "read-only segments equal the file");
  // Further than a page behind the file bytes nothing is near that could have written.
  const uint64_t rest = page_up(s.vaddr + s.mem_size, kPage) - (s.vaddr + there);
  const uint64_t looked_at = rest < kCompared ? rest : kCompared;
  if (s.placement == Placement::in_place && there == s.file_size) return;
  const uint64_t end = s.placement == Placement::in_place ? s.file_size - there : looked_at;
  for (uint64_t i = 0; i < end; i++)
    require(*mapping_.at(s.vaddr + there + i) == 0, "read-only zeros stay zeros");
}

bool Load::is_copy_on_write(const Segment& s) const {
  for (uint32_t i = 0; i < plan_.count; i++)
    if (plan_.segments[i].vaddr == s.vaddr) return plan_.segments[i].placement == Placement::cow;
  return false;
}

/// A relocation may fill a writable segment and no more: its pages hold, outside of it, what they held
/// before.
void Load::require_edges(const Segment& s) const {
  const bool cow = is_copy_on_write(s);
  if (cow && knobs_.cut != Cut::never) return;
  for (uint64_t at = page_down(s.vaddr, kPage); at < s.vaddr; at++) {
    const uint8_t stored = cow ? input_.data[s.offset - (s.vaddr - at)] : 0;
    require(*mapping_.at(at) == stored, "nothing is written in front of a writable segment");
  }
  for (uint64_t at = s.end(); at % kPage != 0; at++) {
    const uint64_t offset = s.offset + (at - s.vaddr);
    const bool of_file = cow && s.mem_size == s.file_size && offset < input_.size;
    require(*mapping_.at(at) == (of_file ? input_.data[offset] : 0),
            "nothing is written behind a writable segment");
  }
}

void Load::require_protections(bool published) const {
  if (substituted() != 0) return;  // those are writable whatever they replace
  struct Context {
    const Load& load;
    bool published;
  } context{*this, published};
  each_mapping(mapping_.reservation, mapping_.reservation + mapping_.reserved, &context,
               [](void* opaque, uint64_t begin, uint64_t end, uint32_t prot) {
                 const auto& [load, published] = *static_cast<const Context*>(opaque);
                 require((prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC), "no page is W+X");
                 require(published || !(prot & PROT_EXEC), "nothing is executable before it is published");
                 if (!published) return;
                 bool planned = false;
                 for (uint32_t i = 0; i < load.plan_.count; i++) {
                   const PlannedSegment& s = load.plan_.segments[i];
                   const Span span = span_of(s, load.plan_);
                   if (load.mapping_.bias + span.end <= begin || load.mapping_.bias + span.begin >= end)
                     continue;
                   planned = true;
                   const bool relro = (s.prot & PROT_WRITE) && load.image_.relro && prot == PROT_READ;
                   // A damaged plan may say "written, never read"; what is filled by writing can be read.
                   const uint32_t reads = s.prot & PROT_WRITE ? PROT_READ : 0;
                   const bool text = prot == (PROT_READ | PROT_EXEC) && beside_text(s, load.plan_);
                   require((prot | reads) == (s.prot | reads) || relro || text,
                           "a published segment is protected as planned");
                 }
                 require(planned || prot == 0, "nothing between segments is accessible");
               });
}

bool Load::tables_stay_as_stored() const {
  if (knobs_.cut != Cut::never) return false;
  for (const Range* r : {&dynamic_.symtab, &dynamic_.hash, &dynamic_.gnu_hash, &dynamic_.strtab})
    if (*r && (image_.stored_at(r->vaddr, r->size)->flags & PF_W)) return false;
  return true;
}

void Load::look_up() const {
  const SymbolTables tables = tables_of(dynamic_, mapping_);
  for (const char* name : {"answer", "insitu_nowhere", "", "napi_register_module_v1", "state"})
    look_up(tables, SymbolName{name, gnu_hash_of(name), nullptr, false});
  const uint64_t count = tables.symbol_limit < kNamesLookedUp ? tables.symbol_limit : kNamesLookedUp;
  for (uint64_t i = 0; i < count; i++) {
    Elf64_Sym symbol;
    memcpy(&symbol, &tables.symbols[i], sizeof symbol);
    const char* name = tables.name_of(symbol);
    if (name == nullptr) continue;
    SymbolName wanted{name, gnu_hash_of(name), nullptr, false};
    look_up(tables, wanted);
    wanted_version(tables, i, wanted);
    if (wanted.version != nullptr) look_up(tables, wanted);
    wanted.version = "INSITU_1";
    look_up(tables, wanted);
  }
  for (uint32_t i = 0; i < dynamic_.needed_count; i++)
    require(strlen(tables.strings + dynamic_.needed[i]) < tables.strings_size, "DT_NEEDED ends in its table");
}

void Load::look_up(const SymbolTables& tables, const SymbolName& wanted) const {
  bool broken = false;
  const uint32_t index = find_symbol(tables, wanted, &broken);
  if (wanted.version != nullptr) (void)gnu_hash_of(wanted.version);
  if (index == 0) return;
  require(!broken, "what was found was not found in a broken table");
  require(index < tables.symbol_limit, "a symbol that was found is in the table");
  Elf64_Sym symbol;
  memcpy(&symbol, &tables.symbols[index], sizeof symbol);
  require(symbol.st_shndx != SHN_UNDEF && same_text(tables.name_of(symbol), wanted.name),
          "a symbol that was found is defined and has the name");
  if (strlen(wanted.name) < 60 && tables_stay_as_stored())
    require(exports_symbol(source_, image_, dynamic_, wanted.name),
            "what is found in memory is exported by the file");
}

uint64_t Load::bytes_of_segments() const {
  uint64_t digest = 1;
  for (uint32_t i = 0; i < image_.segment_count; i++) {
    const Segment& s = image_.segments[i];
    if (s.flags & PF_R)
      digest = digest_of(mapping_.at(s.vaddr), s.mem_size < kCompared ? s.mem_size : kCompared, digest);
  }
  return digest;
}

Outcome Load::run() {
  current_ = this;
  Outcome outcome;
  if (read() && map()) {
    outcome.loaded = link();
    outcome.bias = mapping_.bias;
    if (outcome.loaded && knobs_.edit == 0 && substituted() == 0) outcome.bytes = bytes_of_segments();
  }
  const uint64_t begin = mapping_.reservation, size = mapping_.reserved;
  release(mapping_);
  require(size == 0 || nothing_mapped(begin, size), "nothing is mapped after release");
  require(mapping_.reserved == 0, "a released mapping is empty");
  guard_range(0, 0);
  outcome.code = failure_.code;
  outcome.text = failure_.text;
  require(outcome.loaded == (failure_.code == nullptr), "a load that ends early says why");
  if (!outcome.loaded)
    require(strncmp(failure_.code, "ERR_", 4) == 0 && !failure_.text.empty(), "a failure has code and text");
  return outcome;
}

/// In place and copied are two ways to the same image.
void require_twin(const Input& input, const Outcome& one) {
  if (input.knobs.cut != Cut::never || input.knobs.edit != 0 || input.knobs.huge_granule) return;
  const Outcome other = Load(input, !input.knobs.copy).run();
  if (one.loaded && other.loaded && one.bias == other.bias)
    require(one.bytes == other.bytes, "in place and copied at one address hold the same bytes");
  const auto failed_in_system = [](const Outcome& o) { return !o.loaded && same_text(o.code, "ERR_SYSTEM"); };
  if (failed_in_system(one) || failed_in_system(other) || one.bias != other.bias) return;
  require(one.loaded == other.loaded, "in place and copied load both or neither");
  require(one.loaded || (same_text(one.code, other.code) && same_text(one.text.c_str(), other.text.c_str())),
          "in place and copied fail the same way");
}

}  // namespace
}  // namespace insitu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace insitu::fuzz;
  static uint64_t runs = 0;
  const Input input{data, size, Knobs::of(data, size), digest_of(data, size)};
  const Outcome outcome = Load(input, input.knobs.copy).run();
  if (input.digest % 4 == 1) require_twin(input, outcome);
  if (++runs % 4096 == 0) require(mappings_of_file() == 0, "no mapping of a file is left over");
  return 0;
}
