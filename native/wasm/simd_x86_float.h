// Float vector operators with SSE4.1. Included by simd_x86.h.
#pragma once

V128_UNARY(f32x4_sqrt, __m128, _mm_sqrt_ps)
V128_UNARY(f64x2_sqrt, __m128d, _mm_sqrt_pd)

#define V128_ROUND(name, direction)                                         \
  V128_OPERATOR v128 f32x4_##name(v128 a) {                                 \
    return (v128)_mm_round_ps((__m128)a, (direction) | _MM_FROUND_NO_EXC);  \
  }                                                                         \
  V128_OPERATOR v128 f64x2_##name(v128 a) {                                 \
    return (v128)_mm_round_pd((__m128d)a, (direction) | _MM_FROUND_NO_EXC); \
  }
V128_ROUND(nearest, _MM_FROUND_TO_NEAREST_INT)
V128_ROUND(floor, _MM_FROUND_TO_NEG_INF)
V128_ROUND(ceil, _MM_FROUND_TO_POS_INF)
V128_ROUND(trunc, _MM_FROUND_TO_ZERO)
#undef V128_ROUND

// MINPS and MAXPS give their second operand unless the first is strictly less or greater: with the operands
// exchanged, that is the definition of pmin and pmax.
V128_OPERATOR v128 f32x4_pmin(v128 a, v128 b) { return (v128)_mm_min_ps((__m128)b, (__m128)a); }
V128_OPERATOR v128 f32x4_pmax(v128 a, v128 b) { return (v128)_mm_max_ps((__m128)b, (__m128)a); }
V128_OPERATOR v128 f64x2_pmin(v128 a, v128 b) { return (v128)_mm_min_pd((__m128d)b, (__m128d)a); }
V128_OPERATOR v128 f64x2_pmax(v128 a, v128 b) { return (v128)_mm_max_pd((__m128d)b, (__m128d)a); }

// Both orders differ only for zeros, of which OR is the minimum and AND the maximum, and for NaNs: those
// become canonical, all bits set less the lower bits of the significand.
#define V128_EXTREME(shape, float_vector, name, suffix, zeros, canonical)                    \
  V128_OPERATOR v128 shape##_##name(v128 a, v128 b) {                                        \
    float_vector x = (float_vector)a, y = (float_vector)b;                                   \
    v128 either = (v128)_mm_##name##_##suffix(x, y) zeros(v128) _mm_##name##_##suffix(y, x); \
    v128 nan = (v128)_mm_cmpunord_##suffix(x, y);                                            \
    return v128_andnot(either | nan, canonical(nan));                                        \
  }
#define V128_PAYLOAD_32(nan) ((v128)_mm_srli_epi32((__m128i)(nan), 10))
#define V128_PAYLOAD_64(nan) ((v128)_mm_srli_epi64((__m128i)(nan), 13))
V128_EXTREME(f32x4, __m128, min, ps, |, V128_PAYLOAD_32)
V128_EXTREME(f32x4, __m128, max, ps, &, V128_PAYLOAD_32)
V128_EXTREME(f64x2, __m128d, min, pd, |, V128_PAYLOAD_64)
V128_EXTREME(f64x2, __m128d, max, pd, &, V128_PAYLOAD_64)
#undef V128_PAYLOAD_64
#undef V128_PAYLOAD_32
#undef V128_EXTREME
