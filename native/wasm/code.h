// Included by every C unit that loader/compile emits: the operators of WebAssembly that C has no exact
// operator for. C11 with the GNU extensions that gcc and clang share.
#pragma once
#include "abi.h"
#include "float.h"

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
typedef float f32;
typedef double f64;
typedef struct wasm_function function;
typedef struct wasm_exception exception;

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TRAP(code) in->h.runtime->trap(in->h.runtime, WASM_TRAP_##code)
/// Keeps a load whose result goes unused: it may trap.
#define KEEP(x) __asm__ volatile("" ::"r"(x))
#define KEEP_F(x) __asm__ volatile("" ::"x"(x))
#if defined(__aarch64__)
#undef KEEP_F
#define KEEP_F(x) __asm__ volatile("" ::"w"(x))
#endif

// Unaligned, and of any effective type.
#define MEMORY_TYPE(type) typedef type mem_##type __attribute__((aligned(1), may_alias));
MEMORY_TYPE(u8)
MEMORY_TYPE(u16)
MEMORY_TYPE(u32)
MEMORY_TYPE(u64)
MEMORY_TYPE(s8)
MEMORY_TYPE(s16)
MEMORY_TYPE(s32)
MEMORY_TYPE(f32)
MEMORY_TYPE(f64)
#define AT(type, base, address) (*(mem_##type*)((base) + (address)))

/// An access that guard pages do not catch: 64-bit addresses, and offsets at the end of the guarded range.
#define CHECK(memory, address, offset, bytes)                                                 \
  do {                                                                                        \
    u64 end_;                                                                                 \
    if (UNLIKELY(__builtin_add_overflow((u64)(address), (u64)(offset), &end_) ||              \
                 __builtin_add_overflow(end_, (u64)(bytes), &end_) || end_ > (memory)->size)) \
      TRAP(MEMORY);                                                                           \
  } while (0)

static inline u32 i32_clz(u32 x) { return x ? (u32)__builtin_clz(x) : 32; }
static inline u32 i32_ctz(u32 x) { return x ? (u32)__builtin_ctz(x) : 32; }
static inline u64 i64_clz(u64 x) { return x ? (u64)__builtin_clzll(x) : 64; }
static inline u64 i64_ctz(u64 x) { return x ? (u64)__builtin_ctzll(x) : 64; }

// Without POPCNT (a baseline of another architecture) the compiler would call its library.
static inline u64 i64_popcnt(u64 x) {
#ifdef __POPCNT__
  return (u64)__builtin_popcountll(x);
#else
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return x * 0x0101010101010101u >> 56;
#endif
}
static inline u32 i32_popcnt(u32 x) { return (u32)i64_popcnt(x); }

static inline u32 i32_rotl(u32 x, u32 n) { return x << (n & 31) | x >> (-n & 31); }
static inline u32 i32_rotr(u32 x, u32 n) { return x >> (n & 31) | x << (-n & 31); }
static inline u64 i64_rotl(u64 x, u64 n) { return x << (n & 63) | x >> (-n & 63); }
static inline u64 i64_rotr(u64 x, u64 n) { return x >> (n & 63) | x << (-n & 63); }

/// Not folded with what demotes it again: that quietens a signalling NaN.
static inline f64 f64_promote(f32 x) {
  f64 promoted = x;
#if defined(__aarch64__)
  __asm__("" : "+w"(promoted));
#else
  __asm__("" : "+x"(promoted));
#endif
  return promoted;
}

static inline f32 f32_of(u32 bits) {
  f32 value;
  __builtin_memcpy(&value, &bits, 4);
  return value;
}
static inline f64 f64_of(u64 bits) {
  f64 value;
  __builtin_memcpy(&value, &bits, 8);
  return value;
}
static inline u32 bits_of_f32(f32 value) {
  u32 bits;
  __builtin_memcpy(&bits, &value, 4);
  return bits;
}
static inline u64 bits_of_f64(f64 value) {
  u64 bits;
  __builtin_memcpy(&bits, &value, 8);
  return bits;
}

// What other units of the image have is hidden too: without that, gcc reaches it through a table that would
// have to be relocated.
#pragma GCC visibility push(hidden)
