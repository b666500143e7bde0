// The operators after 0xfd, fixed-width SIMD (core specification 5.4.9) and relaxed SIMD (from 0x100), as opcodes.ts has
// the others.
import { accesses, type Operator, operator, run } from './opcodes.ts';

export const simd: (Operator | undefined)[] = [];

accesses(simd, 0, [
  'v128.load 16 i>v',
  'v128.load8x8_s 8 i>v',
  'v128.load8x8_u 8 i>v',
  'v128.load16x4_s 8 i>v',
  'v128.load16x4_u 8 i>v',
  'v128.load32x2_s 8 i>v',
  'v128.load32x2_u 8 i>v',
  'v128.load8_splat 1 i>v',
  'v128.load16_splat 2 i>v',
  'v128.load32_splat 4 i>v',
  'v128.load64_splat 8 i>v',
  'v128.store 16 iv>',
]);
accesses(simd, 92, ['v128.load32_zero 4 i>v', 'v128.load64_zero 8 i>v']);
for (const [place, bits] of [8, 16, 32, 64].entries()) {
  simd[84 + place] = operator(`v128.load${bits}_lane iv>v`, 'memarg-lane', bits / 8, 128 / bits);
  simd[88 + place] = operator(`v128.store${bits}_lane iv>`, 'memarg-lane', bits / 8, 128 / bits);
}

simd[12] = operator('v128.const >v', 'v128');
simd[13] = operator('i8x16.shuffle vv>v', 'shuffle', 0, 32);
run(simd, 14, 'i8x16', 'swizzle', 'vv>v');
run(simd, 15, 'i8x16', 'splat', 'i>v');
run(simd, 16, 'i16x8', 'splat', 'i>v');
run(simd, 17, 'i32x4', 'splat', 'i>v');
run(simd, 18, 'i64x2', 'splat', 'l>v');
run(simd, 19, 'f32x4', 'splat', 'f>v');
run(simd, 20, 'f64x2', 'splat', 'd>v');
for (const [place, row] of [
  'i8x16.extract_lane_s v>i',
  'i8x16.extract_lane_u v>i',
  'i8x16.replace_lane vi>v',
  'i16x8.extract_lane_s v>i',
  'i16x8.extract_lane_u v>i',
  'i16x8.replace_lane vi>v',
  'i32x4.extract_lane v>i',
  'i32x4.replace_lane vi>v',
  'i64x2.extract_lane v>l',
  'i64x2.replace_lane vl>v',
  'f32x4.extract_lane v>f',
  'f32x4.replace_lane vf>v',
  'f64x2.extract_lane v>d',
  'f64x2.replace_lane vd>v',
].entries()) {
  const lanes = Number(/x(\d+)/.exec(row)?.[1]);
  simd[21 + place] = operator(row, 'lane', 0, lanes);
}

const integerComparisons = 'eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u';
run(simd, 35, 'i8x16', integerComparisons, 'vv>v');
run(simd, 45, 'i16x8', integerComparisons, 'vv>v');
run(simd, 55, 'i32x4', integerComparisons, 'vv>v');
run(simd, 65, 'f32x4', 'eq ne lt gt le ge', 'vv>v');
run(simd, 71, 'f64x2', 'eq ne lt gt le ge', 'vv>v');
run(simd, 77, 'v128', 'not', 'v>v');
run(simd, 78, 'v128', 'and andnot or xor', 'vv>v');
run(simd, 82, 'v128', 'bitselect', 'vvv>v');
run(simd, 83, 'v128', 'any_true', 'v>i');
run(simd, 94, 'f32x4', 'demote_f64x2_zero', 'v>v');
run(simd, 95, 'f64x2', 'promote_low_f32x4', 'v>v');

run(simd, 96, 'i8x16', 'abs neg popcnt', 'v>v');
run(simd, 99, 'i8x16', 'all_true bitmask', 'v>i');
run(simd, 101, 'i8x16', 'narrow_i16x8_s narrow_i16x8_u', 'vv>v');
run(simd, 103, 'f32x4', 'ceil floor trunc nearest', 'v>v');
run(simd, 107, 'i8x16', 'shl shr_s shr_u', 'vi>v');
run(simd, 110, 'i8x16', 'add add_sat_s add_sat_u sub sub_sat_s sub_sat_u', 'vv>v');
run(simd, 116, 'f64x2', 'ceil floor', 'v>v');
run(simd, 118, 'i8x16', 'min_s min_u max_s max_u', 'vv>v');
run(simd, 122, 'f64x2', 'trunc', 'v>v');
run(simd, 123, 'i8x16', 'avgr_u', 'vv>v');
run(simd, 124, 'i16x8', 'extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u', 'v>v');
run(simd, 126, 'i32x4', 'extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u', 'v>v');

run(simd, 128, 'i16x8', 'abs neg', 'v>v');
run(simd, 130, 'i16x8', 'q15mulr_sat_s', 'vv>v');
run(simd, 131, 'i16x8', 'all_true bitmask', 'v>i');
run(simd, 133, 'i16x8', 'narrow_i32x4_s narrow_i32x4_u', 'vv>v');
run(
  simd,
  135,
  'i16x8',
  'extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u',
  'v>v',
);
run(simd, 139, 'i16x8', 'shl shr_s shr_u', 'vi>v');
run(simd, 142, 'i16x8', 'add add_sat_s add_sat_u sub sub_sat_s sub_sat_u', 'vv>v');
run(simd, 148, 'f64x2', 'nearest', 'v>v');
run(simd, 149, 'i16x8', 'mul min_s min_u max_s max_u - avgr_u', 'vv>v');
run(
  simd,
  156,
  'i16x8',
  'extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u',
  'vv>v',
);

run(simd, 160, 'i32x4', 'abs neg', 'v>v');
run(simd, 163, 'i32x4', 'all_true bitmask', 'v>i');
run(
  simd,
  167,
  'i32x4',
  'extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u',
  'v>v',
);
run(simd, 171, 'i32x4', 'shl shr_s shr_u', 'vi>v');
run(simd, 174, 'i32x4', 'add - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s', 'vv>v');
run(
  simd,
  188,
  'i32x4',
  'extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u',
  'vv>v',
);

run(simd, 192, 'i64x2', 'abs neg', 'v>v');
run(simd, 195, 'i64x2', 'all_true bitmask', 'v>i');
run(
  simd,
  199,
  'i64x2',
  'extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u',
  'v>v',
);
run(simd, 203, 'i64x2', 'shl shr_s shr_u', 'vi>v');
run(simd, 206, 'i64x2', 'add - - sub - - - mul eq ne lt_s gt_s le_s ge_s', 'vv>v');
run(
  simd,
  220,
  'i64x2',
  'extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u',
  'vv>v',
);

run(simd, 224, 'f32x4', 'abs neg - sqrt', 'v>v');
run(simd, 228, 'f32x4', 'add sub mul div min max pmin pmax', 'vv>v');
run(simd, 236, 'f64x2', 'abs neg - sqrt', 'v>v');
run(simd, 240, 'f64x2', 'add sub mul div min max pmin pmax', 'vv>v');
run(simd, 248, 'i32x4', 'trunc_sat_f32x4_s trunc_sat_f32x4_u', 'v>v');
run(simd, 250, 'f32x4', 'convert_i32x4_s convert_i32x4_u', 'v>v');
run(simd, 252, 'i32x4', 'trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero', 'v>v');
run(simd, 254, 'f64x2', 'convert_low_i32x4_s convert_low_i32x4_u', 'v>v');

run(simd, 0x100, 'i8x16', 'relaxed_swizzle', 'vv>v');
run(simd, 0x101, 'i32x4', 'relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u', 'v>v');
run(simd, 0x103, 'i32x4', 'relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero', 'v>v');
run(simd, 0x105, 'f32x4', 'relaxed_madd relaxed_nmadd', 'vvv>v');
run(simd, 0x107, 'f64x2', 'relaxed_madd relaxed_nmadd', 'vvv>v');
for (const [place, shape] of ['i8x16', 'i16x8', 'i32x4', 'i64x2'].entries()) {
  run(simd, 0x109 + place, shape, 'relaxed_laneselect', 'vvv>v');
}
run(simd, 0x10d, 'f32x4', 'relaxed_min relaxed_max', 'vv>v');
run(simd, 0x10f, 'f64x2', 'relaxed_min relaxed_max', 'vv>v');
run(simd, 0x111, 'i16x8', 'relaxed_q15mulr_s relaxed_dot_i8x16_i7x16_s', 'vv>v');
run(simd, 0x113, 'i32x4', 'relaxed_dot_i8x16_i7x16_add_s', 'vvv>v');
