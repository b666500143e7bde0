// load(): a stored shared object becomes running code. All of the chain in one call, because each further
// crossing into JavaScript that has not run yet costs more than a step does (figures in RATIONALE.md).
#pragma once
#include <memory>

#include "library.h"
#include "source_view.h"
#include "stored.h"

namespace insitu {

/// A descriptor that outlives the load.
struct KeptFile {
  int fd = -1;
  uint64_t start = 0;  // of the image in it, bytes
  KeptFile() = default;
  ~KeptFile();
  KeptFile(const KeptFile&) = delete;
  KeptFile& operator=(const KeptFile&) = delete;
};

struct LoadOptions {
  bool copy = false;              // the twin: every segment read into anonymous memory
  bool require_in_place = false;  // ERR_NOT_IN_PLACE unless on NVM with no text or read-only data copied
  bool prefault = false;          // touch every page of text now
  bool lazy = false;              // functions may be undefined until they are called (dlopen's RTLD_LAZY)
  uint64_t start = 0;             // of the image in its file, bytes
  uint64_t size = kToTheEnd;      // of the image, bytes
  void (*check)(const Library&) = nullptr;  // refuses what is mapped, before any of it runs
  KeptFile* keep = nullptr;                 // is given the file's descriptor
};

enum class Phase { open, read, plan, map, prefault, link, count };

struct LoadRecord {
  uint64_t phase_ns[static_cast<size_t>(Phase::count)] = {};
  uint64_t minor_faults = 0, major_faults = 0;  // of this thread, during the load
  StorageFacts facts;
};

/// Throws LoadFailure with nothing left mapped. Constructors have run when it returns.
std::unique_ptr<Library> load(const char* path, const LoadOptions& options, LoadRecord& record);

/// Refuses what would not run in place on NVM, saying why.
void require_in_place(const StorageFacts& facts, const Plan& plan);

}  // namespace insitu
