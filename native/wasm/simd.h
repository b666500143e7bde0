// The vector operators of WebAssembly (core specification 4.3.5 and 4.4.3) over SSE4.1 or NEON, each a
// function of its name with '_' in place of '.'. C11 with the GNU extensions that gcc and clang share; calls
// no library at any level of optimisation. Lanes are scalars of the ABI (uint32_t, uint64_t, float, double);
// a lane index and the indices of a shuffle are constants. Floats round to nearest, and products are not
// contracted: -ffp-contract=off is needed.
#pragma once
#include <stdint.h>

#define V128_OPERATOR static inline __attribute__((always_inline))

/// Any 128-bit vector. Operators cast it to the shape they work on.
typedef long long v128 __attribute__((vector_size(16)));

typedef int8_t v128_s8 __attribute__((vector_size(16)));
typedef int16_t v128_s16 __attribute__((vector_size(16)));
typedef int32_t v128_s32 __attribute__((vector_size(16)));
typedef int64_t v128_s64 __attribute__((vector_size(16)));
typedef uint8_t v128_u8 __attribute__((vector_size(16)));
typedef uint16_t v128_u16 __attribute__((vector_size(16)));
typedef uint32_t v128_u32 __attribute__((vector_size(16)));
typedef uint64_t v128_u64 __attribute__((vector_size(16)));
typedef float v128_f32 __attribute__((vector_size(16)));
typedef double v128_f64 __attribute__((vector_size(16)));

#include "simd_lanes.h"
#include "simd_memory.h"
#if defined(__x86_64__)
#include "simd_x86.h"
#elif defined(__aarch64__)
#include "simd_arm.h"
#else
#error "no vector operators for this architecture; want x86-64 with SSE4.1 or aarch64"
#endif
#include "simd_relaxed.h"
#undef V128_LOAD_EXTEND
