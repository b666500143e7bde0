// Libraries that a process has one of, however many threads ask for them, and until it ends: what addons keep
// in static variables is for all threads, as with dlopen.
#pragma once
#include <string>

#include "load.h"
#include "scope.h"

namespace insitu {

struct SharedLibrary {
  Library* library = nullptr;
  LoadRecord record;  // of its one load
};

/// The library that lies at `start` in a file, loaded now if it was not yet. Never closed. Throws
/// LoadFailure.
const SharedLibrary& load_shared(const std::string& path, const LoadOptions& options);

/// A shared library that calls itself so (DT_SONAME), to be linked to; null where there is none.
const LoadedObject* shared_object(const std::string& soname);

}  // namespace insitu
