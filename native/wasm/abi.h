// What code compiled from WebAssembly (loader/compile) and the addon share: C11 and C++20.
//
// A compiled function takes its instance first, then its parameters: i32 uint32_t, i64 uint64_t, f32 float,
// f64 double, v128 a vector register, externref uint64_t (0 is null), exnref struct wasm_exception *, funcref
// a const struct wasm_function *. One result is returned as a C value; a funcref, and two and more results,
// are left in runtime->slots, in words: v128 takes two, funcref four, all else one.
//
// Function pointers that leave an instance (tables, exports, imports) return normally or not at all: a trap
// or an exception unwinds to the innermost frame of the runtime that wants it.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*wasm_code)(void);

/// A reference to a function, and a slot of a function table. Null where code is 0.
struct wasm_function {
  uint64_t type;  // type key (loader/compile/signature.ts): equal keys are equal types, in all images
  wasm_code code;
  void* instance;  // first argument
  wasm_code tail;  // an entry that may leave a tail call pending (runtime->tail), or 0
};

struct wasm_memory {
  uint8_t* base;  // never moves where addresses are 32-bit: guard pages follow, up to 8 GiB
  uint64_t size;  // bytes
  uint64_t pages;
  uint64_t max_pages;
  void* host;
  bool guarded;    // 8 GiB from base on are its own: what lies behind size traps
  bool has_files;  // some of it is mapped from an image, seen or not
  // The accelerator's (native/v8): what tells that it has grown.
  void* buffer;
  void (*drop_buffer)(void*);
};

/// Elements are struct wasm_function, or uint64_t in tables of externref and exnref.
struct wasm_table {
  union {
    struct wasm_function* functions;
    uint64_t* references;
  };
  uint64_t size;
  uint64_t max_size;
  uint64_t capacity;
};

/// Tags are compared by address.
struct wasm_tag {
  uint64_t type;
};

struct wasm_exception {
  const struct wasm_tag* tag;  // 0: a value thrown by JavaScript, payload[0] its externref
  struct wasm_exception* next;
  uint32_t words;
  uint32_t flags;
  uint64_t payload[];
};

struct wasm_runtime;

/// Where in runtime->slots the arguments of a pending tail call are.
#define WASM_TAIL 8192

/// Calls `code` with arguments out of `slots`, and leaves the results there.
typedef void (*wasm_enter)(wasm_code code, void* instance, uint64_t* slots);

/// What a function of JavaScript is to compiled code: its first argument, in an instance's place.
struct wasm_host {
  struct wasm_runtime* runtime;
};

struct wasm_instance {
  struct wasm_runtime* runtime;
  const void* image;
  void* owner;
};

enum wasm_trap {
  WASM_TRAP_UNREACHABLE = 1,
  WASM_TRAP_MEMORY,
  WASM_TRAP_TABLE,
  WASM_TRAP_DIVIDE_BY_ZERO,
  WASM_TRAP_REMAINDER_BY_ZERO,
  WASM_TRAP_DIVIDE_UNREPRESENTABLE,
  WASM_TRAP_CONVERSION,
  WASM_TRAP_SIGNATURE,
  WASM_TRAP_UNALIGNED,
  WASM_TRAP_NULL,
  WASM_TRAP_ELEMENT_SEGMENT,
  WASM_TRAP_STACK,
  WASM_TRAP_TABLE_ACCESS,
};

/// One for each thread that runs JavaScript. Compiled code uses what stands here by its place.
struct wasm_runtime {
  uint64_t* slots;
  struct wasm_exception* thrown;  // pending in functions of modules with exceptions
  struct {
    wasm_enter enter;  // 0: none pending
    wasm_code code;
    void* instance;
    uint64_t
        words;  // of its arguments, at WASM_TAIL in slots: whoever pends still has a result to store at 0
  } tail;

  void (*trap)(struct wasm_runtime*, uint32_t) __attribute__((noreturn));
  void (*call_host)(struct wasm_host*);
  /// Calls what a function pointer names and comes back also when it throws: with runtime->thrown set.
  void (*call_catching)(struct wasm_runtime*, wasm_enter, wasm_code, void*);
  /// Unwinds with runtime->thrown.
  void (*unwind)(struct wasm_runtime*) __attribute__((noreturn));
  /// Sets runtime->thrown to a new exception of that tag, and gives its payload to be filled.
  uint64_t* (*throw_tag)(struct wasm_instance*, const struct wasm_tag*, uint32_t words);
  void (*release)(struct wasm_runtime*, struct wasm_exception*);

  uint64_t (*memory_size)(struct wasm_instance*, uint32_t memory);
  uint64_t (*memory_grow)(struct wasm_instance*, uint32_t memory, uint64_t pages);
  void (*memory_fill)(struct wasm_instance*, uint32_t memory, uint64_t at, uint32_t value, uint64_t size);
  void (*memory_copy)(struct wasm_instance*, uint32_t to, uint32_t from, uint64_t at, uint64_t source,
                      uint64_t size);
  void (*memory_init)(struct wasm_instance*, uint32_t memory, uint32_t segment, uint64_t at, uint32_t source,
                      uint32_t size);
  void (*data_drop)(struct wasm_instance*, uint32_t segment);
  uint32_t (*memory_wait)(struct wasm_instance*, uint32_t memory, uint64_t at, uint64_t expected,
                          int64_t timeout, uint32_t bytes);
  uint32_t (*memory_notify)(struct wasm_instance*, uint32_t memory, uint64_t at, uint32_t count);

  void (*function_reference)(struct wasm_instance*, uint32_t function, struct wasm_function*);
  uint64_t (*table_grow)(struct wasm_instance*, uint32_t table, uint64_t count,
                         const struct wasm_function* function, uint64_t reference);
  void (*table_fill)(struct wasm_instance*, uint32_t table, uint64_t at, const struct wasm_function* function,
                     uint64_t reference, uint64_t count);
  void (*table_copy)(struct wasm_instance*, uint32_t to, uint32_t from, uint64_t at, uint64_t source,
                     uint64_t count);
  void (*table_init)(struct wasm_instance*, uint32_t table, uint32_t segment, uint64_t at, uint32_t source,
                     uint32_t count);
  void (*element_drop)(struct wasm_instance*, uint32_t segment);
};

#ifdef __cplusplus
}
#endif
