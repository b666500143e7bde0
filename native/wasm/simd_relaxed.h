// Relaxed vector operators (relaxed SIMD, core specification 4.3.6): where the specification leaves a choice,
// the one that V8 makes on the same processor. Most are the strict operator; those of x86-64 that are cheaper
// follow. Included by simd.h.
#pragma once

#if defined(__x86_64__)
// PSHUFB: an index of 16 to 127 counts modulo 16.
V128_OPERATOR v128 i8x16_relaxed_swizzle(v128 a, v128 indices) {
  return (v128)_mm_shuffle_epi8((__m128i)a, (__m128i)indices);
}
// CVTTPS2DQ and CVTTPD2DQ: what is out of range, and NaN, gives 0x80000000.
V128_OPERATOR v128 i32x4_relaxed_trunc_f32x4_s(v128 a) { return (v128)v128_truncate_f32((__m128)a); }
V128_OPERATOR v128 i32x4_relaxed_trunc_f64x2_s_zero(v128 a) { return (v128)v128_truncate_f64((__m128d)a); }

// BLENDV: the top bit chooses, of each byte where lanes are of 8 and 16 bits, and of the lane otherwise.
V128_OPERATOR v128 i8x16_relaxed_laneselect(v128 a, v128 b, v128 mask) {
  return (v128)_mm_blendv_epi8((__m128i)b, (__m128i)a, (__m128i)mask);
}
V128_OPERATOR v128 i16x8_relaxed_laneselect(v128 a, v128 b, v128 mask) {
  return i8x16_relaxed_laneselect(a, b, mask);
}
V128_OPERATOR v128 i32x4_relaxed_laneselect(v128 a, v128 b, v128 mask) {
  return (v128)_mm_blendv_ps((__m128)b, (__m128)a, (__m128)mask);
}
V128_OPERATOR v128 i64x2_relaxed_laneselect(v128 a, v128 b, v128 mask) {
  return (v128)_mm_blendv_pd((__m128d)b, (__m128d)a, (__m128d)mask);
}

// MINPS and MAXPS: the second operand for NaNs and for zeros of either sign.
V128_OPERATOR v128 f32x4_relaxed_min(v128 a, v128 b) { return (v128)_mm_min_ps((__m128)a, (__m128)b); }
V128_OPERATOR v128 f32x4_relaxed_max(v128 a, v128 b) { return (v128)_mm_max_ps((__m128)a, (__m128)b); }
V128_OPERATOR v128 f64x2_relaxed_min(v128 a, v128 b) { return (v128)_mm_min_pd((__m128d)a, (__m128d)b); }
V128_OPERATOR v128 f64x2_relaxed_max(v128 a, v128 b) { return (v128)_mm_max_pd((__m128d)a, (__m128d)b); }

// PMULHRSW wraps.
V128_OPERATOR v128 i16x8_relaxed_q15mulr_s(v128 a, v128 b) {
  return (v128)_mm_mulhrs_epi16((__m128i)a, (__m128i)b);
}
// PMADDUBSW takes the seven bits as unsigned eight, and saturates.
V128_OPERATOR v128 i16x8_relaxed_dot_i8x16_i7x16_s(v128 a, v128 b) {
  return (v128)_mm_maddubs_epi16((__m128i)b, (__m128i)a);
}
#else
#define i8x16_relaxed_swizzle i8x16_swizzle
#define i32x4_relaxed_trunc_f32x4_s i32x4_trunc_sat_f32x4_s
#define i32x4_relaxed_trunc_f64x2_s_zero i32x4_trunc_sat_f64x2_s_zero
#define i8x16_relaxed_laneselect v128_bitselect
#define i16x8_relaxed_laneselect v128_bitselect
#define i32x4_relaxed_laneselect v128_bitselect
#define i64x2_relaxed_laneselect v128_bitselect
#define f32x4_relaxed_min f32x4_min
#define f32x4_relaxed_max f32x4_max
#define f64x2_relaxed_min f64x2_min
#define f64x2_relaxed_max f64x2_max
#define i16x8_relaxed_q15mulr_s i16x8_q15mulr_sat_s
V128_OPERATOR v128 i16x8_relaxed_dot_i8x16_i7x16_s(v128 a, v128 b) {
  int16x8_t low = (int16x8_t)i16x8_extmul_low_i8x16_s(a, b),
            high = (int16x8_t)i16x8_extmul_high_i8x16_s(a, b);
  return (v128)vpaddq_s16(low, high);
}
#endif

#define i32x4_relaxed_trunc_f32x4_u i32x4_trunc_sat_f32x4_u
#define i32x4_relaxed_trunc_f64x2_u_zero i32x4_trunc_sat_f64x2_u_zero

V128_OPERATOR v128 i32x4_relaxed_dot_i8x16_i7x16_add_s(v128 a, v128 b, v128 c) {
  return i32x4_add(i32x4_extadd_pairwise_i16x8_s(i16x8_relaxed_dot_i8x16_i7x16_s(a, b)), c);
}

// One rounding where the target has the instruction, as V8 does on any processor that has it; two elsewhere.
#if defined(__aarch64__)
#define V128_FUSED_F32(name, a, b, c) \
  ((v128)vf##name##q_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#define V128_FUSED_F64(name, a, b, c) \
  ((v128)vf##name##q_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b)))
V128_OPERATOR v128 f32x4_relaxed_madd(v128 a, v128 b, v128 c) { return V128_FUSED_F32(ma, a, b, c); }
V128_OPERATOR v128 f32x4_relaxed_nmadd(v128 a, v128 b, v128 c) { return V128_FUSED_F32(ms, a, b, c); }
V128_OPERATOR v128 f64x2_relaxed_madd(v128 a, v128 b, v128 c) { return V128_FUSED_F64(ma, a, b, c); }
V128_OPERATOR v128 f64x2_relaxed_nmadd(v128 a, v128 b, v128 c) { return V128_FUSED_F64(ms, a, b, c); }
#undef V128_FUSED_F64
#undef V128_FUSED_F32
#elif defined(__FMA__)
#include <immintrin.h>
V128_OPERATOR v128 f32x4_relaxed_madd(v128 a, v128 b, v128 c) {
  return (v128)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
}
V128_OPERATOR v128 f32x4_relaxed_nmadd(v128 a, v128 b, v128 c) {
  return (v128)_mm_fnmadd_ps((__m128)a, (__m128)b, (__m128)c);
}
V128_OPERATOR v128 f64x2_relaxed_madd(v128 a, v128 b, v128 c) {
  return (v128)_mm_fmadd_pd((__m128d)a, (__m128d)b, (__m128d)c);
}
V128_OPERATOR v128 f64x2_relaxed_nmadd(v128 a, v128 b, v128 c) {
  return (v128)_mm_fnmadd_pd((__m128d)a, (__m128d)b, (__m128d)c);
}
#else
V128_OPERATOR v128 f32x4_relaxed_madd(v128 a, v128 b, v128 c) { return f32x4_add(f32x4_mul(a, b), c); }
V128_OPERATOR v128 f32x4_relaxed_nmadd(v128 a, v128 b, v128 c) { return f32x4_sub(c, f32x4_mul(a, b)); }
V128_OPERATOR v128 f64x2_relaxed_madd(v128 a, v128 b, v128 c) { return f64x2_add(f64x2_mul(a, b), c); }
V128_OPERATOR v128 f64x2_relaxed_nmadd(v128 a, v128 b, v128 c) { return f64x2_sub(c, f64x2_mul(a, b)); }
#endif
