// Calls in both directions, of functions whose parameters and result are numbers.
#pragma once
#include "accelerator.h"

namespace insitu::accelerator {

/// More than that go through Node-API.
constexpr uint32_t kMostParameters = 16;

/// What an exported function needs. Its instance frees it.
struct Cell {
  wasm::Instance* instance;
  const wasm::Record* record;
  const uint8_t* types;       // value types: parameters, then the result
  const wasm_memory* memory;  // whose size JavaScript may have changed; null: none
  int32_t place;              // among the functions that pointers lead to
  uint32_t function, type;    // indices in the module
  uint8_t params;
  uint8_t result;  // 0: none
  bool ready;      // what stands above is known: since the first call
  bool general;    // JavaScript converts arguments and result
};

constexpr int kCellField = 0, kOwnerField = 1;

inline void* pointer_of(v8::Local<v8::Object> holder) {
#if V8_MAJOR_VERSION >= 14
  return holder->GetAlignedPointerFromInternalField(kCellField, v8::kEmbedderDataTypeTagDefault);
#else
  return holder->GetAlignedPointerFromInternalField(kCellField);
#endif
}

/// Of an exported function; its data is the holder.
void call_export(const v8::FunctionCallbackInfo<v8::Value>& info);

/// Takes the place of what calls functions of JavaScript through Node-API.
void call_host(wasm_host* head);

/// Reads sizes of memories again.
void refresh(v8::Isolate* isolate, const void* instance);
/// Whether JavaScript made it larger since.
bool has_grown(v8::Isolate* isolate, const wasm_memory& memory);

/// Whether all are numbers and i64, and not too many.
bool is_simple(const wasm::Image& image, const wasm::Type& type);
/// A value's word in the slots. False when converting it threw.
bool to_word(v8::Isolate* isolate, v8::Local<v8::Value> value, uint8_t type, uint64_t& word);
v8::Local<v8::Value> to_value(v8::Isolate* isolate, uint8_t type, uint64_t word);

}  // namespace insitu::accelerator
