#include "debugger.h"

#include <dlfcn.h>

#include <mutex>

namespace insitu {
namespace {

/// struct r_debug_extended of glibc 2.35's link.h.
struct DebugNamespace {
  r_debug base;
  DebugNamespace* next;
};

std::mutex list_mutex;
DebugNamespace ours;

/// The C library's first namespace, or null where it has no room for further ones (before glibc 2.35).
DebugNamespace* first_namespace() {
  static DebugNamespace* const first = [] {
    const bool extended = dlvsym(RTLD_DEFAULT, "_dl_find_object", "GLIBC_2.35") != nullptr;
    return extended ? static_cast<DebugNamespace*>(dlsym(RTLD_DEFAULT, "_r_debug")) : nullptr;
  }();
  return first;
}

/// Where the debugger put its breakpoint. On return it reads the list.
void announce(int state) {
  ours.base.r_state = static_cast<decltype(ours.base.r_state)>(state);
  auto* const breakpoint = reinterpret_cast<void (*)()>(first_namespace()->base.r_brk);
  if (breakpoint != nullptr) breakpoint();
}

void append_namespace(DebugNamespace* first) {
  ours.base.r_version = 2;
  ours.base.r_brk = first->base.r_brk;
  ours.base.r_ldbase = first->base.r_ldbase;
  DebugNamespace* last = first;
  while (last->next != nullptr) last = last->next;
  last->next = &ours;
  first->base.r_version = 2;
}

}  // namespace

void debugger_add(link_map* map) {
  const std::lock_guard lock(list_mutex);
  DebugNamespace* first = first_namespace();
  if (first == nullptr) return;
  static bool appended = false;
  if (!appended) append_namespace(first);
  appended = true;
  announce(1 /* RT_ADD */);
  map->l_prev = nullptr;
  map->l_next = ours.base.r_map;
  if (map->l_next != nullptr) map->l_next->l_prev = map;
  ours.base.r_map = map;
  announce(0 /* RT_CONSISTENT */);
}

void debugger_remove(link_map* map) {
  const std::lock_guard lock(list_mutex);
  if (first_namespace() == nullptr) return;
  announce(2 /* RT_DELETE */);
  if (map->l_prev != nullptr) map->l_prev->l_next = map->l_next;
  if (map->l_next != nullptr) map->l_next->l_prev = map->l_prev;
  if (ours.base.r_map == map) ours.base.r_map = map->l_next;
  announce(0 /* RT_CONSISTENT */);
}

}  // namespace insitu
