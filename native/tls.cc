#include "tls.h"

#include <limits.h>
#include <pthread.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

extern "C" void* __tls_get_addr(const insitu::TlsIndex*);

namespace insitu {
namespace {

constexpr uint64_t kOwn = uint64_t{1} << 63;
constexpr uint64_t kMaxModules = 4096;

struct Module {
  const void* image;
  uint64_t file_size, mem_size, align;
};

Module modules[kMaxModules];
uint64_t module_count = 0;
std::mutex tables_mutex;  // of the count, the free numbers and the list of tables
pthread_key_t thread_end;
std::once_flag thread_end_made;

struct ThreadTable {
  uint64_t size;
  void* blocks[];
};

/// Of every thread that has one. Neither list is ever destroyed: threads may end during exit.
std::vector<ThreadTable*>& tables() {
  static auto* const all = new std::vector<ThreadTable*>;
  return *all;
}

std::vector<uint64_t>& free_modules() {
  static auto* const numbers = new std::vector<uint64_t>;
  return *numbers;
}

[[noreturn]] void out_of_memory() {
  static const char text[] = "insitu: no memory for a thread's TLS block\n";
  fwrite(text, 1, sizeof text - 1, stderr);
  abort();
}

}  // namespace

extern "C" {
// Read by tls_*.S. Initial-exec, so that reaching it needs no call (one word of the static TLS that glibc
// keeps in reserve for libraries loaded later).
__attribute__((tls_model("initial-exec"), visibility("hidden"))) __thread ThreadTable* insitu_tls_table =
    nullptr;
}

namespace {

/// Other destructors of thread-specific data may still use thread-local variables: blocks go in the last of
/// the rounds that POSIX promises, as the C library's go after all of them.
void free_table(void* pointer) {
  static thread_local int rounds = 0;
  if (++rounds < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(thread_end, pointer);
    return;
  }
  auto* table = static_cast<ThreadTable*>(pointer);
  insitu_tls_table = nullptr;
  const std::lock_guard lock(tables_mutex);
  tables().erase(std::remove(tables().begin(), tables().end(), table), tables().end());
  for (uint64_t i = 0; i < table->size; i++) free(table->blocks[i]);
  free(table);
}

ThreadTable* grow_table(uint64_t index) {
  std::call_once(thread_end_made, [] { pthread_key_create(&thread_end, free_table); });
  const std::lock_guard lock(tables_mutex);
  ThreadTable* const old = insitu_tls_table;
  const uint64_t before = old == nullptr ? 0 : old->size;
  const uint64_t size = (index + 16) & ~uint64_t{15};
  if (old != nullptr) tables().erase(std::remove(tables().begin(), tables().end(), old), tables().end());
  auto* table = static_cast<ThreadTable*>(realloc(old, sizeof(ThreadTable) + size * sizeof(void*)));
  if (table == nullptr) out_of_memory();
  tables().push_back(table);
  memset(table->blocks + before, 0, (size - before) * sizeof(void*));
  table->size = size;
  insitu_tls_table = table;
  pthread_setspecific(thread_end, table);
  return table;
}

void* make_block(uint64_t index) {
  const Module& module = modules[index];
  const uint64_t align = module.align < sizeof(void*) ? sizeof(void*) : module.align;
  void* block = aligned_alloc(align, (module.mem_size + align - 1) & ~(align - 1));
  if (block == nullptr) out_of_memory();
  memcpy(block, module.image, module.file_size);
  memset(static_cast<char*>(block) + module.file_size, 0, module.mem_size - module.file_size);
  return block;
}

}  // namespace

uint64_t tls_add(const void* image, uint64_t file_size, uint64_t mem_size, uint64_t align) {
  const std::lock_guard lock(tables_mutex);
  if (free_modules().empty()) {
    if (module_count == kMaxModules) return 0;
    free_modules().push_back(module_count++);
  }
  const uint64_t index = free_modules().back();
  free_modules().pop_back();
  modules[index] = Module{image, file_size, mem_size, align};
  return kOwn | index;
}

void tls_remove(uint64_t module) {
  const uint64_t index = module & ~kOwn;
  const std::lock_guard lock(tables_mutex);
  for (ThreadTable* table : tables()) {
    if (index >= table->size) continue;
    free(table->blocks[index]);
    table->blocks[index] = nullptr;
  }
  free_modules().push_back(index);
}

void* tls_address(const TlsIndex& at) {
  if (!(at.module & kOwn)) return __tls_get_addr(&at);
  const uint64_t index = at.module & ~kOwn;
  ThreadTable* table = insitu_tls_table;
  if (table == nullptr || index >= table->size) table = grow_table(index);
  if (table->blocks[index] == nullptr) table->blocks[index] = make_block(index);
  return static_cast<char*>(table->blocks[index]) + at.offset;
}

extern "C" {

#if defined(__x86_64__)
// Old compilers emitted general-dynamic sequences with the stack misaligned (GCC bug 58066).
__attribute__((force_align_arg_pointer))
#endif
void* insitu_tls_get_addr(const TlsIndex* index) {
  return tls_address(*index);
}
}

}  // namespace insitu
