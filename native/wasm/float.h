// The float operators of WebAssembly that C has no exact operator for (core specification 4.3.3 and 4.3.2).
// C11 with the GNU extensions that gcc and clang share; calls no library. What only moves the sign bit leaves
// every other bit of a NaN as it was; everything else quietens it.
#pragma once
#include <stdint.h>

#define WASM_OPERATOR static inline __attribute__((always_inline))

WASM_OPERATOR float f32_abs(float a) { return __builtin_fabsf(a); }
WASM_OPERATOR double f64_abs(double a) { return __builtin_fabs(a); }
WASM_OPERATOR float f32_neg(float a) { return -a; }
WASM_OPERATOR double f64_neg(double a) { return -a; }
WASM_OPERATOR float f32_copysign(float a, float b) { return __builtin_copysignf(a, b); }
WASM_OPERATOR double f64_copysign(double a, double b) { return __builtin_copysign(a, b); }

#if defined(__x86_64__)
#include "float_x86.h"
#elif defined(__aarch64__)
#include "float_arm.h"
#else
#error "no float operators for this architecture; want x86-64 with SSE4.1 or aarch64"
#endif
