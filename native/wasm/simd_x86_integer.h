// Integer vector operators with SSE4.1. Included by simd_x86.h.
#pragma once

V128_OPERATOR uint32_t v128_any_true(v128 a) { return !_mm_testz_si128((__m128i)a, (__m128i)a); }

// All true is no lane equal to zero.
#define V128_ALL_TRUE(shape)                              \
  V128_OPERATOR uint32_t shape##_all_true(v128 a) {       \
    __m128i zeros = (__m128i)shape##_eq(a, (v128){0, 0}); \
    return (uint32_t)_mm_testz_si128(zeros, zeros);       \
  }
V128_ALL_TRUE(i8x16)
V128_ALL_TRUE(i16x8)
V128_ALL_TRUE(i32x4)
V128_ALL_TRUE(i64x2)
#undef V128_ALL_TRUE

V128_OPERATOR uint32_t i8x16_bitmask(v128 a) { return (uint32_t)_mm_movemask_epi8((__m128i)a); }
V128_OPERATOR uint32_t i16x8_bitmask(v128 a) {
  return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16((__m128i)a, _mm_setzero_si128()));
}
V128_OPERATOR uint32_t i32x4_bitmask(v128 a) { return (uint32_t)_mm_movemask_ps((__m128)a); }
V128_OPERATOR uint32_t i64x2_bitmask(v128 a) { return (uint32_t)_mm_movemask_pd((__m128d)a); }

V128_UNARY(i8x16_abs, __m128i, _mm_abs_epi8)
V128_UNARY(i16x8_abs, __m128i, _mm_abs_epi16)
V128_UNARY(i32x4_abs, __m128i, _mm_abs_epi32)
V128_OPERATOR v128 i64x2_abs(v128 a) {
  v128 negative = i64x2_lt_s(a, (v128){0, 0});
  return i64x2_sub(a ^ negative, negative);
}

V128_BINARY(i8x16_min_s, __m128i, _mm_min_epi8)
V128_BINARY(i8x16_min_u, __m128i, _mm_min_epu8)
V128_BINARY(i8x16_max_s, __m128i, _mm_max_epi8)
V128_BINARY(i8x16_max_u, __m128i, _mm_max_epu8)
V128_BINARY(i16x8_min_s, __m128i, _mm_min_epi16)
V128_BINARY(i16x8_min_u, __m128i, _mm_min_epu16)
V128_BINARY(i16x8_max_s, __m128i, _mm_max_epi16)
V128_BINARY(i16x8_max_u, __m128i, _mm_max_epu16)
V128_BINARY(i32x4_min_s, __m128i, _mm_min_epi32)
V128_BINARY(i32x4_min_u, __m128i, _mm_min_epu32)
V128_BINARY(i32x4_max_s, __m128i, _mm_max_epi32)
V128_BINARY(i32x4_max_u, __m128i, _mm_max_epu32)

V128_BINARY(i8x16_add_sat_s, __m128i, _mm_adds_epi8)
V128_BINARY(i8x16_add_sat_u, __m128i, _mm_adds_epu8)
V128_BINARY(i8x16_sub_sat_s, __m128i, _mm_subs_epi8)
V128_BINARY(i8x16_sub_sat_u, __m128i, _mm_subs_epu8)
V128_BINARY(i16x8_add_sat_s, __m128i, _mm_adds_epi16)
V128_BINARY(i16x8_add_sat_u, __m128i, _mm_adds_epu16)
V128_BINARY(i16x8_sub_sat_s, __m128i, _mm_subs_epi16)
V128_BINARY(i16x8_sub_sat_u, __m128i, _mm_subs_epu16)
V128_BINARY(i8x16_avgr_u, __m128i, _mm_avg_epu8)
V128_BINARY(i16x8_avgr_u, __m128i, _mm_avg_epu16)

V128_BINARY(i8x16_narrow_i16x8_s, __m128i, _mm_packs_epi16)
V128_BINARY(i8x16_narrow_i16x8_u, __m128i, _mm_packus_epi16)
V128_BINARY(i16x8_narrow_i32x4_s, __m128i, _mm_packs_epi32)
V128_BINARY(i16x8_narrow_i32x4_u, __m128i, _mm_packus_epi32)

// The shift intrinsics take any count, and an immediate where it is constant.
#define V128_SHIFTS(shape, bits, suffix)                               \
  V128_OPERATOR v128 shape##_shl(v128 a, uint32_t n) {                 \
    return (v128)_mm_slli_##suffix((__m128i)a, (int)(n & ((bits)-1))); \
  }                                                                    \
  V128_OPERATOR v128 shape##_shr_u(v128 a, uint32_t n) {               \
    return (v128)_mm_srli_##suffix((__m128i)a, (int)(n & ((bits)-1))); \
  }
V128_SHIFTS(i16x8, 16, epi16)
V128_SHIFTS(i32x4, 32, epi32)
V128_SHIFTS(i64x2, 64, epi64)
#undef V128_SHIFTS
V128_OPERATOR v128 i16x8_shr_s(v128 a, uint32_t n) { return (v128)_mm_srai_epi16((__m128i)a, (int)(n & 15)); }
V128_OPERATOR v128 i32x4_shr_s(v128 a, uint32_t n) { return (v128)_mm_srai_epi32((__m128i)a, (int)(n & 31)); }
// Flipping the sign bit and subtracting it where the shift put it extends the sign.
V128_OPERATOR v128 i64x2_shr_s(v128 a, uint32_t n) {
  v128 sign = i64x2_shr_u(i64x2_splat(UINT64_C(1) << 63), n);
  return i64x2_sub(i64x2_shr_u(a, n) ^ sign, sign);
}
// Bytes shift as halves of 16 bits, less what came over from the neighbour.
V128_OPERATOR v128 i8x16_shl(v128 a, uint32_t n) {
  return i16x8_shl(a, n & 7) & i8x16_splat(0xffu << (n & 7));
}
V128_OPERATOR v128 i8x16_shr_u(v128 a, uint32_t n) {
  return i16x8_shr_u(a, n & 7) & i8x16_splat(0xffu >> (n & 7));
}
V128_OPERATOR v128 i8x16_shr_s(v128 a, uint32_t n) {
  __m128i low = _mm_unpacklo_epi8((__m128i)a, (__m128i)a), high = _mm_unpackhi_epi8((__m128i)a, (__m128i)a);
  int count = (int)(n & 7) + 8;
  return (v128)_mm_packs_epi16(_mm_srai_epi16(low, count), _mm_srai_epi16(high, count));
}

// PSHUFB gives 0 where the top bit of an index is set, which the addition does for 16 and more.
V128_OPERATOR v128 i8x16_swizzle(v128 a, v128 indices) {
  return (v128)_mm_shuffle_epi8((__m128i)a, _mm_adds_epu8((__m128i)indices, _mm_set1_epi8(0x70)));
}
V128_OPERATOR v128 i8x16_popcnt(v128 a) {
  const __m128i counts = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4),
                low = _mm_set1_epi8(15);
  __m128i high_bits = _mm_and_si128(_mm_srli_epi16((__m128i)a, 4), low);
  return (v128)_mm_add_epi8(_mm_shuffle_epi8(counts, _mm_and_si128((__m128i)a, low)),
                            _mm_shuffle_epi8(counts, high_bits));
}

// PMULHRSW wraps only for -32768 times itself, the only way to 0x8000.
V128_OPERATOR v128 i16x8_q15mulr_sat_s(v128 a, v128 b) {
  v128 product = (v128)_mm_mulhrs_epi16((__m128i)a, (__m128i)b);
  return product ^ i16x8_eq(product, i16x8_splat(0x8000));
}
V128_BINARY(i32x4_dot_i16x8_s, __m128i, _mm_madd_epi16)

// PMADDUBSW has one unsigned operand and one signed.
V128_OPERATOR v128 i16x8_extadd_pairwise_i8x16_s(v128 a) {
  return (v128)_mm_maddubs_epi16(_mm_set1_epi8(1), (__m128i)a);
}
V128_OPERATOR v128 i16x8_extadd_pairwise_i8x16_u(v128 a) {
  return (v128)_mm_maddubs_epi16((__m128i)a, _mm_set1_epi8(1));
}
V128_OPERATOR v128 i32x4_extadd_pairwise_i16x8_s(v128 a) {
  return (v128)_mm_madd_epi16((__m128i)a, _mm_set1_epi16(1));
}
// Both less 0x8000 are signed; the sum gets it back twice.
V128_OPERATOR v128 i32x4_extadd_pairwise_i16x8_u(v128 a) {
  return i32x4_add(i32x4_extadd_pairwise_i16x8_s(a ^ i16x8_splat(0x8000)), i32x4_splat(0x10000));
}

// 16-bit halves of the products come apart and are interleaved again.
#define V128_EXTMUL_16(sign, high)                                        \
  V128_OPERATOR v128 i32x4_extmul_low_i16x8_##sign(v128 a, v128 b) {      \
    __m128i lower = _mm_mullo_epi16((__m128i)a, (__m128i)b);              \
    return (v128)_mm_unpacklo_epi16(lower, high((__m128i)a, (__m128i)b)); \
  }                                                                       \
  V128_OPERATOR v128 i32x4_extmul_high_i16x8_##sign(v128 a, v128 b) {     \
    __m128i lower = _mm_mullo_epi16((__m128i)a, (__m128i)b);              \
    return (v128)_mm_unpackhi_epi16(lower, high((__m128i)a, (__m128i)b)); \
  }
V128_EXTMUL_16(s, _mm_mulhi_epi16)
V128_EXTMUL_16(u, _mm_mulhi_epu16)
#undef V128_EXTMUL_16

#define V128_EXTMUL_8(name, sign)                                                                   \
  V128_OPERATOR v128 i16x8_extmul_##name##_i8x16_##sign(v128 a, v128 b) {                           \
    return i16x8_mul(i16x8_extend_##name##_i8x16_##sign(a), i16x8_extend_##name##_i8x16_##sign(b)); \
  }
V128_EXTMUL_8(low, s)
V128_EXTMUL_8(low, u)
V128_EXTMUL_8(high, s)
V128_EXTMUL_8(high, u)
#undef V128_EXTMUL_8

// PMULDQ and PMULUDQ multiply the even lanes.
#define V128_EXTMUL_32(name, sign, unpack, multiply)                                       \
  V128_OPERATOR v128 i64x2_extmul_##name##_i32x4_##sign(v128 a, v128 b) {                  \
    return (v128)multiply(unpack((__m128i)a, (__m128i)a), unpack((__m128i)b, (__m128i)b)); \
  }
V128_EXTMUL_32(low, s, _mm_unpacklo_epi32, _mm_mul_epi32)
V128_EXTMUL_32(low, u, _mm_unpacklo_epi32, _mm_mul_epu32)
V128_EXTMUL_32(high, s, _mm_unpackhi_epi32, _mm_mul_epi32)
V128_EXTMUL_32(high, u, _mm_unpackhi_epi32, _mm_mul_epu32)
#undef V128_EXTMUL_32
