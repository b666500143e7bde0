// Integer vector operators with NEON. Included by simd_arm.h.
#pragma once

V128_OPERATOR uint32_t v128_any_true(v128 a) { return vmaxvq_u32((uint32x4_t)a) != 0; }
V128_OPERATOR uint32_t i8x16_all_true(v128 a) { return vminvq_u8((uint8x16_t)a) != 0; }
V128_OPERATOR uint32_t i16x8_all_true(v128 a) { return vminvq_u16((uint16x8_t)a) != 0; }
V128_OPERATOR uint32_t i32x4_all_true(v128 a) { return vminvq_u32((uint32x4_t)a) != 0; }
V128_OPERATOR uint32_t i64x2_all_true(v128 a) { return !v128_any_true(i64x2_eq(a, (v128){0, 0})); }

// The sign spread over its lane leaves there the bit that belongs to the lane; the sum collects the bits.
V128_OPERATOR uint32_t i8x16_bitmask(v128 a) {
  const v128_u8 bits = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  uint8x16_t set = vandq_u8((uint8x16_t)vshrq_n_s8((int8x16_t)a, 7), (uint8x16_t)bits);
  return vaddv_u8(vget_low_u8(set)) | (uint32_t)vaddv_u8(vget_high_u8(set)) << 8;
}
V128_OPERATOR uint32_t i16x8_bitmask(v128 a) {
  const v128_u16 bits = {1, 2, 4, 8, 16, 32, 64, 128};
  return vaddvq_u16(vandq_u16((uint16x8_t)vshrq_n_s16((int16x8_t)a, 15), (uint16x8_t)bits));
}
V128_OPERATOR uint32_t i32x4_bitmask(v128 a) {
  const v128_u32 bits = {1, 2, 4, 8};
  return vaddvq_u32(vandq_u32((uint32x4_t)vshrq_n_s32((int32x4_t)a, 31), (uint32x4_t)bits));
}
V128_OPERATOR uint32_t i64x2_bitmask(v128 a) {
  uint64x2_t signs = vshrq_n_u64((uint64x2_t)a, 63);
  return (uint32_t)(vgetq_lane_u64(signs, 0) | vgetq_lane_u64(signs, 1) << 1);
}

// A negative count shifts right.
#define V128_SHAPE(shape, bits, count_type, s, signed_vector, u, unsigned_vector)                  \
  V128_UNARY(shape##_abs, signed_vector, vabsq_##s)                                                \
  V128_OPERATOR v128 shape##_shl(v128 a, uint32_t n) {                                             \
    return (v128)vshlq_##u((unsigned_vector)a, vdupq_n_##s((count_type)(n & ((bits)-1))));         \
  }                                                                                                \
  V128_OPERATOR v128 shape##_shr_u(v128 a, uint32_t n) {                                           \
    return (v128)vshlq_##u((unsigned_vector)a, vdupq_n_##s((count_type) - (int)(n & ((bits)-1)))); \
  }                                                                                                \
  V128_OPERATOR v128 shape##_shr_s(v128 a, uint32_t n) {                                           \
    return (v128)vshlq_##s((signed_vector)a, vdupq_n_##s((count_type) - (int)(n & ((bits)-1))));   \
  }
V128_SHAPE(i8x16, 8, int8_t, s8, int8x16_t, u8, uint8x16_t)
V128_SHAPE(i16x8, 16, int16_t, s16, int16x8_t, u16, uint16x8_t)
V128_SHAPE(i32x4, 32, int32_t, s32, int32x4_t, u32, uint32x4_t)
V128_SHAPE(i64x2, 64, int64_t, s64, int64x2_t, u64, uint64x2_t)
#undef V128_SHAPE

#define V128_EXTREMES(shape, s, signed_vector, u, unsigned_vector) \
  V128_BINARY(shape##_min_s, signed_vector, vminq_##s)             \
  V128_BINARY(shape##_max_s, signed_vector, vmaxq_##s)             \
  V128_BINARY(shape##_min_u, unsigned_vector, vminq_##u)           \
  V128_BINARY(shape##_max_u, unsigned_vector, vmaxq_##u)
V128_EXTREMES(i8x16, s8, int8x16_t, u8, uint8x16_t)
V128_EXTREMES(i16x8, s16, int16x8_t, u16, uint16x8_t)
V128_EXTREMES(i32x4, s32, int32x4_t, u32, uint32x4_t)
#undef V128_EXTREMES

#define V128_SATURATING(shape, s, signed_vector, u, unsigned_vector) \
  V128_BINARY(shape##_add_sat_s, signed_vector, vqaddq_##s)          \
  V128_BINARY(shape##_add_sat_u, unsigned_vector, vqaddq_##u)        \
  V128_BINARY(shape##_sub_sat_s, signed_vector, vqsubq_##s)          \
  V128_BINARY(shape##_sub_sat_u, unsigned_vector, vqsubq_##u)        \
  V128_BINARY(shape##_avgr_u, unsigned_vector, vrhaddq_##u)
V128_SATURATING(i8x16, s8, int8x16_t, u8, uint8x16_t)
V128_SATURATING(i16x8, s16, int16x8_t, u16, uint16x8_t)
#undef V128_SATURATING

#define V128_NARROW(name, vector, s, narrow)                            \
  V128_OPERATOR v128 name(v128 a, v128 b) {                             \
    return (v128)narrow##_high_##s(narrow##_##s((vector)a), (vector)b); \
  }
V128_NARROW(i8x16_narrow_i16x8_s, int16x8_t, s16, vqmovn)
V128_NARROW(i8x16_narrow_i16x8_u, int16x8_t, s16, vqmovun)
V128_NARROW(i16x8_narrow_i32x4_s, int32x4_t, s32, vqmovn)
V128_NARROW(i16x8_narrow_i32x4_u, int32x4_t, s32, vqmovun)
#undef V128_NARROW

// TBL gives 0 for an index past the table.
V128_BINARY(i8x16_swizzle, uint8x16_t, vqtbl1q_u8)
V128_UNARY(i8x16_popcnt, uint8x16_t, vcntq_u8)
V128_BINARY(i16x8_q15mulr_sat_s, int16x8_t, vqrdmulhq_s16)

#define V128_WIDEN(to, from, sign, vector, type)                                       \
  V128_OPERATOR v128 to##_extmul_low_##from##_##sign(v128 a, v128 b) {                 \
    return (v128)vmull_##type(vget_low_##type((vector)a), vget_low_##type((vector)b)); \
  }                                                                                    \
  V128_BINARY(to##_extmul_high_##from##_##sign, vector, vmull_high_##type)
V128_WIDEN(i16x8, i8x16, s, int8x16_t, s8)
V128_WIDEN(i16x8, i8x16, u, uint8x16_t, u8)
V128_WIDEN(i32x4, i16x8, s, int16x8_t, s16)
V128_WIDEN(i32x4, i16x8, u, uint16x8_t, u16)
V128_WIDEN(i64x2, i32x4, s, int32x4_t, s32)
V128_WIDEN(i64x2, i32x4, u, uint32x4_t, u32)
#undef V128_WIDEN

V128_UNARY(i16x8_extadd_pairwise_i8x16_s, int8x16_t, vpaddlq_s8)
V128_UNARY(i16x8_extadd_pairwise_i8x16_u, uint8x16_t, vpaddlq_u8)
V128_UNARY(i32x4_extadd_pairwise_i16x8_s, int16x8_t, vpaddlq_s16)
V128_UNARY(i32x4_extadd_pairwise_i16x8_u, uint16x8_t, vpaddlq_u16)
V128_OPERATOR v128 i32x4_dot_i16x8_s(v128 a, v128 b) {
  return (v128)vpaddq_s32((int32x4_t)i32x4_extmul_low_i16x8_s(a, b),
                          (int32x4_t)i32x4_extmul_high_i16x8_s(a, b));
}
