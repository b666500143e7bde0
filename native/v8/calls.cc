// Calls in both directions.
#include "calls.h"

#include <cstring>
#include <vector>

namespace insitu::accelerator {

using namespace v8;
using wasm::Host;
using wasm::Image;
using wasm::Instance;
using wasm::Record;
using wasm::Runtime;

namespace {

constexpr uint8_t kI32 = 0x7f, kI64 = 0x7e, kF32 = 0x7d, kF64 = 0x7c;
/// JavaScript is not called with less stack than that.
constexpr uint64_t kLeastStack = 64 << 10;

template <typename T>
uint64_t word_of(T value) {
  uint64_t word = 0;
  memcpy(&word, &value, sizeof value);
  return word;
}

template <typename T>
T from_word(uint64_t word) {
  T value;
  memcpy(&value, &word, sizeof value);
  return value;
}

/// Small integers are told apart and read without a call into V8.
bool is_small(Local<Value> value, int32_t& number) {
  const internal::Address word = internal::ValueHelper::ValueAsAddress(*value);
  if (internal::Internals::HasHeapObjectTag(word)) return false;
  number = internal::Internals::SmiValue(word);
  return true;
}

/// A function of JavaScript, as the instance that imports it calls it.
struct Target {
  Global<Function> function;  // weak: the instance keeps it
  const uint8_t* types = nullptr;
  uint8_t params = 0;
  uint8_t result = 0;
  const wasm_memory* memory = nullptr;
};

/// Of functions that are called through Node-API.
Target general;

void drop_target(void* target) {
  if (target != &general) delete static_cast<Target*>(target);
}

Target* make_target(Isolate* isolate, const Host& host) {
  const HandleScope scope(isolate);
  const Local<Context> context = isolate->GetCurrentContext();
  const Instance& instance = *Instance::of(reinterpret_cast<const wasm_instance*>(host.owner));
  const Image& image = instance.image();
  const wasm::Type& type = image.type(instance.function_type(host.index));
  if (!is_simple(image, type)) return &general;
  Local<Value> arguments[] = {
      Number::New(isolate, static_cast<double>(reinterpret_cast<uint64_t>(host.owner))),
      Integer::NewFromUnsigned(isolate, host.index)};
  const TryCatch catcher(isolate);
  Local<Value> answer;
  if (!state->target.Get(isolate)->Call(context, Undefined(isolate), 2, arguments).ToLocal(&answer) ||
      !answer->IsFunction())
    return &general;
  auto* target = new Target;
  target->function.Reset(isolate, answer.As<Function>());
  target->function.SetWeak();
  target->types = image.at(type.codes);
  target->params = static_cast<uint8_t>(type.params);
  target->result = type.results == 0 ? 0 : target->types[type.params];
  if (image.description().memories.count == 1) target->memory = &instance.memory(0);
  return target;
}

enum class Outcome { returned, threw, ended };

/// With arguments out of the slots; the result, or what was thrown, is left there.
Outcome call(Isolate* isolate, const Target& target, const Host& host) {
  uint64_t* const slots = state->runtime->shared.slots;
  const HandleScope scope(isolate);
  TryCatch catcher(isolate);
  const Local<Context> context = isolate->GetCurrentContext();
  Local<Value> arguments[kMostParameters];
  for (uint32_t i = 0; i < target.params; i++) arguments[i] = to_value(isolate, target.types[i], slots[i]);
  Local<Value> result;
  uint64_t word = 0;
  if (target.function.Get(isolate)
          ->Call(context, Undefined(isolate), target.params, arguments)
          .ToLocal(&result) &&
      (target.result == 0 || to_word(isolate, result, target.result, word))) {
    if (target.memory != nullptr && has_grown(isolate, *target.memory)) refresh(isolate, host.owner);
    // What it called may have left anything there.
    slots[0] = word;
    slots[wasm::kStatusSlot] = wasm::kReturned;
    return Outcome::returned;
  }
  if (!catcher.CanContinue()) return Outcome::ended;
  Local<Value> thrown = catcher.Exception();
  catcher.Reset();
  return state->throw_to_compiled.Get(isolate)->Call(context, Undefined(isolate), 1, &thrown).IsEmpty()
             ? Outcome::ended
             : Outcome::threw;
}

void call_general(const FunctionCallbackInfo<Value>& info, const Cell& cell, Local<Value> owner) {
  Isolate* isolate = info.GetIsolate();
  std::vector<Local<Value>> given;
  for (int i = 0; i < info.Length(); i++) given.push_back(info[i]);
  Local<Value> arguments[] = {owner, Integer::NewFromUnsigned(isolate, cell.function),
                              Integer::New(isolate, cell.place),
                              Array::New(isolate, given.data(), given.size())};
  Local<Value> result;
  if (state->call_general.Get(isolate)
          ->Call(isolate->GetCurrentContext(), Undefined(isolate), 4, arguments)
          .ToLocal(&result))
    info.GetReturnValue().Set(result);
}

/// What it throws is thrown where this returns to.
void run(Isolate* isolate, const Global<Function>& function, int count, Local<Value>* arguments) {
  const auto answer =
      function.Get(isolate)->Call(isolate->GetCurrentContext(), Undefined(isolate), count, arguments);
  (void)answer;
}

void prepare(Cell& cell) {
  const Image& image = cell.instance->image();
  const wasm::Type& type = image.type(cell.type);
  cell.ready = true;
  cell.general = cell.general || !is_simple(image, type);
  if (cell.general) return;
  cell.record = state->bridge->record(*cell.instance, cell.place, cell.type);
  cell.types = image.at(type.codes);
  cell.params = static_cast<uint8_t>(type.params);
  cell.result = type.results == 0 ? 0 : cell.types[type.params];
}

void set_result(ReturnValue<Value> result, Isolate* isolate, uint8_t type, uint64_t word) {
  if (type == kI32)
    result.Set(from_word<int32_t>(word));
  else if (type == kF64)
    result.Set(from_word<double>(word));
  else if (type != 0)
    result.Set(to_value(isolate, type, word));
}

}  // namespace

bool is_simple(const Image& image, const wasm::Type& type) {
  if (type.params > kMostParameters || type.results > 1) return false;
  const uint8_t* types = image.at(type.codes);
  for (uint32_t i = 0; i < type.params + type.results; i++)
    if (types[i] < kF64 || types[i] > kI32) return false;
  return true;
}

bool to_word(Isolate* isolate, Local<Value> value, uint8_t type, uint64_t& word) {
  int32_t small;
  if (type == kI32) {
    if (!is_small(value, small) && !value->Int32Value(isolate->GetCurrentContext()).To(&small)) return false;
    word = word_of(small);
    return true;
  }
  if (type == kI64) {
    Local<BigInt> integer;
    if (!value->ToBigInt(isolate->GetCurrentContext()).ToLocal(&integer)) return false;
    word = word_of(integer->Int64Value());
    return true;
  }
  double number;
  if (is_small(value, small))
    number = small;
  else if (value->IsNumber())
    number = value.As<Number>()->Value();
  else if (!value->NumberValue(isolate->GetCurrentContext()).To(&number))
    return false;
  word = type == kF64 ? word_of(number) : word_of(static_cast<float>(number));
  return true;
}

Local<Value> to_value(Isolate* isolate, uint8_t type, uint64_t word) {
  if (type == kI32) return Integer::New(isolate, from_word<int32_t>(word));
  if (type == kI64) return BigInt::New(isolate, from_word<int64_t>(word));
  return Number::New(isolate, type == kF64 ? from_word<double>(word) : from_word<float>(word));
}

bool has_grown(Isolate* isolate, const wasm_memory& memory) {
  const auto* buffer = static_cast<const Global<ArrayBuffer>*>(memory.buffer);
  return buffer->IsEmpty() || buffer->Get(isolate)->ByteLength() != memory.size;
}

void refresh(Isolate* isolate, const void* instance) {
  Local<Value> address = Number::New(isolate, static_cast<double>(reinterpret_cast<uint64_t>(instance)));
  run(isolate, state->refresh, 1, &address);
}

void call_export(const FunctionCallbackInfo<Value>& info) {
  const Local<Object> holder = info.Data().As<Object>();
  Cell& cell = *static_cast<Cell*>(pointer_of(holder));
  if (!cell.ready) prepare(cell);
  if (cell.general) {
    call_general(info, cell, holder->GetInternalField(kOwnerField).As<Value>());
    return;
  }
  Isolate* isolate = info.GetIsolate();
  // All conversions come before the first store: they may run programs that call, too.
  uint64_t words[kMostParameters];
  for (uint32_t i = 0; i < cell.params; i++)
    if (!to_word(isolate, info[static_cast<int>(i)], cell.types[i], words[i])) return;
  if (cell.memory != nullptr && has_grown(isolate, *cell.memory)) refresh(isolate, cell.instance->base());
  Runtime& runtime = cell.instance->runtime();
  uint64_t* const slots = runtime.shared.slots;
  for (uint32_t i = 0; i < cell.params; i++) slots[i] = words[i];
  const uint64_t status = state->bridge->enter(runtime, *cell.record);
  if (status == wasm::kReturned) {
    set_result(info.GetReturnValue(), isolate, cell.result, slots[0]);
    return;
  }
  slots[wasm::kStatusSlot] = status;
  run(isolate, state->raise, 0, nullptr);
}

void call_host(wasm_host* head) {
  auto& host = *reinterpret_cast<Host*>(head);
  Runtime& runtime = *state->runtime;
  Isolate* isolate = Isolate::GetCurrent();
  const auto here = reinterpret_cast<uint64_t>(__builtin_frame_address(0));
  const bool fits = host.owner != nullptr && here > runtime.stack_low + kLeastStack;
  if (fits && host.direct == nullptr) {
    runtime.in_compiled_code = false;
    host.direct = make_target(isolate, host);
    host.drop_direct = drop_target;
    runtime.in_compiled_code = true;
  }
  if (!fits || host.direct == &general) {
    state->bridge->call_host(head);
    return;
  }
  runtime.in_compiled_code = false;
  const Outcome outcome = call(isolate, *static_cast<Target*>(host.direct), host);
  runtime.in_compiled_code = true;
  if (outcome == Outcome::threw) state->bridge->throw_left(runtime);
  if (outcome == Outcome::ended) {
    runtime.trace_length = 0;
    state->bridge->trap(runtime, WASM_TRAP_STACK);
  }
}

}  // namespace insitu::accelerator
