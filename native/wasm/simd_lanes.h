// Vector operators that are the same in the compilers' own vector arithmetic on every architecture. Included
// by simd.h.
#pragma once

#define v128_const(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
  ((v128)(v128_u8){a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p})
#define i8x16_shuffle(a, b, ...) ((v128)__builtin_shufflevector((v128_u8)(a), (v128_u8)(b), __VA_ARGS__))

V128_OPERATOR v128 v128_not(v128 a) { return ~a; }
V128_OPERATOR v128 v128_and(v128 a, v128 b) { return a & b; }
V128_OPERATOR v128 v128_andnot(v128 a, v128 b) { return a & ~b; }
V128_OPERATOR v128 v128_or(v128 a, v128 b) { return a | b; }
V128_OPERATOR v128 v128_xor(v128 a, v128 b) { return a ^ b; }
V128_OPERATOR v128 v128_bitselect(v128 a, v128 b, v128 mask) { return ((a ^ b) & mask) ^ b; }

// `scalar` is the type of a lane outside the vector.
#define V128_LANES(shape, vector, scalar, element)                          \
  V128_OPERATOR v128 shape##_replace_lane(v128 a, int lane, scalar value) { \
    vector lanes = (vector)a;                                               \
    lanes[lane] = (element)value;                                           \
    return (v128)lanes;                                                     \
  }
#define V128_EXTRACT(name, vector, scalar) \
  V128_OPERATOR scalar name(v128 a, int lane) { return (scalar)((vector)a)[lane]; }
V128_LANES(i8x16, v128_u8, uint32_t, uint8_t)
V128_LANES(i16x8, v128_u16, uint32_t, uint16_t)
V128_LANES(i32x4, v128_u32, uint32_t, uint32_t)
V128_LANES(i64x2, v128_u64, uint64_t, uint64_t)
V128_LANES(f32x4, v128_f32, float, float)
V128_LANES(f64x2, v128_f64, double, double)
V128_EXTRACT(i8x16_extract_lane_s, v128_s8, uint32_t)
V128_EXTRACT(i8x16_extract_lane_u, v128_u8, uint32_t)
V128_EXTRACT(i16x8_extract_lane_s, v128_s16, uint32_t)
V128_EXTRACT(i16x8_extract_lane_u, v128_u16, uint32_t)
V128_EXTRACT(i32x4_extract_lane, v128_u32, uint32_t)
V128_EXTRACT(i64x2_extract_lane, v128_u64, uint64_t)
V128_EXTRACT(f32x4_extract_lane, v128_f32, float)
V128_EXTRACT(f64x2_extract_lane, v128_f64, double)
#undef V128_EXTRACT
#undef V128_LANES

V128_OPERATOR v128 i8x16_splat(uint32_t value) {
  uint8_t x = (uint8_t)value;
  return (v128)(v128_u8){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}
V128_OPERATOR v128 i16x8_splat(uint32_t value) {
  uint16_t x = (uint16_t)value;
  return (v128)(v128_u16){x, x, x, x, x, x, x, x};
}
V128_OPERATOR v128 i32x4_splat(uint32_t x) { return (v128)(v128_u32){x, x, x, x}; }
V128_OPERATOR v128 i64x2_splat(uint64_t x) { return (v128)(v128_u64){x, x}; }
V128_OPERATOR v128 f32x4_splat(float x) { return (v128)(v128_f32){x, x, x, x}; }
V128_OPERATOR v128 f64x2_splat(double x) { return (v128)(v128_f64){x, x}; }

#define V128_UNARY(name, vector, operator) \
  V128_OPERATOR v128 name(v128 a) { return (v128)(operator(vector) a); }
#define V128_BINARY(name, vector, operator) \
  V128_OPERATOR v128 name(v128 a, v128 b) { return (v128)((vector)a operator(vector) b); }

// Unsigned, so that sums wrap.
#define V128_INTEGER(shape, vector)   \
  V128_UNARY(shape##_neg, vector, -)  \
  V128_BINARY(shape##_add, vector, +) \
  V128_BINARY(shape##_sub, vector, -) \
  V128_BINARY(shape##_eq, vector, ==) \
  V128_BINARY(shape##_ne, vector, !=)
V128_INTEGER(i8x16, v128_u8)
V128_INTEGER(i16x8, v128_u16)
V128_INTEGER(i32x4, v128_u32)
V128_INTEGER(i64x2, v128_u64)
#undef V128_INTEGER
V128_BINARY(i16x8_mul, v128_u16, *)
V128_BINARY(i32x4_mul, v128_u32, *)
V128_BINARY(i64x2_mul, v128_u64, *)

#define V128_ORDER(shape, suffix, vector)     \
  V128_BINARY(shape##_lt##suffix, vector, <)  \
  V128_BINARY(shape##_gt##suffix, vector, >)  \
  V128_BINARY(shape##_le##suffix, vector, <=) \
  V128_BINARY(shape##_ge##suffix, vector, >=)
V128_ORDER(i8x16, _s, v128_s8)
V128_ORDER(i8x16, _u, v128_u8)
V128_ORDER(i16x8, _s, v128_s16)
V128_ORDER(i16x8, _u, v128_u16)
V128_ORDER(i32x4, _s, v128_s32)
V128_ORDER(i32x4, _u, v128_u32)
V128_ORDER(i64x2, _s, v128_s64)

#define V128_FLOAT(shape, vector)     \
  V128_ORDER(shape, , vector)         \
  V128_BINARY(shape##_eq, vector, ==) \
  V128_BINARY(shape##_ne, vector, !=) \
  V128_BINARY(shape##_add, vector, +) \
  V128_BINARY(shape##_sub, vector, -) \
  V128_BINARY(shape##_mul, vector, *) \
  V128_BINARY(shape##_div, vector, /)
V128_FLOAT(f32x4, v128_f32)
V128_FLOAT(f64x2, v128_f64)
#undef V128_FLOAT
#undef V128_ORDER
#undef V128_BINARY
#undef V128_UNARY

// Of a NaN too, only the sign may change.
V128_OPERATOR v128 f32x4_abs(v128 a) { return a & i32x4_splat(0x7fffffff); }
V128_OPERATOR v128 f32x4_neg(v128 a) { return a ^ i32x4_splat(0x80000000); }
V128_OPERATOR v128 f64x2_abs(v128 a) { return a & i64x2_splat(0x7fffffffffffffff); }
V128_OPERATOR v128 f64x2_neg(v128 a) { return a ^ i64x2_splat(0x8000000000000000); }
