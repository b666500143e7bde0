// Float operators of aarch64: each is one instruction with WebAssembly's semantics. In assembler, because C's
// conversions are undefined out of range and its builtins may become calls. Included by float.h.
#pragma once

#define WASM_UNARY(name, type, letter, instruction)                             \
  WASM_OPERATOR type name(type a) {                                             \
    type result;                                                                \
    __asm__(instruction " %" letter "0, %" letter "1" : "=w"(result) : "w"(a)); \
    return result;                                                              \
  }
#define WASM_UNARIES(name, instruction)           \
  WASM_UNARY(f32_##name, float, "s", instruction) \
  WASM_UNARY(f64_##name, double, "d", instruction)
WASM_UNARIES(sqrt, "fsqrt")
WASM_UNARIES(nearest, "frintn")
WASM_UNARIES(floor, "frintm")
WASM_UNARIES(ceil, "frintp")
WASM_UNARIES(trunc, "frintz")
#undef WASM_UNARIES
#undef WASM_UNARY

#define WASM_BINARY(name, type, letter, instruction)                                                  \
  WASM_OPERATOR type name(type a, type b) {                                                           \
    type result;                                                                                      \
    __asm__(instruction " %" letter "0, %" letter "1, %" letter "2" : "=w"(result) : "w"(a), "w"(b)); \
    return result;                                                                                    \
  }
WASM_BINARY(f32_min, float, "s", "fmin")
WASM_BINARY(f64_min, double, "d", "fmin")
WASM_BINARY(f32_max, float, "s", "fmax")
WASM_BINARY(f64_max, double, "d", "fmax")
#undef WASM_BINARY

#define WASM_TRUNC_SAT(name, result_type, width, type, letter, instruction)    \
  WASM_OPERATOR result_type name(type a) {                                     \
    result_type result;                                                        \
    __asm__(instruction " %" width "0, %" letter "1" : "=r"(result) : "w"(a)); \
    return result;                                                             \
  }
WASM_TRUNC_SAT(i32_trunc_sat_f32_s, uint32_t, "w", float, "s", "fcvtzs")
WASM_TRUNC_SAT(i32_trunc_sat_f32_u, uint32_t, "w", float, "s", "fcvtzu")
WASM_TRUNC_SAT(i32_trunc_sat_f64_s, uint32_t, "w", double, "d", "fcvtzs")
WASM_TRUNC_SAT(i32_trunc_sat_f64_u, uint32_t, "w", double, "d", "fcvtzu")
WASM_TRUNC_SAT(i64_trunc_sat_f32_s, uint64_t, "x", float, "s", "fcvtzs")
WASM_TRUNC_SAT(i64_trunc_sat_f32_u, uint64_t, "x", float, "s", "fcvtzu")
WASM_TRUNC_SAT(i64_trunc_sat_f64_s, uint64_t, "x", double, "d", "fcvtzs")
WASM_TRUNC_SAT(i64_trunc_sat_f64_u, uint64_t, "x", double, "d", "fcvtzu")
#undef WASM_TRUNC_SAT
