// SIMD: pictures of 8-bit channels laid over each other, and a dot product of floats.
#include <wasm_simd128.h>

#include "kernel.h"

enum { SIZE = 256 << 10 };
static u8 below[SIZE], above[SIZE], mixed[SIZE];
static float weights[SIZE / 16];

static void blend(u32 alpha) {
  v128_t a = wasm_i16x8_splat((short)alpha), rest = wasm_i16x8_splat((short)(256 - alpha));
  for (u32 i = 0; i < SIZE; i += 16) {
    v128_t x = wasm_v128_load(above + i), y = wasm_v128_load(below + i);
    v128_t low = wasm_i16x8_add(wasm_i16x8_mul(wasm_u16x8_extend_low_u8x16(x), a),
                                wasm_i16x8_mul(wasm_u16x8_extend_low_u8x16(y), rest));
    v128_t high = wasm_i16x8_add(wasm_i16x8_mul(wasm_u16x8_extend_high_u8x16(x), a),
                                 wasm_i16x8_mul(wasm_u16x8_extend_high_u8x16(y), rest));
    v128_t both = wasm_u8x16_narrow_i16x8(wasm_u16x8_shr(low, 8), wasm_u16x8_shr(high, 8));
    wasm_v128_store(mixed + i, wasm_u8x16_max(both, wasm_i8x16_shuffle(x, y, 0, 17, 2, 19, 4, 21, 6, 23, 8,
                                                                       25, 10, 27, 12, 29, 14, 31)));
  }
}

static float dot(void) {
  v128_t sums = wasm_f32x4_splat(0);
  for (u32 i = 0; i < SIZE / 16; i += 4) {
    v128_t bytes = wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(wasm_v128_load(mixed + i)));
    sums = wasm_f32x4_add(sums, wasm_f32x4_mul(wasm_v128_load(weights + i), wasm_f32x4_convert_u32x4(bytes)));
  }
  return wasm_f32x4_extract_lane(sums, 0) + wasm_f32x4_extract_lane(sums, 1) +
         wasm_f32x4_extract_lane(sums, 2) + wasm_f32x4_extract_lane(sums, 3);
}

KERNEL u32 run(u32 times) {
  for (u32 i = 0; i < SIZE; i++) below[i] = (u8)(i * 3), above[i] = (u8)(i >> 5);
  for (u32 i = 0; i < SIZE / 16; i++) weights[i] = (float)(i % 7) / 8;
  float sum = 0;
  for (u32 t = 0; t < times * 16; t++) {
    blend(t & 255);
    sum += dot();
  }
  return (u32)(int32_t)sum;
}
