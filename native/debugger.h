// Makes mapped libraries known to debuggers: they read the C library's r_debug list, and (glibc 2.35, GDB 13)
// the further link-map namespaces that hang off it. Ours is one of those, so that the C library's own list is
// untouched.
#pragma once
#include <link.h>

#include <cstdint>

namespace insitu {

/// Links `map` (l_addr = bias, l_name, l_ld filled in by the caller, which keeps it alive) in or out.
void debugger_add(link_map* map);
void debugger_remove(link_map* map);

}  // namespace insitu
