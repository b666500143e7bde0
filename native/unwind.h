// Exceptions and backtraces through mapped code. libgcc's unwinder asks the C library which object an address
// belongs to
// (_dl_find_object, glibc 2.35); the one reference to that function in libgcc_s is led here, where mapped
// libraries are known as well. Nothing is paid at load or at a throw, and a damaged library harms only those
// who throw through it. Registering tables with libgcc instead (__register_frame_info) would have it walk all
// of them at the first exception of the process, whoever throws it.
#pragma once
#include <dlfcn.h>
#include <link.h>

#include "fault.h"

namespace insitu {

/// What the unwinder needs to know of one library; must outlive its registration.
struct UnwindEntry {
  uint64_t begin = 0, end = 0;  // addresses
  const uint8_t* eh_frame_hdr = nullptr;
  link_map* map = nullptr;
};

/// False where the process's unwinder cannot be taught (a C library or libgcc without _dl_find_object).
bool unwinder_knows_us();
/// False when there is no room for one more.
bool unwind_add(UnwindEntry* entry);
void unwind_remove(UnwindEntry* entry);

/// Stands in for _dl_find_object (dlfcn.h) in code that insitu linked, too.
extern "C" int insitu_find_object(void* address, dl_find_object* result);

}  // namespace insitu
