// Node-API for compiled modules. Calls in both directions pass their arguments in runtime->slots, which
// JavaScript sees as an ArrayBuffer: no values are made or taken apart here. runtime/wasm/boundary.ts is the
// other side.
#include "binding.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "bridge.h"
#include "instance.h"
#include "known.h"
#include "runtime.h"

namespace insitu::wasm {
namespace {

using Info = Napi::CallbackInfo;

LoadedImage (*image_of_handle)(const Info&, size_t) = nullptr;

/// Services of JavaScript for compiled code, by number in the slot behind their arguments.
enum class Service : uint64_t { memory_size = 0, memory_grow = 1, memory_wait = 2, memory_notify = 3 };

struct OwnedTable {
  wasm_table table;
  bool functions;
};

struct Cell {
  alignas(16) uint64_t words[4];
};

struct ThreadState {
  Runtime runtime;
  napi_ref service = nullptr;
  std::unordered_map<const Library*, std::unique_ptr<Image>> images;
  // What may hold references.
  std::unordered_set<Instance*> instances;
  std::unordered_set<OwnedTable*> tables;
  std::unordered_set<Cell*> cells;
};

ThreadState& state_of(Runtime& runtime) { return reinterpret_cast<ThreadState&>(runtime); }

Napi::Value number(Napi::Env env, const void* address) {
  return Napi::Number::New(env, static_cast<double>(reinterpret_cast<uint64_t>(address)));
}

template <typename T>
T* pointer_at(const Info& info, size_t index) {
  return reinterpret_cast<T*>(static_cast<uint64_t>(info[index].As<Napi::Number>().DoubleValue()));
}

uint32_t u32_at(const Info& info, size_t index) { return info[index].As<Napi::Number>().Uint32Value(); }
uint64_t u64_at(const Info& info, size_t index) {
  return static_cast<uint64_t>(info[index].As<Napi::Number>().DoubleValue());
}

Runtime& runtime_now() { return *current_runtime; }

/// Goes on with what throwToCompiled (runtime/wasm/boundary.ts) left in the slots.
[[noreturn]] void throw_left(Runtime& runtime);

/// Calls a function of JavaScript that takes its arguments from the slots. Unwinds when it threw.
void call_script(Runtime& runtime, napi_ref reference) {
  const auto env = static_cast<napi_env>(runtime.env);
  uint64_t* const slots = runtime.shared.slots;
  uint64_t here;
  slots[kStatusSlot] = kReturned;
  runtime.in_compiled_code = false;
  napi_status status = napi_generic_failure;
  if (reinterpret_cast<uint64_t>(&here) > runtime.stack_low + (64 << 10)) {
    napi_handle_scope scope;
    napi_open_handle_scope(env, &scope);
    napi_value function, receiver, result;
    napi_get_reference_value(env, reference, &function);
    napi_get_undefined(env, &receiver);
    status = napi_call_function(env, receiver, function, 0, nullptr, &result);
    napi_close_handle_scope(env, scope);
  }
  runtime.in_compiled_code = true;
  if (status == napi_ok && slots[kStatusSlot] == kReturned) return;
  if (status != napi_ok) {
    // The dispatcher catches what it can; this is what it could not: no stack left, or the thread is being
    // ended.
    runtime.trace_length = 0;
    napi_value pending;
    napi_get_and_clear_last_exception(env, &pending);
    trap(runtime, WASM_TRAP_STACK);
  }
  throw_left(runtime);
}

void throw_left(Runtime& runtime) {
  uint64_t* const slots = runtime.shared.slots;
  double tag;
  memcpy(&tag, &slots[1], sizeof tag);
  const bool uncatchable = slots[3] != 0;
  const auto words = static_cast<uint32_t>(slots[2]);
  const auto* known = reinterpret_cast<const wasm_tag*>(static_cast<uint64_t>(tag));
  wasm_exception* exception =
      new_exception(runtime, known == nullptr ? &runtime.script_tag : known, known == nullptr ? 1 : words);
  if (known == nullptr)
    exception->payload[0] = slots[0];
  else
    memcpy(exception->payload, &slots[8], words * sizeof(uint64_t));
  runtime.shared.thrown = exception;
  if (known == nullptr && uncatchable) throw_out(runtime);
  throw_on(runtime);
}

/// At its first call: JavaScript makes what hands its arguments over, and keeps it for as long as the
/// instance.
void bind(Runtime& runtime, Host& host) {
  const auto env = static_cast<napi_env>(runtime.env);
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  napi_value service, receiver, function, arguments[2];
  napi_get_reference_value(env, state_of(runtime).service, &service);
  napi_get_undefined(env, &receiver);
  napi_create_double(env, static_cast<double>(reinterpret_cast<uint64_t>(host.owner)), &arguments[0]);
  napi_create_uint32(env, host.index, &arguments[1]);
  napi_ref reference = nullptr;
  if (napi_call_function(env, receiver, service, 2, arguments, &function) == napi_ok)
    napi_create_reference(env, function, 0, &reference);
  else
    napi_get_and_clear_last_exception(env, &function);
  napi_close_handle_scope(env, scope);
  host.reference = reference;
}

void call_host(wasm_host* head) {
  Runtime& runtime = *Runtime::of(head->runtime);
  auto& host = *reinterpret_cast<Host*>(head);
  if (host.reference == nullptr) bind(runtime, host);
  if (host.reference == nullptr) {
    runtime.trace_length = 0;
    trap(runtime, WASM_TRAP_STACK);  // what fails there is a lack of stack
  }
  call_script(runtime, static_cast<napi_ref>(host.reference));
}

uint64_t serve(Runtime& runtime, Service service, const wasm_memory& memory,
               std::initializer_list<uint64_t> arguments) {
  uint64_t* slots = runtime.shared.slots;
  slots[0] = static_cast<uint64_t>(service);
  slots[1] = reinterpret_cast<uint64_t>(memory.host);
  size_t at = 2;
  for (const uint64_t argument : arguments) slots[at++] = argument;
  call_script(runtime, state_of(runtime).service);
  return slots[0];
}

uint64_t memory_size(wasm_instance* instance, uint32_t index) {
  const wasm_memory& memory = Instance::of(instance)->memory(index);
  return serve(*Runtime::of(instance), Service::memory_size, memory, {});
}

uint64_t memory_grow(wasm_instance* instance, uint32_t index, uint64_t pages) {
  const wasm_memory& memory = Instance::of(instance)->memory(index);
  if (pages > memory.max_pages || memory.pages > memory.max_pages - pages) return ~uint64_t{0};
  if (pages == 0) return memory.pages;
  return serve(*Runtime::of(instance), Service::memory_grow, memory, {pages});
}

uint32_t memory_wait(wasm_instance* instance, uint32_t index, uint64_t at, uint64_t expected, int64_t timeout,
                     uint32_t bytes) {
  const wasm_memory& memory = Instance::of(instance)->memory(index);
  return static_cast<uint32_t>(serve(*Runtime::of(instance), Service::memory_wait, memory,
                                     {at, expected, static_cast<uint64_t>(timeout), bytes}));
}

uint32_t memory_notify(wasm_instance* instance, uint32_t index, uint64_t at, uint32_t count) {
  const wasm_memory& memory = Instance::of(instance)->memory(index);
  return static_cast<uint32_t>(serve(*Runtime::of(instance), Service::memory_notify, memory, {at, count}));
}

void end_thread(void* data) {
  auto* state = static_cast<ThreadState*>(data);
  release_exceptions(state->runtime);
  // Code of this thread's images may be in use by others: they stay mapped.
  for (auto& entry : state->images) (void)entry.second.release();
  free(state->runtime.shared.slots);
  if (current_runtime == &state->runtime) current_runtime = nullptr;
  delete state;
}

/// (service) -> the slots as an ArrayBuffer. Once a thread.
Napi::Value start_thread(const Info& info) {
  const Napi::Env env = info.Env();
  auto* state = new ThreadState;
  Runtime& runtime = state->runtime;
  runtime.shared.slots = static_cast<uint64_t*>(aligned_alloc(64, kSlotWords * sizeof(uint64_t)));
  memset(runtime.shared.slots, 0, kSlotWords * sizeof(uint64_t));
  runtime.env = static_cast<napi_env>(env);
  set_up(runtime);
  runtime.shared.call_host = call_host;
  runtime.shared.memory_size = memory_size;
  runtime.shared.memory_grow = memory_grow;
  runtime.shared.memory_wait = memory_wait;
  runtime.shared.memory_notify = memory_notify;
  napi_create_reference(env, info[0], 1, &state->service);
  current_runtime = &runtime;
  napi_add_env_cleanup_hook(env, end_thread, state);
  return Napi::ArrayBuffer::New(env, runtime.shared.slots, kSlotWords * sizeof(uint64_t));
}

Image& image_at(const Info& info, size_t index) {
  const LoadedImage loaded = image_of_handle(info, index);
  auto& images = state_of(runtime_now()).images;
  auto& image = images[loaded.library];
  if (image == nullptr) {
    image = std::make_unique<Image>(*loaded.library);
    publish(image.get());
  }
  return *image;
}

const Bridge bridge = {
    kBridgeVersion,
    enter,
    [](Instance& instance, int32_t place, uint32_t type) { return instance.record(place, type); },
    [](Instance& instance, size_t bytes) { return instance.attach(bytes); },
    call_host,
    throw_left,
    trap,
};

/// -> [address of the bridge, of this thread's runtime]: what an accelerator (native/v8) is given.
Napi::Value bridge_of_thread(const Info& info) {
  const Napi::Env env = info.Env();
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, number(env, &bridge));
  pair.Set(1u, number(env, &runtime_now()));
  return pair;
}

/// Of this process: no bytes from outside can hold it.
Napi::Value process_secret(const Info& info) {
  static const std::string secret = [] {
    unsigned char bytes[16];
    for (size_t got = 0; got < sizeof bytes;) {
      const ssize_t more = getrandom(bytes + got, sizeof bytes - got, 0);
      if (more > 0) got += static_cast<size_t>(more);
    }
    std::string digits;
    for (const unsigned char byte : bytes) {
      digits += "0123456789abcdef"[byte >> 4];
      digits += "0123456789abcdef"[byte & 15];
    }
    return digits;
  }();
  return Napi::String::New(info.Env(), secret);
}

/// (path, stores, index) -> [which store, target], or undefined.
Napi::Value known_image(const Info& info) {
  const Napi::Env env = info.Env();
  const auto stores = info[1].As<Napi::Array>();
  std::vector<std::string> roots(stores.Length());
  for (uint32_t i = 0; i < roots.size(); i++) {
    const Napi::Value root = stores[i];
    roots[i] = root.ToString();
  }
  KnownImage found;
  if (!find_known(std::string(info[0].ToString()).c_str(), roots, info[2].ToString(), found))
    return env.Undefined();
  Napi::Array answer = Napi::Array::New(env, 2);
  answer.Set(0u, found.store);
  answer.Set(1u, found.target);
  return answer;
}

Napi::Value image_address(const Info& info) { return number(info.Env(), &image_at(info, 0)); }

/// (image) -> [names, shape]: loader/compile/shape.ts says what they hold.
Napi::Value image_shape(const Info& info) {
  const Napi::Env env = info.Env();
  const Image& image = image_at(info, 0);
  const Description& d = image.description();
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(0u, Napi::String::New(env, image.list<char>(d.names), d.names.count));
  Napi::Uint32Array words = Napi::Uint32Array::New(env, d.shape.count);
  memcpy(words.Data(), image.list<uint32_t>(d.shape), d.shape.count * sizeof(uint32_t));
  pair.Set(1u, words);
  return pair;
}

/// (image) -> { sha256, sourceSize, tier, exceptions, textBytes … } for reports.
Napi::Value image_facts(const Info& info) {
  const Napi::Env env = info.Env();
  const Description& d = image_at(info, 0).description();
  Napi::Object facts = Napi::Object::New(env);
  facts.Set("sha256", Napi::Buffer<uint8_t>::Copy(env, d.source_sha256, sizeof d.source_sha256));
  facts.Set("sourceSize", static_cast<double>(d.source_size));
  facts.Set("tier", d.tier);
  facts.Set("instanceSize", d.instance_size);
  return facts;
}

// ---- memories

void forget_memory(Napi::Env, wasm_memory* memory) {
  if (Runtime* runtime = current_runtime; runtime != nullptr) {
    auto& memories = runtime->memories;
    const auto at = std::find(memories.begin(), memories.end(), memory);
    if (at != memories.end()) {
      *at = memories.back();
      memories.pop_back();
    }
  }
  if (memory->drop_buffer != nullptr) memory->drop_buffer(memory->buffer);
  delete memory;
}

void set_buffer(wasm_memory& memory, const Napi::Value& buffer) {
  void* data = nullptr;
  size_t size = 0;
  if (buffer.IsArrayBuffer()) {
    napi_get_arraybuffer_info(buffer.Env(), buffer, &data, &size);
  } else {
    // Node-API 8 does not know SharedArrayBuffer itself, but a view of one.
    auto view = buffer.As<Napi::Uint8Array>();
    data = view.Data();
    size = view.ByteLength();
  }
  memory.base = static_cast<uint8_t*>(data);
  memory.size = size;
  memory.pages = size >> 16;
}

/// Whether V8 gave it its guard pages: without its trap handler it does not, and then there are holes.
/// msync(2) with MS_ASYNC does nothing but tell of those.
bool is_guarded(const wasm_memory& memory) {
  constexpr uint64_t kGuardedBytes = uint64_t{8} << 30;
  return msync(memory.base, kGuardedBytes, MS_ASYNC) == 0;
}

/// (buffer or a Uint8Array over all of it, id, maximum of pages) -> [handle, address, guarded].
Napi::Value make_memory(const Info& info) {
  const Napi::Env env = info.Env();
  Runtime& runtime = runtime_now();
  auto memory = std::make_unique<wasm_memory>();
  set_buffer(*memory, info[0]);
  memory->host = reinterpret_cast<void*>(u64_at(info, 1));
  memory->max_pages = u64_at(info, 2);
  memory->guarded = is_guarded(*memory);
  runtime.memories.push_back(memory.get());
  Napi::Array pair = Napi::Array::New(env, 3);
  pair.Set(2u, memory->guarded);
  pair.Set(1u, number(env, memory.get()));
  wasm_memory* raw = memory.release();
  pair.Set(0u, Napi::External<wasm_memory>::New(env, raw, forget_memory));
  return pair;
}

/// (address, buffer): it was grown.
Napi::Value update_memory(const Info& info) {
  set_buffer(*pointer_at<wasm_memory>(info, 0), info[1]);
  return info.Env().Undefined();
}

// ---- tables, globals, tags and functions of JavaScript

/// (functions, size, max) -> [handle, address]
Napi::Value make_table(const Info& info) {
  const Napi::Env env = info.Env();
  auto owned = std::make_unique<OwnedTable>();
  owned->functions = info[0].ToBoolean();
  allocate_table(owned->table, owned->functions, u64_at(info, 1), u64_at(info, 2));
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(1u, number(env, &owned->table));
  state_of(runtime_now()).tables.insert(owned.get());
  pair.Set(0u, Napi::External<OwnedTable>::New(env, owned.release(), [](Napi::Env, OwnedTable* table) {
             if (current_runtime != nullptr) state_of(*current_runtime).tables.erase(table);
             free_table(table->table, table->functions);
             delete table;
           }));
  return pair;
}

Napi::Value table_size(const Info& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(pointer_at<wasm_table>(info, 0)->size));
}

/// (table, functions, index): the element into slots 0 to 3.
Napi::Value table_get(const Info& info) {
  const wasm_table& table = *pointer_at<wasm_table>(info, 0);
  uint64_t* slots = runtime_now().shared.slots;
  const uint64_t index = u64_at(info, 2);
  if (info[1].ToBoolean())
    memcpy(slots, &table.functions[index], sizeof(wasm_function));
  else
    slots[0] = table.references[index];
  return info.Env().Undefined();
}

/// (table, functions, index): slots 0 to 3 into the element.
Napi::Value table_set(const Info& info) {
  wasm_table& table = *pointer_at<wasm_table>(info, 0);
  const uint64_t* slots = runtime_now().shared.slots;
  const uint64_t index = u64_at(info, 2);
  if (info[1].ToBoolean())
    memcpy(&table.functions[index], slots, sizeof(wasm_function));
  else
    table.references[index] = slots[0];
  return info.Env().Undefined();
}

/// (table, functions, count) -> the old size or -1; new elements are slots 0 to 3.
Napi::Value table_grow(const Info& info) {
  wasm_table& table = *pointer_at<wasm_table>(info, 0);
  const uint64_t* slots = runtime_now().shared.slots;
  wasm_function function;
  memcpy(&function, slots, sizeof function);
  const uint64_t old = grow_table(table, info[1].ToBoolean(), u64_at(info, 2), &function, slots[0]);
  return Napi::Number::New(info.Env(), old == ~uint64_t{0} ? -1 : static_cast<double>(old));
}

/// () -> [handle, address]: storage for a global or a tag.
Napi::Value make_cell(const Info& info) {
  const Napi::Env env = info.Env();
  auto* cell = new Cell();
  Napi::Array pair = Napi::Array::New(env, 2);
  state_of(runtime_now()).cells.insert(cell);
  pair.Set(0u, Napi::External<Cell>::New(env, cell, [](Napi::Env, Cell* old) {
             if (current_runtime != nullptr) state_of(*current_runtime).cells.erase(old);
             delete old;
           }));
  pair.Set(1u, number(env, cell));
  return pair;
}

/// (address, bytes): a global's value into slots 0 to 3, or out of them (store).
Napi::Value load_cell(const Info& info) {
  uint64_t* slots = runtime_now().shared.slots;
  slots[0] = 0;
  memcpy(slots, pointer_at<void>(info, 0), u32_at(info, 1));
  return info.Env().Undefined();
}

Napi::Value store_cell(const Info& info) {
  memcpy(pointer_at<void>(info, 0), runtime_now().shared.slots, u32_at(info, 1));
  return info.Env().Undefined();
}

/// (image) -> indices of the types that it has thunks of: what functions of JavaScript can be called by.
Napi::Value thunk_types(const Info& info) {
  const Image& image = image_at(info, 0);
  Napi::Array list = Napi::Array::New(info.Env());
  uint32_t count = 0;
  for (uint32_t i = 0; i < image.description().types.count; i++)
    if (image.type(i).leave != 0) list.Set(count++, i);
  return list;
}

// ---- instances

template <typename T>
std::vector<T*> addresses_at(const Info& info, size_t index) {
  const auto array = info[index].As<Napi::Array>();
  std::vector<T*> list(array.Length());
  for (uint32_t i = 0; i < list.size(); i++) {
    napi_value value;
    napi_get_element(info.Env(), array, i, &value);
    double address;
    napi_get_value_double(info.Env(), value, &address);
    list[i] = reinterpret_cast<T*>(static_cast<uint64_t>(address));
  }
  return list;
}

void run_initialize(wasm_code, void* instance, uint64_t*) {
  Instance::of(static_cast<const wasm_instance*>(instance))->initialize();
}

uint64_t put_status(Runtime& runtime, uint64_t status) { return runtime.shared.slots[kStatusSlot] = status; }

/// (image, functions, tables, memories, globals, tags, copy) -> [handle, address, whether it has a start
/// function], initialized: status in its slot. `functions`: index and address of each that is not
/// JavaScript's, in turns.
Napi::Value make_instance(const Info& info) {
  const Napi::Env env = info.Env();
  const Image& image = image_at(info, 0);
  Links links;
  links.functions.resize(image.description().imported_functions);
  const auto functions = addresses_at<const wasm_function>(info, 1);
  for (size_t i = 0; i + 1 < functions.size(); i += 2)
    links.functions[reinterpret_cast<uint64_t>(functions[i])] = functions[i + 1];
  links.tables = addresses_at<wasm_table>(info, 2);
  links.memories = addresses_at<wasm_memory>(info, 3);
  links.globals = addresses_at<void>(info, 4);
  links.tags = addresses_at<const wasm_tag>(info, 5);
  auto instance = std::make_unique<Instance>(runtime_now(), image);
  instance->link(links);
  const LoadedImage loaded = image_of_handle(info, 0);
  instance->set_source(loaded.fd, loaded.start, info[6].ToBoolean());
  Napi::Array pair = Napi::Array::New(env, 3);
  pair.Set(1u, number(env, instance->base()));
  pair.Set(2u, image.description().start != 0);
  state_of(runtime_now()).instances.insert(instance.get());
  if (instance->may_hold_exceptions()) runtime_now().keeps_exceptions = true;
  const Record record{{0, nullptr, instance->base(), nullptr}, run_initialize};
  put_status(runtime_now(), enter(runtime_now(), record));
  pair.Set(0u, Napi::External<Instance>::New(env, instance.release(), [](Napi::Env at, Instance* old) {
             for (const Host& host : old->hosts()) {
               if (host.reference != nullptr)
                 napi_delete_reference(at, static_cast<napi_ref>(host.reference));
               if (host.drop_direct != nullptr) host.drop_direct(host.direct);
             }
             if (current_runtime != nullptr) state_of(*current_runtime).instances.erase(old);
             delete old;
           }));
  return pair;
}

Instance& instance_at(const Info& info, size_t index) {
  return *Instance::of(pointer_at<const wasm_instance>(info, index));
}

/// (instance, place, type index) -> address of a record for the record slot; it begins with the function's
/// words.
Napi::Value make_record(const Info& info) {
  return number(info.Env(),
                instance_at(info, 0).record(info[1].As<Napi::Number>().Int32Value(), u32_at(info, 2)));
}

/// (instance, function index) -> its place among those that pointers lead to.
Napi::Value place_of(const Info& info) {
  const Image& image = instance_at(info, 0).image();
  const Description& d = image.description();
  const auto* refs = image.list<Ref>(d.refs);
  const uint32_t function = u32_at(info, 1);
  if (function < d.imported_functions) return Napi::Number::New(info.Env(), ~static_cast<int32_t>(function));
  for (uint32_t i = 0; i < d.refs.count; i++)
    if (refs[i].function == function) return Napi::Number::New(info.Env(), i);
  return info.Env().Undefined();
}

/// (instance): runs the start function, where there is one; status in its slot.
Napi::Value start(const Info& info) {
  Instance& instance = instance_at(info, 0);
  const Record* record = instance.start_function();
  put_status(instance.runtime(), record == nullptr ? kReturned : enter(instance.runtime(), *record));
  return info.Env().Undefined();
}

/// (instance, table index) -> address
Napi::Value table_of(const Info& info) {
  return number(info.Env(), &instance_at(info, 0).table(u32_at(info, 1)));
}
Napi::Value global_of(const Info& info) {
  return number(info.Env(), instance_at(info, 0).global(u32_at(info, 1)));
}
Napi::Value tag_of(const Info& info) {
  const Instance& instance = instance_at(info, 0);
  const auto* tags =
      reinterpret_cast<const wasm_tag* const*>(instance.base() + instance.image().description().tags_at);
  return number(info.Env(), tags[u32_at(info, 1)]);
}

/// (instance, function's place) : its four words into the slots.
Napi::Value function_words(const Info& info) {
  const wasm_function function =
      instance_at(info, 0).function_reference(static_cast<int32_t>(info[1].As<Napi::Number>().Int32Value()));
  memcpy(runtime_now().shared.slots, &function, sizeof function);
  return info.Env().Undefined();
}

/// Of the function in slots 0 to 3: [address of its instance or host, index in its module or -1, record].
Napi::Value function_facts(const Info& info) {
  const Napi::Env env = info.Env();
  Runtime& runtime = runtime_now();
  wasm_function function;
  memcpy(&function, runtime.shared.slots, sizeof function);
  Napi::Array facts = Napi::Array::New(env, 3);
  const auto* host = static_cast<const Host*>(function.instance);
  if (host->image == nullptr && host->owner == nullptr) {
    facts.Set(0u, number(env, host));
    facts.Set(1u, -1);
    return facts;
  }
  if (host->image == nullptr) {
    facts.Set(0u, number(env, host->owner));
    facts.Set(1u, host->index);
    facts.Set(2u, ~static_cast<int32_t>(host->index));
    return facts;
  }
  Image* image = image_of(reinterpret_cast<uint64_t>(function.code));
  facts.Set(0u, number(env, function.instance));
  facts.Set(1u, -1);
  if (image == nullptr) return facts;
  const Description& d = image->description();
  const auto* refs = image->list<Ref>(d.refs);
  for (uint32_t i = 0; i < d.refs.count; i++) {
    if (image->code(refs[i].code) != function.code) continue;
    facts.Set(1u, refs[i].function);
    facts.Set(2u, i);
    break;
  }
  return facts;
}

/// The whole boundary: what is called stands in the record slot, its arguments and results in the others.
napi_value call(napi_env, napi_callback_info) {
  Runtime& runtime = *current_runtime;
  uint64_t* const slots = runtime.shared.slots;
  double address;
  memcpy(&address, &slots[kRecordSlot], sizeof address);
  const auto* record = reinterpret_cast<const Record*>(static_cast<uint64_t>(address));
  slots[kStatusSlot] = enter(runtime, *record);
  return nullptr;
}

/// After a status of kThrew: the exception's tag as a double (0: a value of JavaScript) into slot 0, its
/// payload behind.
Napi::Value take_thrown(const Info& info) {
  Runtime& runtime = runtime_now();
  wasm_exception* exception = runtime.shared.thrown;
  runtime.shared.thrown = nullptr;
  uint64_t* slots = runtime.shared.slots;
  const wasm_tag* const tag = exception->tag == &runtime.script_tag ? nullptr : exception->tag;
  memcpy(&slots[1], exception->payload, exception->words * sizeof(uint64_t));
  if (runtime.depth == 0) release_exceptions(runtime);
  return number(info.Env(), tag);
}

/// References that tables and globals hold, some of them more than once; null while compiled code is being
/// run, whose own are not known. What only looks like one is taken for one.
Napi::Value live_references(const Info& info) {
  const Napi::Env env = info.Env();
  Runtime& runtime = runtime_now();
  if (runtime.depth != 0) return env.Null();
  ThreadState& state = state_of(runtime);
  std::vector<uint64_t> words;
  for (const Instance* instance : state.instances) instance->collect_references(words);
  for (const OwnedTable* owned : state.tables)
    if (!owned->functions)
      words.insert(words.end(), owned->table.references, owned->table.references + owned->table.size);
  for (const Cell* cell : state.cells) words.push_back(cell->words[0]);
  for (const wasm_exception* e = runtime.exceptions; e != nullptr; e = e->next)
    words.insert(words.end(), e->payload, e->payload + e->words);
  Napi::Array list = Napi::Array::New(env);
  uint32_t count = 0;
  for (const uint64_t word : words)
    if (word != 0 && word < UINT32_MAX) list.Set(count++, Napi::Number::New(env, static_cast<double>(word)));
  return list;
}

/// (image, type index, function) -> [handle, address of what stands in an instance's place; its words are put
/// into the slots]. The function is held weakly.
Napi::Value make_host(const Info& info) {
  const Napi::Env env = info.Env();
  const Image& image = image_at(info, 0);
  const uint32_t type = u32_at(info, 1);
  auto host = std::make_unique<Host>();
  host->head.runtime = &runtime_now().shared;
  napi_ref reference;
  napi_create_reference(env, info[2], 0, &reference);
  host->reference = reference;
  const wasm_function function = {image.key_of(type), image.code(image.type(type).leave), host.get(),
                                  nullptr};
  memcpy(runtime_now().shared.slots, &function, sizeof function);
  Napi::Array pair = Napi::Array::New(env, 2);
  pair.Set(1u, number(env, host.get()));
  pair.Set(0u, Napi::External<Host>::New(env, host.release(), [](Napi::Env at, Host* old) {
             napi_delete_reference(at, static_cast<napi_ref>(old->reference));
             delete old;
           }));
  return pair;
}

/// Function indices and names on the stack of the last trap, the innermost first.
Napi::Value last_trace(const Info& info) {
  const Napi::Env env = info.Env();
  const Runtime& runtime = runtime_now();
  Napi::Array list = Napi::Array::New(env);
  uint32_t count = 0;
  for (uint32_t i = 0; i < runtime.trace_length; i++) {
    Image* image = image_of(runtime.trace[i]);
    const auto index = image == nullptr ? std::nullopt : image->function_at(runtime.trace[i]);
    if (!index) continue;
    list.Set(count++, Napi::Number::New(env, *index));
    list.Set(count++, Napi::String::New(env, image->function_name(*index)));
  }
  return list;
}

template <Napi::Value (*function)(const Info&)>
Napi::Value caught(const Info& info) {
  try {
    return function(info);
  } catch (const std::bad_alloc&) {
    throw Napi::RangeError::New(info.Env(), "could not allocate memory");
  }
}

}  // namespace

void add_exports(Napi::Env env, Napi::Object exports, LoadedImage (*image_at)(const Info&, size_t)) {
  image_of_handle = image_at;
  const auto set = [&](const char* name, Napi::Value (*function)(const Info&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("wasmThread", caught<start_thread>);
  set("wasmKnownImage", caught<known_image>);
  set("wasmSecret", caught<process_secret>);
  set("wasmBridge", caught<bridge_of_thread>);
  set("wasmImage", caught<image_address>);
  set("wasmShape", caught<image_shape>);
  set("wasmFacts", caught<image_facts>);
  set("wasmMemory", caught<make_memory>);
  set("wasmMemoryUpdate", caught<update_memory>);
  set("wasmTable", caught<make_table>);
  set("wasmTableSize", caught<table_size>);
  set("wasmTableGet", caught<table_get>);
  set("wasmTableSet", caught<table_set>);
  set("wasmTableGrow", caught<table_grow>);
  set("wasmCell", caught<make_cell>);
  set("wasmCellLoad", caught<load_cell>);
  set("wasmCellStore", caught<store_cell>);
  set("wasmThunkTypes", caught<thunk_types>);
  set("wasmInstance", caught<make_instance>);
  set("wasmStart", caught<start>);
  set("wasmRecord", caught<make_record>);
  set("wasmPlaceOf", caught<place_of>);
  set("wasmTableOf", caught<table_of>);
  set("wasmGlobalOf", caught<global_of>);
  set("wasmTagOf", caught<tag_of>);
  set("wasmFunctionWords", caught<function_words>);
  set("wasmFunctionFacts", caught<function_facts>);
  set("wasmThrown", caught<take_thrown>);
  set("wasmLiveReferences", caught<live_references>);
  set("wasmHostFor", caught<make_host>);
  set("wasmTrace", caught<last_trace>);
  napi_value raw;
  napi_create_function(env, "wasmCall", NAPI_AUTO_LENGTH, call, nullptr, &raw);
  exports.Set("wasmCall", raw);
}

}  // namespace insitu::wasm
