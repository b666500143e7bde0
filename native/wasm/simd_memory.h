// The pure part of the vector loads and stores: `p` is the address, of any alignment. Included by simd.h.
#pragma once

typedef v128 v128_unaligned __attribute__((aligned(1), may_alias));
typedef uint8_t v128_memory8 __attribute__((may_alias));
typedef uint16_t v128_memory16 __attribute__((aligned(1), may_alias));
typedef uint32_t v128_memory32 __attribute__((aligned(1), may_alias));
typedef uint64_t v128_memory64 __attribute__((aligned(1), may_alias));

V128_OPERATOR v128 v128_load(const void* p) { return *(const v128_unaligned*)p; }
V128_OPERATOR void v128_store(void* p, v128 a) { *(v128_unaligned*)p = a; }

#define V128_MEMORY(bits, shape, vector)                                       \
  V128_OPERATOR v128 v128_load##bits##_splat(const void* p) {                  \
    return shape##_splat(*(const v128_memory##bits*)p);                        \
  }                                                                            \
  V128_OPERATOR v128 v128_load##bits##_lane(const void* p, v128 a, int lane) { \
    return shape##_replace_lane(a, lane, *(const v128_memory##bits*)p);        \
  }                                                                            \
  V128_OPERATOR void v128_store##bits##_lane(void* p, v128 a, int lane) {      \
    *(v128_memory##bits*)p = ((vector)a)[lane];                                \
  }
V128_MEMORY(8, i8x16, v128_u8)
V128_MEMORY(16, i16x8, v128_u16)
V128_MEMORY(32, i32x4, v128_u32)
V128_MEMORY(64, i64x2, v128_u64)
#undef V128_MEMORY

V128_OPERATOR v128 v128_load32_zero(const void* p) {
  return (v128)(v128_u32){*(const v128_memory32*)p, 0, 0, 0};
}
V128_OPERATOR v128 v128_load64_zero(const void* p) { return (v128)(v128_u64){*(const v128_memory64*)p, 0}; }

// Eight bytes of memory, each lane extended to its double width.
#define V128_LOAD_EXTEND(name, extend) \
  V128_OPERATOR v128 name(const void* p) { return extend(v128_load64_zero(p)); }
