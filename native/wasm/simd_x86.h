// Vector operators with SSE4.1; with more by -march, the compiler chooses. Included by simd.h.
#pragma once
#include "x86.h"

// `suffix` names an intrinsic; `vector` is its type.
#define V128_UNARY(name, vector, intrinsic) \
  V128_OPERATOR v128 name(v128 a) { return (v128)intrinsic((vector)a); }
#define V128_BINARY(name, vector, intrinsic) \
  V128_OPERATOR v128 name(v128 a, v128 b) { return (v128)intrinsic((vector)a, (vector)b); }

#include "simd_x86_convert.h"
#include "simd_x86_float.h"
#include "simd_x86_integer.h"

#undef V128_BINARY
#undef V128_UNARY
