// Float vector operators with NEON. Included by simd_arm.h.
#pragma once

#define V128_FLOATS(name, instruction)                      \
  V128_UNARY(f32x4_##name, float32x4_t, instruction##q_f32) \
  V128_UNARY(f64x2_##name, float64x2_t, instruction##q_f64)
V128_FLOATS(sqrt, vsqrt)
V128_FLOATS(nearest, vrndn)
V128_FLOATS(floor, vrndm)
V128_FLOATS(ceil, vrndp)
V128_FLOATS(trunc, vrnd)
#undef V128_FLOATS

// FMIN and FMAX order the zeros and give a quiet NaN for any NaN.
V128_BINARY(f32x4_min, float32x4_t, vminq_f32)
V128_BINARY(f32x4_max, float32x4_t, vmaxq_f32)
V128_BINARY(f64x2_min, float64x2_t, vminq_f64)
V128_BINARY(f64x2_max, float64x2_t, vmaxq_f64)

V128_OPERATOR v128 f32x4_pmin(v128 a, v128 b) { return v128_bitselect(b, a, f32x4_lt(b, a)); }
V128_OPERATOR v128 f32x4_pmax(v128 a, v128 b) { return v128_bitselect(b, a, f32x4_lt(a, b)); }
V128_OPERATOR v128 f64x2_pmin(v128 a, v128 b) { return v128_bitselect(b, a, f64x2_lt(b, a)); }
V128_OPERATOR v128 f64x2_pmax(v128 a, v128 b) { return v128_bitselect(b, a, f64x2_lt(a, b)); }
