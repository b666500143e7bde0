// What every kernel has: no C library, one export, a checksum for an answer.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define KERNEL __attribute__((export_name("run")))
#define APART __attribute__((noinline))

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

static inline u32 next_random(u32* state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

// Calls that the compiler makes of loops; it must not make a call of these ones too.
__attribute__((no_builtin)) void* memset(void* to, int value, size_t length) {
  for (u8 *at = to, *end = at + length; at < end; at++) *at = (u8)value;
  return to;
}

__attribute__((no_builtin)) void* memcpy(void* to, const void* from, size_t length) {
  for (size_t i = 0; i < length; i++) ((u8*)to)[i] = ((const u8*)from)[i];
  return to;
}
