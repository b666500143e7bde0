// Vector operators with NEON of aarch64, where most are one instruction. Included by simd.h.
#pragma once
#include <arm_neon.h>

#define V128_UNARY(name, vector, intrinsic) \
  V128_OPERATOR v128 name(v128 a) { return (v128)intrinsic((vector)a); }
#define V128_BINARY(name, vector, intrinsic) \
  V128_OPERATOR v128 name(v128 a, v128 b) { return (v128)intrinsic((vector)a, (vector)b); }

#include "simd_arm_convert.h"
#include "simd_arm_float.h"
#include "simd_arm_integer.h"

#undef V128_BINARY
#undef V128_UNARY
