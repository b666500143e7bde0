// Conversions between vector shapes with SSE4.1. Included by simd_x86.h.
#pragma once

// The lower half extends by itself; the upper half is interleaved, with zeros, or with itself and shifted
// down.
#define V128_EXTEND(to, from, from_bits, signed_name, unsigned_name)                     \
  V128_UNARY(to##_extend_low_##from##_s, __m128i, _mm_cvtepi##from_bits##_##signed_name) \
  V128_UNARY(to##_extend_low_##from##_u, __m128i, _mm_cvtepu##from_bits##_##signed_name) \
  V128_OPERATOR v128 to##_extend_high_##from##_u(v128 a) {                               \
    return (v128)_mm_unpackhi_##unsigned_name((__m128i)a, _mm_setzero_si128());          \
  }
V128_EXTEND(i16x8, i8x16, 8, epi16, epi8)
V128_EXTEND(i32x4, i16x8, 16, epi32, epi16)
V128_EXTEND(i64x2, i32x4, 32, epi64, epi32)
#undef V128_EXTEND
V128_OPERATOR v128 i16x8_extend_high_i8x16_s(v128 a) {
  return (v128)_mm_srai_epi16(_mm_unpackhi_epi8((__m128i)a, (__m128i)a), 8);
}
V128_OPERATOR v128 i32x4_extend_high_i16x8_s(v128 a) {
  return (v128)_mm_srai_epi32(_mm_unpackhi_epi16((__m128i)a, (__m128i)a), 16);
}
V128_OPERATOR v128 i64x2_extend_high_i32x4_s(v128 a) {
  return (v128)_mm_cvtepi32_epi64(_mm_unpackhi_epi64((__m128i)a, (__m128i)a));
}

V128_LOAD_EXTEND(v128_load8x8_s, i16x8_extend_low_i8x16_s)
V128_LOAD_EXTEND(v128_load8x8_u, i16x8_extend_low_i8x16_u)
V128_LOAD_EXTEND(v128_load16x4_s, i32x4_extend_low_i16x8_s)
V128_LOAD_EXTEND(v128_load16x4_u, i32x4_extend_low_i16x8_u)
V128_LOAD_EXTEND(v128_load32x2_s, i64x2_extend_low_i32x4_s)
V128_LOAD_EXTEND(v128_load32x2_u, i64x2_extend_low_i32x4_u)

V128_UNARY(f32x4_convert_i32x4_s, __m128i, _mm_cvtepi32_ps)
V128_UNARY(f64x2_convert_low_i32x4_s, __m128i, _mm_cvtepi32_pd)
V128_UNARY(f32x4_demote_f64x2_zero, __m128d, _mm_cvtpd_ps)
V128_UNARY(f64x2_promote_low_f32x4, __m128, _mm_cvtps_pd)

// Each half of 16 bits becomes a float exactly, as the low bits of 2^23 and of 2^39. Taking both powers from
// the upper half is exact too; only the last sum rounds.
V128_OPERATOR v128 f32x4_convert_i32x4_u(v128 a) {
  __m128i lower = _mm_blend_epi16((__m128i)a, _mm_set1_epi32(0x4b000000), 0xaa);
  __m128i upper = _mm_or_si128(_mm_srli_epi32((__m128i)a, 16), _mm_set1_epi32(0x53000000));
  __m128 rest = _mm_sub_ps((__m128)upper, _mm_set1_ps(0x1p39f + 0x1p23f));
  return (v128)_mm_add_ps(rest, (__m128)lower);
}
// As the low bits of 2^52.
V128_OPERATOR v128 f64x2_convert_low_i32x4_u(v128 a) {
  __m128i joined = _mm_unpacklo_epi32((__m128i)a, _mm_set1_epi32(0x43300000));
  return (v128)_mm_sub_pd((__m128d)joined, _mm_set1_pd(0x1p52));
}

// CVTTPS2DQ and CVTTPD2DQ give 0x80000000 for what is out of range. Of constants gcc would not: it takes them
// for conversions of C, of which it folds what is undefined its own way. What comes through assembler it does
// not know.
V128_OPERATOR __m128i v128_truncate_f32(__m128 a) {
  __asm__("" : "+x"(a));
  return _mm_cvttps_epi32(a);
}
V128_OPERATOR __m128i v128_truncate_f64(__m128d a) {
  __asm__("" : "+x"(a));
  return _mm_cvttpd_epi32(a);
}

// Right below the range, flipped above it.
V128_OPERATOR v128 i32x4_trunc_sat_f32x4_s(v128 a) {
  __m128 number = _mm_and_ps((__m128)a, _mm_cmpord_ps((__m128)a, (__m128)a));
  __m128i above = (__m128i)_mm_cmpge_ps(number, _mm_set1_ps(0x1p31f));
  return (v128)_mm_xor_si128(v128_truncate_f32(number), above);
}
// The sum of what is below 2^31 and of what goes beyond it, each as above. MAXPS turns NaN into its second
// operand.
V128_OPERATOR v128 i32x4_trunc_sat_f32x4_u(v128 a) {
  __m128 number = _mm_max_ps((__m128)a, _mm_setzero_ps()), limit = _mm_set1_ps(0x1p31f);
  __m128 excess = _mm_sub_ps(number, limit);
  __m128i above = (__m128i)_mm_cmpge_ps(excess, limit);
  __m128i upper = _mm_xor_si128(v128_truncate_f32(excess), above);
  return (v128)_mm_add_epi32(v128_truncate_f32(number), _mm_max_epi32(upper, _mm_setzero_si128()));
}
// Saturating at the bottom is what CVTTPD2DQ does; the upper lanes are zero.
V128_OPERATOR v128 i32x4_trunc_sat_f64x2_s_zero(v128 a) {
  __m128d number = _mm_and_pd((__m128d)a, _mm_cmpord_pd((__m128d)a, (__m128d)a));
  return (v128)v128_truncate_f64(_mm_min_pd(number, _mm_set1_pd(0x1p31 - 1)));
}
// As the low bits of 2^52.
V128_OPERATOR v128 i32x4_trunc_sat_f64x2_u_zero(v128 a) {
  __m128d number = _mm_min_pd(_mm_max_pd((__m128d)a, _mm_setzero_pd()), _mm_set1_pd(0x1p32 - 1));
  __m128d joined =
      _mm_add_pd(_mm_round_pd(number, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC), _mm_set1_pd(0x1p52));
  return (v128)_mm_shuffle_ps((__m128)joined, _mm_setzero_ps(), _MM_SHUFFLE(0, 0, 2, 0));
}
