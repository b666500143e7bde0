#include "accelerator.h"

#include <node.h>

#include "calls.h"

namespace insitu::accelerator {

using namespace v8;

constinit thread_local State* state = nullptr;

namespace {

void end_thread(void* data) {
  delete static_cast<State*>(data);
  state = nullptr;
}

/// (bridge, runtime, functions of JavaScript): whether it can be used. Once a thread.
void start(const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  const auto* bridge = address_of<const wasm::Bridge>(info[0]);
  info.GetReturnValue().Set(bridge->version == wasm::kBridgeVersion);
  if (bridge->version != wasm::kBridgeVersion) return;
  state = new State;
  state->bridge = bridge;
  state->runtime = address_of<wasm::Runtime>(info[1]);
  const Local<ObjectTemplate> holder = ObjectTemplate::New(isolate);
  holder->SetInternalFieldCount(2);
  state->holder.Reset(isolate, holder);
  state->exporter.Reset(isolate, Private::New(isolate));
  Global<Function>* const functions[] = {&state->raise,        &state->throw_to_compiled,
                                         &state->call_general, &state->other_export,
                                         &state->refresh,      &state->target};
  int index = 2;
  for (Global<Function>* function : functions) function->Reset(isolate, info[index++].As<Function>());
  state->runtime->shared.call_host = call_host;
  node::AddEnvironmentCleanupHook(isolate, end_thread, state);
}

/// (address, buffer): what tells that it was grown. The buffer is held weakly.
void watch_memory(const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  auto& memory = *address_of<wasm_memory>(info[0]);
  if (memory.buffer == nullptr) {
    memory.buffer = new Global<ArrayBuffer>;
    memory.drop_buffer = [](void* buffer) { delete static_cast<Global<ArrayBuffer>*>(buffer); };
  }
  auto& buffer = *static_cast<Global<ArrayBuffer>*>(memory.buffer);
  buffer.Reset(isolate, info[1].As<ArrayBuffer>());
  buffer.SetWeak();
}

}  // namespace

}  // namespace insitu::accelerator

NODE_MODULE_INIT() {
  using namespace insitu::accelerator;
  (void)module;
  NODE_SET_METHOD(exports, "start", start);
  NODE_SET_METHOD(exports, "watchMemory", watch_memory);
  NODE_SET_METHOD(exports, "readImports", read_imports);
  NODE_SET_METHOD(exports, "makeExports", make_exports);
  NODE_SET_METHOD(exports, "makeFunction", make_function);
  (void)context;
}
