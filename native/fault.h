// What a memory fault in mapped code means. While a file is being read or linked, a page that vanished (the
// file was truncated underneath) reads as zeros and is noted; once its code runs, the fault is explained in
// one line that names file and offset, and the signal's own default follows.
#pragma once
#include "symbols.h"

namespace insitu {

struct GuardedRange {
  uint64_t begin = 0, end = 0;
  const char* path = "";
  const Image* image = nullptr;  // null for a plain view
  const SymbolTables* symbols = nullptr;
  uint64_t bias = 0;              // of the image
  uint64_t file_start = 0;        // where the image (or view) starts in the file
  bool lenient = true;            // substitute zeros
  volatile bool damaged = false;  // a page was substituted
};

/// The loader's own look at the tables of a range whose code runs already: while it lives, pages that
/// vanished read as zeros for this thread too, and are noted.
class LenientReads {
 public:
  explicit LenientReads(GuardedRange& range);
  ~LenientReads();
  LenientReads(const LenientReads&) = delete;

 private:
  GuardedRange* before_;
};

/// Both keep the pointer; the range must outlive its registration. Handlers are installed at the first call.
void guard(GuardedRange* range);
void unguard(GuardedRange* range);

/// Asked before anything else about a fault that the kernel reports; true when it has seen to it. Must be
/// safe in a signal handler. Takes effect with the first guarded range.
using FaultTaker = bool (*)(int signal, uint64_t address, uint64_t pc, void* context);
void take_faults_first(FaultTaker taker);

}  // namespace insitu
