#include "fault.h"

#include <signal.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include <mutex>

#include "published.h"
#include "sys.h"

namespace insitu {
namespace {

constexpr uint64_t kMaxRanges = 4096;

Published<GuardedRange, kMaxRanges> ranges;
struct sigaction previous_bus, previous_segv;
thread_local GuardedRange* volatile read_leniently = nullptr;
FaultTaker take_first = nullptr;

uint64_t program_counter(const void* context) {
  const auto* machine = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
  return static_cast<uint64_t>(machine->uc_mcontext.gregs[REG_RIP]);
#else
  return machine->uc_mcontext.pc;
#endif
}

uint64_t file_offset(const GuardedRange& range, uint64_t address) {
  if (range.image == nullptr) return range.file_start + (address - range.begin);
  const Segment* in = range.image->segment_at(address - range.bias, 1);
  return range.file_start + (in == nullptr ? 0 : address - range.bias - in->vaddr + in->offset);
}

void name_function(const GuardedRange& range, uint64_t address, Text<1024>& text) {
  if (range.symbols == nullptr || range.symbols->symbols == nullptr) return;
  const uint64_t vaddr = address - range.bias;
  const Elf64_Sym* best = nullptr;
  for (uint64_t i = 1; i < range.symbols->symbol_limit; i++) {
    const Elf64_Sym& symbol = range.symbols->symbols[i];
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_value > vaddr || ELF64_ST_TYPE(symbol.st_info) != STT_FUNC)
      continue;
    if (best == nullptr || symbol.st_value > best->st_value) best = &symbol;
  }
  const char* name = best == nullptr ? nullptr : range.symbols->name_of(*best);
  if (name != nullptr) text << " in " << name << "+" << Hex{vaddr - best->st_value};
}

void explain(int signal, const siginfo_t& info, const GuardedRange& range, uint64_t address, uint64_t pc) {
  Text<1024> text;
  text << "insitu: " << range.path << ": " << (signal == SIGBUS ? "SIGBUS" : "SIGSEGV");
  if (address >= range.begin && address < range.end)
    text << " at file offset " << Hex{file_offset(range, address)};
  if (pc >= range.begin && pc < range.end) {
    text << ", code at file offset " << Hex{file_offset(range, pc)};
    name_function(range, pc, text);
  }
  if (signal == SIGSEGV) text << ", touching address " << Hex{address};
  struct stat now;
  if (signal == SIGBUS && info.si_code == BUS_MCEERR_AR) text << ": medium error (memory failure)";
  if (signal == SIGBUS && info.si_code == BUS_ADRERR) {
    text << ": the page is gone from the file";
    if (stat(range.path, &now) == 0)
      text << ", which now has " << static_cast<uint64_t>(now.st_size) << " bytes";
  }
  text << "\n";
  const long written = sys::call(SYS_write, 2, reinterpret_cast<long>(text.c_str()),
                                 static_cast<long>(__builtin_strlen(text.c_str())));
  (void)written;
}

/// A zero page in the place of the one that the file no longer has.
bool substitute(GuardedRange& range, uint64_t address) {
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const long got = sys::mmap(page_down(address, page), page, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  range.damaged = true;
  return !sys::failed(got);
}

void forward(int signal, siginfo_t* info, void* context, const struct sigaction& previous) {
  if (previous.sa_flags & SA_SIGINFO) {
    previous.sa_sigaction(signal, info, context);
  } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
    previous.sa_handler(signal);
  } else {
    ::signal(signal, SIG_DFL);  // returning faults again, now with the default action
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const uint64_t address = reinterpret_cast<uint64_t>(info->si_addr), pc = program_counter(context);
  const bool from_kernel = info->si_code > 0;
  if (from_kernel && take_first != nullptr && take_first(signal, address, pc, context)) return;
  GuardedRange* at = from_kernel ? ranges.find(address) : nullptr;
  if (signal == SIGBUS && at != nullptr && (at->lenient || at == read_leniently) && substitute(*at, address))
    return;
  GuardedRange* by = from_kernel ? ranges.find(pc) : nullptr;
  if (at == nullptr && by == nullptr)
    return forward(signal, info, context, signal == SIGBUS ? previous_bus : previous_segv);
  explain(signal, *info, at != nullptr ? *at : *by, address, pc);
  ::signal(signal, SIG_DFL);
}

void install() {
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGBUS, &action, &previous_bus);
  sigaction(SIGSEGV, &action, &previous_segv);
}

}  // namespace

LenientReads::LenientReads(GuardedRange& range) : before_(read_leniently) { read_leniently = &range; }

LenientReads::~LenientReads() { read_leniently = before_; }

void guard(GuardedRange* range) {
  static std::once_flag once;
  std::call_once(once, install);
  ranges.add(range);  // beyond that many, faults go unexplained
}

void take_faults_first(FaultTaker taker) { take_first = taker; }

void unguard(GuardedRange* range) { ranges.remove(range); }

}  // namespace insitu
