// What the accelerator (native/v8, one for each V8) has of the addon. Both are built of the same sources; one
// that was not is told by its version and left alone.
#pragma once
#include "instance.h"
#include "runtime.h"

namespace insitu::wasm {

constexpr uint32_t kBridgeVersion = 1;

struct Bridge {
  uint32_t version = kBridgeVersion;
  uint64_t (*enter)(Runtime&, const Record&);
  Record* (*record)(Instance&, int32_t place, uint32_t type);
  /// Zeros, freed with the instance.
  void* (*attach)(Instance&, size_t bytes);
  /// Through Node-API: arguments and results of any type.
  void (*call_host)(wasm_host*);
  /// Goes on in compiled code with what throwToCompiled of runtime/wasm/boundary.ts left in the slots.
  void (*throw_left)(Runtime&);
  void (*trap)(Runtime&, uint32_t code);
};

}  // namespace insitu::wasm
