// Where a mapped library's undefined symbols are looked for, in this order:
//   1. the libraries it needs, and what those need, breadth first: those that insitu has loaded for the whole
//   process
//      (shared.h) by their DT_SONAME, the others by dlopen;
//   2. whatever the process was started with, then anything global (dlsym).
// A hit in an object of the start-up set (libc, libstdc++, …) yields to the main program's and preloaded
// objects' definition of the same name: there is one malloc in a process. For private dependencies it is the
// other way round, on purpose: Node exports its own OpenSSL, zlib and ICU, which must not be mixed with the
// ones needed here.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "relocate.h"

namespace insitu {

/// An object that the C library has loaded, or insitu for the whole process (shared.h). Never freed.
struct LoadedObject {
  uint64_t bias = 0;
  const Elf64_Dyn* dynamic = nullptr;
  std::string name, soname;
  std::vector<std::string> needed;
  SymbolTables tables;
  uint64_t tls_module = 0;
  bool at_start = false;  // main program, its libraries and preloads: never unloaded
};

struct CloseHandle {
  void operator()(void* handle) const;
};
using OpenHandle = std::unique_ptr<void, CloseHandle>;  // of dlopen

/// Holds the needed libraries open: to be destroyed after the code that was linked to them is gone.
class Scope {
 public:
  /// Finds or dlopens each needed library (`directories` = run path, already expanded). Throws LoadFailure
  /// ERR_NEEDED when one can't be had or needs `soname` itself.
  Scope(const std::vector<std::string>& needed, const std::vector<std::string>& directories,
        const std::string& soname);

  Resolution find(const SymbolName& wanted, bool thread_local_symbol) const;

 private:
  std::vector<OpenHandle> handles_;
  std::vector<const LoadedObject*> objects_;  // breadth first
};

/// Resolution of a process-wide unique symbol (STB_GNU_UNIQUE), if an object of the C library's has it
/// already. That object stays loaded from then on.
Resolution find_unique(const SymbolName& wanted);

}  // namespace insitu
