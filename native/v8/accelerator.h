// The boundary by V8's own interface, which changes with each major version of Node: functions are made,
// called and told apart by it in a fraction of what Node-API takes. Without it all is as it is with it,
// through Node-API (binding.cc). runtime/wasm/accelerator.ts is the other side.
#pragma once
#include <v8.h>

#include "../wasm/bridge.h"

namespace insitu::accelerator {

/// Of a thread.
struct State {
  const wasm::Bridge* bridge = nullptr;
  wasm::Runtime* runtime = nullptr;
  /// Objects that hold a function's Cell and keep its instance.
  v8::Global<v8::ObjectTemplate> holder;
  /// Of an exports object: the holder of its Exporter.
  v8::Global<v8::Private> exporter;
  // Functions of JavaScript: runtime/wasm/accelerator.ts says what each does.
  v8::Global<v8::Function> raise, throw_to_compiled, call_general, other_export, refresh, target;
};

extern constinit thread_local State* state;

template <typename T>
T* address_of(v8::Local<v8::Value> value) {
  return reinterpret_cast<T*>(static_cast<uint64_t>(value.As<v8::Number>()->Value()));
}

// Callbacks; runtime/wasm/accelerator.ts tells their parameters.
void read_imports(const v8::FunctionCallbackInfo<v8::Value>& info);
void make_exports(const v8::FunctionCallbackInfo<v8::Value>& info);
void make_function(const v8::FunctionCallbackInfo<v8::Value>& info);

}  // namespace insitu::accelerator
