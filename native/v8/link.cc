// What an instantiation reads and makes: imports and exports.
#include <cstdio>
#include <iterator>
#include <new>
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

/// An instance as its functions are made: what a holder in the exports object leads to.
struct Exporter {
  Instance* instance;
  const wasm_memory* memory;
  bool general;
  uint32_t* first;  // which export a function of a place is first: 0 unknown, else one more
};

void set_pointer(Local<Object> holder, void* pointer) {
#if V8_MAJOR_VERSION >= 14
  holder->SetAlignedPointerInInternalField(kCellField, pointer, kEmbedderDataTypeTagDefault);
#else
  holder->SetAlignedPointerInInternalField(kCellField, pointer);
#endif
}

/// Empty where there is no stack left for it, here and below; that is thrown.
MaybeLocal<Object> make_holder(Local<Context> context, void* pointer, Local<Value> owner) {
  Local<Object> holder;
  if (!state->holder.Get(Isolate::GetCurrent())->NewInstance(context).ToLocal(&holder)) return {};
  set_pointer(holder, pointer);
  holder->SetInternalField(kOwnerField, owner);
  return holder;
}

const uint32_t* shape_of(const Instance& instance) {
  const Image& image = instance.image();
  return image.list<uint32_t>(image.description().shape);
}

MaybeLocal<Function> new_function(Local<Context> context, const Exporter& exporter, Local<Value> owner,
                                  uint32_t function, int32_t place) {
  Isolate* isolate = Isolate::GetCurrent();
  Instance& instance = *exporter.instance;
  const uint32_t* shape = shape_of(instance);
  const uint32_t type = shape[shape[kFunctions] + function];
  auto* cell = static_cast<Cell*>(state->bridge->attach(instance, sizeof(Cell)));
  *cell = {&instance, nullptr, nullptr, exporter.memory, place,           function,
           type,      0,       0,       false,           exporter.general};
  const auto length = static_cast<int>(shape[shape[shape[kTypes] + type]]);
  Local<Object> holder;
  Local<Function> made;
  Local<String> name;
  char digits[16];
  const int size = snprintf(digits, sizeof digits, "%u", function);
  if (!make_holder(context, cell, owner).ToLocal(&holder) ||
      !Function::New(context, call_export, holder, length, ConstructorBehavior::kThrow).ToLocal(&made) ||
      !String::NewFromOneByte(isolate, reinterpret_cast<uint8_t*>(digits), NewStringType::kNormal, size)
           .ToLocal(&name))
    return {};
  made->SetName(name);
  return made;
}

/// Arguments 0 to 2: instance, owner, memory.
Exporter exporter_of(const FunctionCallbackInfo<Value>& info) {
  const double memory = info[2].As<Number>()->Value();
  return {Instance::of(address_of<const wasm_instance>(info[0])),
          memory > 0 ? address_of<const wasm_memory>(info[2]) : nullptr, memory < 0, nullptr};
}

/// Names of exports, at the first.
Names export_names(const Image& image) {
  const auto* shape = image.list<uint32_t>(image.description().shape);
  const uint32_t* import = shape + shape[kImports];
  Names names(image);
  for (uint32_t i = 0; i < shape[kImports + 1]; i++, import += kImportWords)
    names.skip(import[1] + import[2]);
  return names;
}

/// One function may be exported by several names: the first of them.
uint32_t first_export(Exporter& exporter, uint32_t place) {
  if (exporter.first == nullptr) {
    const uint32_t* shape = shape_of(*exporter.instance);
    const uint32_t* entry = shape + shape[kExports];
    const uint32_t places = exporter.instance->image().description().refs.count;
    exporter.first =
        static_cast<uint32_t*>(state->bridge->attach(*exporter.instance, places * sizeof(uint32_t)));
    for (uint32_t i = 0; i < shape[kExports + 1]; i++, entry += kExportWords)
      if (entry[0] == kFunctionKind && entry[3] < places && exporter.first[entry[3]] == 0)
        exporter.first[entry[3]] = i + 1;
  }
  return exporter.first[place] - 1;
}

/// At the first look at an exported function: V8 puts the answer in the place of this.
void make_export(Local<Name>, const PropertyCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  const Local<Context> context = isolate->GetCurrentContext();
#if V8_MAJOR_VERSION >= 14
  const Local<Object> exports = info.HolderV2();
#else
  const Local<Object> exports = info.Holder();
#endif
  Local<Value> holder;
  if (!exports->GetPrivate(context, state->exporter.Get(isolate)).ToLocal(&holder)) return;
  auto& exporter = *static_cast<Exporter*>(pointer_of(holder.As<Object>()));
  const Image& image = exporter.instance->image();
  const uint32_t* shape = shape_of(*exporter.instance);
  const uint32_t index = info.Data().As<Uint32>()->Value();
  const uint32_t* entries = shape + shape[kExports];
  const uint32_t* entry = entries + index * kExportWords;
  const uint32_t first = first_export(exporter, entry[3]);
  if (first != index) {
    Names names = export_names(image);
    for (uint32_t i = 0; i < first; i++) names.skip(entries[i * kExportWords + 2]);
    Local<Value> function;
    if (exports->Get(context, names.take(isolate, entries[first * kExportWords + 2])).ToLocal(&function))
      info.GetReturnValue().Set(function);
    return;
  }
  const Local<Value> owner = holder.As<Object>()->GetInternalField(kOwnerField).As<Value>();
  Local<Function> made;
  if (new_function(context, exporter, owner, entry[1], static_cast<int32_t>(entry[3])).ToLocal(&made))
    info.GetReturnValue().Set(made);
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
  const Local<Context> context = info.GetIsolate()->GetCurrentContext();
  const auto function = info[3].As<Uint32>()->Value();
  const auto place = info[4].As<Int32>()->Value();
  Local<Function> made;
  if (new_function(context, exporter_of(info), info[1], function, place).ToLocal(&made))
    info.GetReturnValue().Set(made);
}

void make_exports(const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  const Local<Context> context = isolate->GetCurrentContext();
  const Exporter given = exporter_of(info);
  auto* exporter = new (state->bridge->attach(*given.instance, sizeof(Exporter))) Exporter(given);
  const uint32_t* shape = shape_of(*given.instance);
  const uint32_t count = shape[kExports + 1];
  const uint32_t* entry = shape + shape[kExports];
  Names names = export_names(given.instance->image());
  const Local<Object> exports = Object::New(isolate, Null(isolate), nullptr, nullptr, 0);
  const auto attributes = static_cast<PropertyAttribute>(ReadOnly | DontDelete);
  Local<Object> holder;
  if (!make_holder(context, exporter, info[1]).ToLocal(&holder) ||
      exports->SetPrivate(context, state->exporter.Get(isolate), holder).IsNothing())
    return;
  for (uint32_t i = 0; i < count; i++, entry += kExportWords) {
    const Local<String> name = names.take(isolate, entry[2]);
    if (entry[0] == kFunctionKind && static_cast<int32_t>(entry[3]) >= 0) {
      const Local<Value> index = Integer::NewFromUnsigned(isolate, i);
      if (exports->SetLazyDataProperty(context, name, make_export, index, attributes).IsNothing()) return;
      continue;
    }
    Local<Value> value;
    Local<Value> arguments[] = {info[1], Integer::NewFromUnsigned(isolate, entry[0]),
                                Integer::NewFromUnsigned(isolate, entry[1])};
    if (!state->other_export.Get(isolate)->Call(context, Undefined(isolate), 3, arguments).ToLocal(&value) ||
        exports->CreateDataProperty(context, name, value).IsNothing())
      return;
  }
  if (exports->SetIntegrityLevel(context, IntegrityLevel::kFrozen).IsNothing()) return;
  info.GetReturnValue().Set(exports);
}

}  // namespace insitu::accelerator
