#include "cpu.h"

namespace insitu::wasm {

const char* missing_feature(uint32_t features) {
#if defined(__x86_64__)
  const struct {
    const char* name;
    bool here;
  } all[] = {
      {"SSE4.1", __builtin_cpu_supports("sse4.1") != 0},
      {"SSE4.2", __builtin_cpu_supports("sse4.2") != 0},
      {"POPCNT", __builtin_cpu_supports("popcnt") != 0},
      {"AVX", __builtin_cpu_supports("avx") != 0},
      {"AVX2", __builtin_cpu_supports("avx2") != 0},
      {"BMI", __builtin_cpu_supports("bmi") != 0},
      {"BMI2", __builtin_cpu_supports("bmi2") != 0},
      {"FMA", __builtin_cpu_supports("fma") != 0},
      {"LZCNT", __builtin_cpu_supports("lzcnt") != 0},
      {"F16C", __builtin_cpu_supports("f16c") != 0},
      {"AVX512F", __builtin_cpu_supports("avx512f") != 0},
      {"AVX512VL", __builtin_cpu_supports("avx512vl") != 0},
      {"AVX512BW", __builtin_cpu_supports("avx512bw") != 0},
      {"AVX512DQ", __builtin_cpu_supports("avx512dq") != 0},
      {"AVX512CD", __builtin_cpu_supports("avx512cd") != 0},
  };
  uint32_t bit = 1;
  for (const auto& [name, here] : all) {
    if ((features & bit) && !here) return name;
    bit <<= 1;
  }
#endif
  return features >> 15 != 0 ? "features that this version does not know" : nullptr;
}

}  // namespace insitu::wasm
