// Functions that are defined nowhere, of a library that may be opened all the same, as by ld.so when it binds
// lazily: calling one ends the process with ld.so's message and status.
#pragma once
#include <cstdint>

namespace insitu {

/// What to bind such a function to. Both texts have to stay. Beyond a few, calls do not tell which it was.
uint64_t undefined_function(const char* file, const char* name);

}  // namespace insitu
