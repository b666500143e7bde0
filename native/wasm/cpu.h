// What an image may ask of the CPU: the bits of Description::features, in the order of
// loader/compile/describe.ts.
#pragma once
#include <cstdint>

namespace insitu::wasm {

/// The name of a feature that is asked for and that this CPU has not; null when it has all.
const char* missing_feature(uint32_t features);

}  // namespace insitu::wasm
