// Conversions between vector shapes with NEON. Included by simd_arm.h.
#pragma once

// `type` is what NEON calls the narrow lanes.
#define V128_EXTEND(to, from, sign, vector, type)              \
  V128_OPERATOR v128 to##_extend_low_##from##_##sign(v128 a) { \
    return (v128)vmovl_##type(vget_low_##type((vector)a));     \
  }                                                            \
  V128_UNARY(to##_extend_high_##from##_##sign, vector, vmovl_high_##type)
V128_EXTEND(i16x8, i8x16, s, int8x16_t, s8)
V128_EXTEND(i16x8, i8x16, u, uint8x16_t, u8)
V128_EXTEND(i32x4, i16x8, s, int16x8_t, s16)
V128_EXTEND(i32x4, i16x8, u, uint16x8_t, u16)
V128_EXTEND(i64x2, i32x4, s, int32x4_t, s32)
V128_EXTEND(i64x2, i32x4, u, uint32x4_t, u32)
#undef V128_EXTEND

V128_LOAD_EXTEND(v128_load8x8_s, i16x8_extend_low_i8x16_s)
V128_LOAD_EXTEND(v128_load8x8_u, i16x8_extend_low_i8x16_u)
V128_LOAD_EXTEND(v128_load16x4_s, i32x4_extend_low_i16x8_s)
V128_LOAD_EXTEND(v128_load16x4_u, i32x4_extend_low_i16x8_u)
V128_LOAD_EXTEND(v128_load32x2_s, i64x2_extend_low_i32x4_s)
V128_LOAD_EXTEND(v128_load32x2_u, i64x2_extend_low_i32x4_u)

V128_UNARY(f32x4_convert_i32x4_s, int32x4_t, vcvtq_f32_s32)
V128_UNARY(f32x4_convert_i32x4_u, uint32x4_t, vcvtq_f32_u32)
V128_OPERATOR v128 f64x2_convert_low_i32x4_s(v128 a) {
  return (v128)vcvtq_f64_s64((int64x2_t)i64x2_extend_low_i32x4_s(a));
}
V128_OPERATOR v128 f64x2_convert_low_i32x4_u(v128 a) {
  return (v128)vcvtq_f64_u64((uint64x2_t)i64x2_extend_low_i32x4_u(a));
}
V128_OPERATOR v128 f32x4_demote_f64x2_zero(v128 a) {
  return (v128)vcombine_f32(vcvt_f32_f64((float64x2_t)a), vdup_n_f32(0));
}
V128_OPERATOR v128 f64x2_promote_low_f32x4(v128 a) {
  return (v128)vcvt_f64_f32(vget_low_f32((float32x4_t)a));
}

// FCVTZS and FCVTZU saturate and turn NaN into 0.
V128_UNARY(i32x4_trunc_sat_f32x4_s, float32x4_t, vcvtq_s32_f32)
V128_UNARY(i32x4_trunc_sat_f32x4_u, float32x4_t, vcvtq_u32_f32)
V128_OPERATOR v128 i32x4_trunc_sat_f64x2_s_zero(v128 a) {
  return (v128)vcombine_s32(vqmovn_s64(vcvtq_s64_f64((float64x2_t)a)), vdup_n_s32(0));
}
V128_OPERATOR v128 i32x4_trunc_sat_f64x2_u_zero(v128 a) {
  return (v128)vcombine_u32(vqmovn_u64(vcvtq_u64_f64((float64x2_t)a)), vdup_n_u32(0));
}
