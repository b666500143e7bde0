// What an instantiation reads and makes: imports and exports.
#include <cstdio>
#include <iterator>
#include <vector>

#include "calls.h"

namespace insitu::accelerator {

using namespace v8;
using wasm::Description;
using wasm::Image;
using wasm::Instance;

namespace {

// loader/compile/shape.ts: places in the shape, and words of an entry.
constexpr uint32_t kTypes = 0, kImports = 2, kFunctions = 4, kExports = 14;
constexpr uint32_t kImportWords = 3, kExportWords = 4;
constexpr uint32_t kFunctionKind = 0;

/// The names of a module, which follow each other in UTF-8; their lengths are in UTF-16 units.
class Names {
 public:
  explicit Names(const Image& image)
      : at_(image.list<char>(image.description().names)), end_(at_ + image.description().names.count) {}

  Local<String> take(Isolate* isolate, uint32_t units) {
    const char* const from = at_;
    const bool is_ascii = skip(units);
    const int length = static_cast<int>(at_ - from);
    return (is_ascii ? String::NewFromOneByte(isolate, reinterpret_cast<const uint8_t*>(from),
                                              NewStringType::kInternalized, length)
                     : String::NewFromUtf8(isolate, from, NewStringType::kInternalized, length))
        .FromMaybe(String::Empty(isolate));
  }

  /// Whether all of it was ASCII.
  bool skip(uint32_t units) {
    bool is_ascii = true;
    for (uint32_t left = units; left > 0 && at_ < end_;) {
      const auto byte = static_cast<uint8_t>(*at_);
      const uint32_t bytes = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
      is_ascii = is_ascii && bytes == 1;
      at_ = end_ - at_ < bytes ? end_ : at_ + bytes;
      const uint32_t taken = bytes == 4 ? 2 : 1;
      left = left < taken ? 0 : left - taken;
    }
    return is_ascii;
  }

 private:
  const char* at_;
  const char* const end_;
};

/// One that no engine made: neither V8's exported functions nor ours come from a script.
bool is_plain(Local<Value> value) { return value->IsFunction() && value.As<Function>()->ScriptId() > 0; }

/// What has imports that are not read yet, and where reading goes on.
struct Reading {
  std::vector<Local<Value>> groups, values, special;
  bool unreadable = false;
};

/// False when a getter threw.
bool read(Isolate* isolate, const Image& image, Local<Value> imports, Reading& reading) {
  const Local<Context> context = isolate->GetCurrentContext();
  const auto* shape = image.list<uint32_t>(image.description().shape);
  const uint32_t count = shape[kImports + 1];
  const uint32_t* entry = shape + shape[kImports];
  if (count == 0) return true;
  reading.unreadable = !imports->IsObject();
  if (reading.unreadable) return true;
  reading.groups.reserve(count);
  reading.values.reserve(count);
  Names names(image);
  uint32_t of_kind[5] = {};
  for (uint32_t i = 0; i < count; i++, entry += kImportWords) {
    Local<Value> group, value;
    if (!imports.As<Object>()->Get(context, names.take(isolate, entry[1])).ToLocal(&group)) return false;
    reading.groups.push_back(group);
    reading.unreadable = !group->IsObject();
    if (reading.unreadable) return true;
    if (!group.As<Object>()->Get(context, names.take(isolate, entry[2])).ToLocal(&value)) return false;
    reading.values.push_back(value);
    const uint32_t index = of_kind[entry[0]]++;
    if (entry[0] == kFunctionKind && is_plain(value)) continue;
    reading.special.push_back(Integer::NewFromUnsigned(isolate, i));
    reading.special.push_back(Integer::NewFromUnsigned(isolate, index));
  }
  return true;
}

/// Where cells of an instance are made, and what they have in common.
struct Maker {
  Isolate* isolate;
  Local<Context> context;
  Instance& instance;
  Local<Value> owner;
  const wasm_memory* memory;
  bool general;
  Local<ObjectTemplate> holder;

  Local<Function> make(Cell& cell, uint32_t function, int32_t place) {
    const Image& image = instance.image();
    const auto* shape = image.list<uint32_t>(image.description().shape);
    const uint32_t type = shape[shape[kFunctions] + function];
    cell = {&instance, nullptr, nullptr, memory, place, function, type, 0, 0, false, general};
    const Local<Object> data = holder->NewInstance(context).ToLocalChecked();
#if V8_MAJOR_VERSION >= 14
    data->SetAlignedPointerInInternalField(kCellField, &cell, kEmbedderDataTypeTagDefault);
#else
    data->SetAlignedPointerInInternalField(kCellField, &cell);
#endif
    data->SetInternalField(kOwnerField, owner);
    const auto length = static_cast<int>(shape[shape[shape[kTypes] + type]]);
    const Local<Function> made =
        Function::New(context, call_export, data, length, ConstructorBehavior::kThrow).ToLocalChecked();
    char digits[16];
    const int size = snprintf(digits, sizeof digits, "%u", function);
    made->SetName(
        String::NewFromOneByte(isolate, reinterpret_cast<uint8_t*>(digits), NewStringType::kNormal, size)
            .ToLocalChecked());
    return made;
  }
};

/// Arguments 0 to 2: instance, owner, memory.
Maker maker_of(const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  const double memory = info[2].As<Number>()->Value();
  return {isolate,
          isolate->GetCurrentContext(),
          *Instance::of(address_of<const wasm_instance>(info[0])),
          info[1],
          memory > 0 ? address_of<const wasm_memory>(info[2]) : nullptr,
          memory < 0,
          state->holder.Get(isolate)};
}

}  // namespace

void read_imports(const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  Reading reading;
  if (!read(isolate, *address_of<const Image>(info[0]), info[1], reading)) return;
  const auto list = [&](std::vector<Local<Value>>& items) -> Local<Value> {
    return Array::New(isolate, items.data(), items.size());
  };
  Local<Value> answer[] = {list(reading.groups), list(reading.values), list(reading.special),
                           Boolean::New(isolate, reading.unreadable)};
  info.GetReturnValue().Set(Array::New(isolate, answer, std::size(answer)));
}

void make_function(const FunctionCallbackInfo<Value>& info) {
  Maker maker = maker_of(info);
  auto* cell = static_cast<Cell*>(state->bridge->attach(maker.instance, sizeof(Cell)));
  const auto function = info[3].As<Uint32>()->Value();
  const auto place = info[4].As<Int32>()->Value();
  info.GetReturnValue().Set(maker.make(*cell, function, place));
}

void make_exports(const FunctionCallbackInfo<Value>& info) {
  Maker maker = maker_of(info);
  Isolate* isolate = maker.isolate;
  const Image& image = maker.instance.image();
  const Description& d = image.description();
  const auto* shape = image.list<uint32_t>(d.shape);
  const uint32_t count = shape[kExports + 1];
  const uint32_t* entry = shape + shape[kExports];
  Names names(image);
  const uint32_t* import = shape + shape[kImports];
  for (uint32_t i = 0; i < shape[kImports + 1]; i++, import += kImportWords)
    names.skip(import[1] + import[2]);

  std::vector<Local<Name>> keys(count);
  std::vector<Local<Value>> values(count);
  std::vector<Local<Value>> made(d.refs.count);
  auto* cells = static_cast<Cell*>(state->bridge->attach(maker.instance, count * sizeof(Cell)));
  for (uint32_t i = 0; i < count; i++, entry += kExportWords) {
    keys[i] = names.take(isolate, entry[2]);
    const auto place = static_cast<int32_t>(entry[3]);
    if (entry[0] == kFunctionKind && place >= 0) {
      // One function may be exported by several names.
      Local<Value>& function = made[static_cast<uint32_t>(place)];
      if (function.IsEmpty()) function = maker.make(*cells++, entry[1], place);
      values[i] = function;
      continue;
    }
    Local<Value> arguments[] = {maker.owner, Integer::NewFromUnsigned(isolate, entry[0]),
                                Integer::NewFromUnsigned(isolate, entry[1])};
    if (!state->other_export.Get(isolate)
             ->Call(maker.context, Undefined(isolate), 3, arguments)
             .ToLocal(&values[i]))
      return;
  }
  const Local<Object> exports = Object::New(isolate, Null(isolate), keys.data(), values.data(), count);
  if (exports->SetIntegrityLevel(maker.context, IntegrityLevel::kFrozen).IsNothing()) return;
  info.GetReturnValue().Set(exports);
}

}  // namespace insitu::accelerator
