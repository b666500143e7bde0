// Float operators with SSE4.1. Included by float.h.
#pragma once
#include "x86.h"

// A scalar as the lowest lane, the others unspecified. gcc would spend an instruction on zeroing them.
#ifdef __clang__
WASM_OPERATOR __m128 f32_lane(float a) { return _mm_set_ss(a); }
WASM_OPERATOR __m128d f64_lane(double a) { return _mm_set_sd(a); }
#else
WASM_OPERATOR __m128 f32_lane(float a) {
  __m128 lane;
  __asm__("" : "=x"(lane) : "0"(a));
  return lane;
}
WASM_OPERATOR __m128d f64_lane(double a) {
  __m128d lane;
  __asm__("" : "=x"(lane) : "0"(a));
  return lane;
}
#endif

WASM_OPERATOR float f32_sqrt(float a) { return _mm_cvtss_f32(_mm_sqrt_ss(f32_lane(a))); }
WASM_OPERATOR double f64_sqrt(double a) {
  __m128d lane = f64_lane(a);
  return _mm_cvtsd_f64(_mm_sqrt_sd(lane, lane));
}

#define WASM_ROUND(name, direction)                                                  \
  WASM_OPERATOR float f32_##name(float a) {                                          \
    __m128 lane = f32_lane(a);                                                       \
    return _mm_cvtss_f32(_mm_round_ss(lane, lane, (direction) | _MM_FROUND_NO_EXC)); \
  }                                                                                  \
  WASM_OPERATOR double f64_##name(double a) {                                        \
    __m128d lane = f64_lane(a);                                                      \
    return _mm_cvtsd_f64(_mm_round_sd(lane, lane, (direction) | _MM_FROUND_NO_EXC)); \
  }
WASM_ROUND(nearest, _MM_FROUND_TO_NEAREST_INT)
WASM_ROUND(floor, _MM_FROUND_TO_NEG_INF)
WASM_ROUND(ceil, _MM_FROUND_TO_POS_INF)
WASM_ROUND(trunc, _MM_FROUND_TO_ZERO)
#undef WASM_ROUND

// MINSS and MAXSS give their second operand for zeros of either sign and for NaNs. Of both orders, the
// bitwise OR is the minimum of zeros and the AND their maximum; a NaN comes quietened out of an addition.
WASM_OPERATOR float f32_min(float a, float b) {
  if (__builtin_expect(__builtin_isunordered(a, b), 0)) return a + b;
  __m128 x = f32_lane(a), y = f32_lane(b);
  return _mm_cvtss_f32(_mm_or_ps(_mm_min_ss(x, y), _mm_min_ss(y, x)));
}
WASM_OPERATOR float f32_max(float a, float b) {
  if (__builtin_expect(__builtin_isunordered(a, b), 0)) return a + b;
  __m128 x = f32_lane(a), y = f32_lane(b);
  return _mm_cvtss_f32(_mm_and_ps(_mm_max_ss(x, y), _mm_max_ss(y, x)));
}
WASM_OPERATOR double f64_min(double a, double b) {
  if (__builtin_expect(__builtin_isunordered(a, b), 0)) return a + b;
  __m128d x = f64_lane(a), y = f64_lane(b);
  return _mm_cvtsd_f64(_mm_or_pd(_mm_min_sd(x, y), _mm_min_sd(y, x)));
}
WASM_OPERATOR double f64_max(double a, double b) {
  if (__builtin_expect(__builtin_isunordered(a, b), 0)) return a + b;
  __m128d x = f64_lane(a), y = f64_lane(b);
  return _mm_cvtsd_f64(_mm_and_pd(_mm_max_sd(x, y), _mm_max_sd(y, x)));
}

// CVTTSS2SI and CVTTSD2SI give the least integer for what is out of range: one comparison finds every odd
// case.
#define WASM_TRUNC_SAT(f, type, lane, convert32, convert64, two_to_63)                                 \
  WASM_OPERATOR uint32_t i32_trunc_sat_##f##_s(type a) {                                               \
    int32_t result = convert32(lane(a));                                                               \
    if (__builtin_expect(result == INT32_MIN, 0)) return a != a ? 0 : a > 0 ? INT32_MAX : 0x80000000u; \
    return (uint32_t)result;                                                                           \
  }                                                                                                    \
  WASM_OPERATOR uint32_t i32_trunc_sat_##f##_u(type a) {                                               \
    uint64_t result = (uint64_t)convert64(lane(a));                                                    \
    if (__builtin_expect(result > UINT32_MAX, 0)) return a > 0 ? UINT32_MAX : 0;                       \
    return (uint32_t)result;                                                                           \
  }                                                                                                    \
  WASM_OPERATOR uint64_t i64_trunc_sat_##f##_s(type a) {                                               \
    int64_t result = convert64(lane(a));                                                               \
    if (__builtin_expect(result == INT64_MIN, 0))                                                      \
      return a != a ? 0 : a > 0 ? INT64_MAX : (uint64_t)INT64_MIN;                                     \
    return (uint64_t)result;                                                                           \
  }                                                                                                    \
  WASM_OPERATOR uint64_t i64_trunc_sat_##f##_u(type a) {                                               \
    if (a < (two_to_63)) {                                                                             \
      int64_t result = convert64(lane(a));                                                             \
      return result < 0 ? 0 : (uint64_t)result;                                                        \
    }                                                                                                  \
    if (a != a) return 0;                                                                              \
    int64_t excess = convert64(lane(a - (two_to_63)));                                                 \
    return excess < 0 ? UINT64_MAX : (uint64_t)excess | UINT64_C(1) << 63;                             \
  }
WASM_TRUNC_SAT(f32, float, f32_lane, _mm_cvttss_si32, _mm_cvttss_si64, 0x1p63f)
WASM_TRUNC_SAT(f64, double, f64_lane, _mm_cvttsd_si32, _mm_cvttsd_si64, 0x1p63)
#undef WASM_TRUNC_SAT
