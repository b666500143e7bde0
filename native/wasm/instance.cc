#include "instance.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "../sys.h"

namespace insitu::wasm {
namespace {

constexpr uint8_t kFunctionReference = 0x70, kExternalReference = 0x6f, kExceptionReference = 0x69;

uint64_t read_leb(const uint8_t*& at, bool is_signed) {
  uint64_t value = 0;
  uint32_t shift = 0;
  uint8_t byte;
  do {
    byte = *at++;
    if (shift < 64) value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  if (is_signed && shift < 64 && (byte & 0x40)) value |= ~uint64_t{0} << shift;
  return value;
}

bool inside(uint64_t at, uint64_t size, uint64_t limit) {
  uint64_t end;
  return !__builtin_add_overflow(at, size, &end) && end <= limit;
}

/// Pages of anonymous memory without an entry are zeros (Documentation/admin-guide/mm/pagemap.rst: 63
/// present, 62 swapped). More than so many pages are not looked at.
bool is_untouched(uint64_t address, uint64_t size) {
  static const int pagemap = static_cast<int>(sys::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  constexpr uint64_t kMost = 4096;
  uint64_t entries[512];
  const uint64_t page = page_size(), count = size / page;
  if (pagemap < 0 || count > kMost) return false;
  for (uint64_t done = 0; done < count;) {
    const uint64_t some = count - done < std::size(entries) ? count - done : std::size(entries);
    const long got =
        sys::pread(pagemap, entries, some * sizeof entries[0], (address / page + done) * sizeof entries[0]);
    if (got != static_cast<long>(some * sizeof entries[0])) return false;
    for (uint64_t i = 0; i < some; i++)
      if (entries[i] >> 62 != 0) return false;
    done += some;
  }
  return true;
}

size_t cell_bytes(uint8_t type) {
  return type == 0x7f || type == 0x7d ? 4 : type == 0x7b ? 16 : type == kFunctionReference ? 32 : 8;
}

}  // namespace

Instance::Instance(Runtime& runtime, const Image& image) : runtime_(runtime), image_(image) {
  const Description& d = image.description();
  base_ = static_cast<uint8_t*>(aligned_alloc(64, page_up(d.instance_size, 64)));
  if (base_ == nullptr) throw std::bad_alloc();
  memset(base_, 0, d.instance_size);
  *head() = {&runtime.shared, &image, this};
}

Instance::~Instance() {
  const Description& d = image_.description();
  const auto* tables = image_.list<Table>(d.tables);
  for (uint32_t i = d.imported_tables; i < d.tables.count; i++)
    free_table(table(i), tables[i].element == kFunctionReference);
  free(base_);
}

wasm_table& Instance::table(uint32_t index) const {
  const Description& d = image_.description();
  const uint32_t offset = image_.list<Table>(d.tables)[index].at;
  return index < d.imported_tables ? **at<wasm_table*>(offset) : *at<wasm_table>(offset);
}

void* Instance::global(uint32_t index) const {
  const Global& g = image_.list<Global>(image_.description().globals)[index];
  return g.pointer ? *at<void*>(g.at) : at<void>(g.at);
}

wasm_function Instance::function_reference(int32_t place) const {
  const Description& d = image_.description();
  if (place < 0) return at<wasm_function>(d.functions_at)[~place];
  const Ref& ref = image_.list<Ref>(d.refs)[place];
  return {image_.key_of(ref.type), image_.code(ref.code), base_, image_.code(ref.tail)};
}

void Instance::link(const Links& links) {
  const Description& d = image_.description();
  for (uint32_t i = 0; i < links.memories.size(); i++) {
    at<wasm_memory*>(d.memories_at)[i] = links.memories[i];
    at<uint8_t*>(d.bases_at)[i] = links.memories[i]->base;
  }
  hosts_.reserve(d.imported_functions);
  for (uint32_t i = 0; i < d.imported_functions; i++) {
    if (links.functions[i] != nullptr)
      at<wasm_function>(d.functions_at)[i] = *links.functions[i];
    else
      make_host(i);
  }
  const auto* tables = image_.list<Table>(d.tables);
  for (uint32_t i = 0; i < links.tables.size(); i++) *at<wasm_table*>(tables[i].at) = links.tables[i];
  const auto* globals = image_.list<Global>(d.globals);
  for (uint32_t i = 0; i < links.globals.size(); i++) {
    if (globals[i].pointer)
      *at<void*>(globals[i].at) = links.globals[i];
    else
      memcpy(at<void>(globals[i].at), links.globals[i], cell_bytes(globals[i].type));
  }
  for (uint32_t i = 0; i < d.tag_count; i++) {
    const wasm_tag* own = i < d.imported_tags ? nullptr : at<wasm_tag>(d.own_tags_at) + (i - d.imported_tags);
    at<const wasm_tag*>(d.tags_at)[i] = own != nullptr ? own : links.tags[i];
  }
  const auto* keys = image_.list<uint32_t>(d.keys);
  for (uint32_t i = 0; i < d.keys.count; i++) at<uint64_t>(d.keys_at)[i] = image_.key_of(keys[i]);
}

void Instance::make_host(uint32_t index) {
  Host& host = hosts_.emplace_back();
  host.head.runtime = &runtime_.shared;
  host.owner = base_;
  host.index = index;
  const uint32_t type = function_type(index);
  at<wasm_function>(image_.description().functions_at)[index] = {
      image_.key_of(type), image_.code(image_.type(type).leave), &host, nullptr};
}

/// Constant expressions (core specification 3.4.12), extended ones too; ref.func has a place in an int32_t
/// here.
Instance::Value Instance::evaluate(const Expression& expression) const {
  std::vector<Value> stack;
  const auto push = [&](const Value& value) { stack.push_back(value); };
  const uint8_t* at = image_.at(expression.at);
  const uint8_t* const end = at + expression.size;
  while (at < end) {
    const uint8_t opcode = *at++;
    Value value = {};
    switch (opcode) {
      case 0x41:
        value.words[0] = static_cast<uint32_t>(read_leb(at, true));
        push(value);
        break;
      case 0x42:
        value.words[0] = read_leb(at, true);
        push(value);
        break;
      case 0x43:
        memcpy(value.words, at, 4);
        at += 4;
        push(value);
        break;
      case 0x44:
        memcpy(value.words, at, 8);
        at += 8;
        push(value);
        break;
      case 0xfd:
        (void)read_leb(at, false);
        memcpy(value.words, at, 16);
        at += 16;
        push(value);
        break;
      case 0x23: {
        const auto index = static_cast<uint32_t>(read_leb(at, false));
        const uint8_t type = image_.list<Global>(image_.description().globals)[index].type;
        memcpy(value.words, global(index), cell_bytes(type));
        push(value);
        break;
      }
      case 0xd0:
        (void)read_leb(at, true);
        push(value);
        break;
      case 0xd2: {
        int32_t place;
        memcpy(&place, at, 4);
        at += 4;
        const wasm_function function = function_reference(place);
        memcpy(value.words, &function, sizeof function);
        push(value);
        break;
      }
      case 0x0b:
        break;
      default: {  // add, sub, mul of i32 (0x6a …) and i64 (0x7c …)
        const uint64_t b = stack.back().words[0];
        stack.pop_back();
        uint64_t& a = stack.back().words[0];
        const bool wide = opcode >= 0x7c;
        const uint8_t kind = opcode - (wide ? 0x7c : 0x6a);
        a = kind == 0 ? a + b : kind == 1 ? a - b : a * b;
        if (!wide) a = static_cast<uint32_t>(a);
      }
    }
  }
  return stack.back();
}

void Instance::initialize_globals() {
  const Description& d = image_.description();
  const auto* globals = image_.list<Global>(d.globals);
  for (uint32_t i = d.imported_globals; i < d.globals.count; i++) {
    const Value value = evaluate(globals[i].init);
    memcpy(at<void>(globals[i].at), value.words, cell_bytes(globals[i].type));
  }
}

void Instance::initialize_tables() {
  const Description& d = image_.description();
  const auto* tables = image_.list<Table>(d.tables);
  for (uint32_t i = d.imported_tables; i < d.tables.count; i++) {
    const bool functions = tables[i].element == kFunctionReference;
    wasm_table& own = table(i);
    allocate_table(own, functions, tables[i].min, tables[i].max);
    if (tables[i].init.size == 0) continue;
    const Value value = evaluate(tables[i].init);
    for (uint64_t k = 0; k < own.size; k++) {
      if (functions)
        memcpy(&own.functions[k], value.words, sizeof(wasm_function));
      else
        own.references[k] = value.words[0];
    }
  }
}

Instance::Value Instance::element_value(const Element& element, uint32_t index) const {
  Value value = {};
  if (element.has_expressions)
    return evaluate(reinterpret_cast<const Expression*>(image_.at(element.items))[index]);
  const wasm_function function =
      function_reference(reinterpret_cast<const int32_t*>(image_.at(element.items))[index]);
  memcpy(value.words, &function, sizeof function);
  return value;
}

/// What most elements of most modules are, and there are tens of thousands in some.
void Instance::put_functions(wasm_function* to, const int32_t* places, uint32_t count) const {
  const auto* refs = image_.list<Ref>(image_.description().refs);
  const auto* types = image_.list<Type>(image_.description().types);
  const auto* imported = at<const wasm_function>(image_.description().functions_at);
  for (uint32_t i = 0; i < count; i++) {
    const int32_t place = places[i];
    if (place < 0) {
      to[i] = imported[~place];
      continue;
    }
    const Ref& ref = refs[place];
    const uint64_t key = types[ref.type].key;
    to[i] = {key != 0 ? key : image_.key_of(ref.type), image_.code(ref.code), base_, image_.code(ref.tail)};
  }
}

void Instance::table_init(uint32_t index, uint32_t segment, uint64_t to, uint32_t source, uint32_t count) {
  const Element& element = image_.list<Element>(image_.description().elements)[segment];
  const uint64_t available = dropped_element(segment) ? 0 : element.count;
  wasm_table& target = table(index);
  if (!inside(to, count, target.size)) trap(runtime_, WASM_TRAP_TABLE_ACCESS);
  if (!inside(source, count, available)) trap(runtime_, WASM_TRAP_ELEMENT_SEGMENT);
  if (element.type == kFunctionReference && !element.has_expressions) {
    put_functions(target.functions + to, reinterpret_cast<const int32_t*>(image_.at(element.items)) + source,
                  count);
    return;
  }
  for (uint32_t i = 0; i < count; i++) {
    const Value value = element_value(element, source + i);
    if (element.type == kFunctionReference)
      memcpy(&target.functions[to + i], value.words, sizeof(wasm_function));
    else
      target.references[to + i] = value.words[0];
  }
}

const Data* Instance::kept_data(uint32_t segment) const {
  const List& list = image_.description().data;
  const auto* first = image_.list<Data>(list);
  const auto* last = first + list.count;
  const auto* at = std::lower_bound(first, last, segment,
                                    [](const Data& data, uint32_t index) { return data.index < index; });
  return at == last || at->index != segment ? nullptr : at;
}

void Instance::init(const Data& data, uint32_t index, uint64_t to, uint32_t source, uint32_t size) {
  const auto place = static_cast<uint32_t>(&data - image_.list<Data>(image_.description().data));
  const uint64_t available = dropped_data(place) ? 0 : data.size;
  const wasm_memory& target = memory(index);
  if (!inside(source, size, available) || !inside(to, size, target.size)) trap(runtime_, WASM_TRAP_MEMORY);
  memcpy(target.base + to, image_.at(data.bytes) + source, size);
}

void Instance::memory_init(uint32_t index, uint32_t segment, uint64_t to, uint32_t source, uint32_t size) {
  const Data* data = kept_data(segment);
  if (data != nullptr) return init(*data, index, to, source, size);
  if (!inside(source, size, 0) || !inside(to, size, memory(index).size)) trap(runtime_, WASM_TRAP_MEMORY);
}

void Instance::data_drop(uint32_t segment) {
  const Data* data = kept_data(segment);
  if (data != nullptr)
    dropped_data(static_cast<uint32_t>(data - image_.list<Data>(image_.description().data))) = 1;
}

void Instance::initialize_elements() {
  const Description& d = image_.description();
  const auto* elements = image_.list<Element>(d.elements);
  for (uint32_t i = 0; i < d.elements.count; i++) {
    if (elements[i].mode == Mode::passive) continue;
    if (elements[i].mode == Mode::active)
      table_init(elements[i].table, i, evaluate(elements[i].offset).words[0], 0, elements[i].count);
    dropped_element(i) = 1;
  }
}

/// Copy-on-write over pages that nobody has touched. False where that can't be.
bool Instance::map_run(const Run& run) const {
  const Description& d = image_.description();
  const bool own = run.memory >= d.imported_memories;
  wasm_memory& target = memory(run.memory);
  // What another module's image gave, or another thread's, need not be in the page tables yet.
  const bool shared = image_.list<Memory>(d.memories)[run.memory].flags & kShared;
  if (!own && (shared || target.has_files)) return false;
  uint8_t* const to = target.base + run.at;
  if (copy_ || (!own && !is_untouched(reinterpret_cast<uint64_t>(to), run.size))) return false;
  const long got =
      sys::mmap(reinterpret_cast<uint64_t>(to), run.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                file_, start_ + image_.file_offset(image_.at(run.bytes)));
  if (sys::failed(got)) return false;
  target.has_files = true;
  return true;
}

void Instance::initialize_memories() {
  const Description& d = image_.description();
  const auto* runs = image_.list<Run>(d.runs);
  const auto* patches = image_.list<Patch>(d.patches);
  uint32_t patch = 0;
  for (uint32_t i = 0; i < d.runs.count; i++) {
    const Run& run = runs[i];
    const uint32_t first = patch;
    if (run.memory < d.imported_memories)
      while (patch < d.patches.count && patches[patch].run == i) patch++;
    if (map_run(run)) continue;
    uint8_t* const base = memory(run.memory).base;
    if (run.memory >= d.imported_memories) memcpy(base + run.at, image_.at(run.bytes), run.size);
    for (uint32_t k = first; k < patch; k++) {
      // No checksum covers these.
      const Patch& p = patches[k];
      if (p.at < run.at || p.size > run.size || p.at - run.at > run.size - p.size) continue;
      memcpy(base + p.at, image_.at(run.bytes) + (p.at - run.at), p.size);
    }
  }
}

void Instance::initialize_data() {
  const Description& d = image_.description();
  const auto* data = image_.list<Data>(d.data);
  for (uint32_t i = 0; i < d.data.count; i++) {
    if (data[i].mode == Mode::passive) continue;
    if (data[i].mode == Mode::active)
      init(data[i], data[i].memory, evaluate(data[i].offset).words[0], 0, data[i].size);
    dropped_data(i) = 1;
  }
}

void Instance::initialize() {
  initialize_globals();
  initialize_tables();
  initialize_elements();
  initialize_memories();
  initialize_data();
}

Record* Instance::record(int32_t place, uint32_t type) {
  auto record = std::make_unique<Record>();
  record->function = function_reference(place);
  record->enter = image_.enter_of(type);
  records_.push_back(std::move(record));
  return records_.back().get();
}

bool Instance::may_hold_exceptions() const {
  const Description& d = image_.description();
  for (uint32_t i = 0; i < d.tables.count; i++)
    if (image_.list<Table>(d.tables)[i].element == kExceptionReference) return true;
  for (uint32_t i = 0; i < d.globals.count; i++)
    if (image_.list<Global>(d.globals)[i].type == kExceptionReference) return true;
  return false;
}

void Instance::collect_references(std::vector<uint64_t>& words) const {
  const Description& d = image_.description();
  for (uint32_t i = d.imported_tables; i < d.tables.count; i++) {
    if (image_.list<Table>(d.tables)[i].element == kFunctionReference) continue;
    const wasm_table& own = table(i);
    if (own.references != nullptr) words.insert(words.end(), own.references, own.references + own.size);
  }
  for (uint32_t i = 0; i < d.globals.count; i++)
    if (image_.list<Global>(d.globals)[i].type == kExternalReference)
      words.push_back(*static_cast<const uint64_t*>(global(i)));
}

void* Instance::attach(size_t bytes) {
  return attached_.emplace_back(std::make_unique<uint8_t[]>(bytes)).get();
}

Record* Instance::start_function() {
  const Description& d = image_.description();
  if (d.start == 0) return nullptr;
  // Imported or own: both are () -> ().
  const auto place = static_cast<int32_t>(d.start);
  if (place > 0) return record(place - 1, image_.list<Ref>(d.refs)[place - 1].type);
  for (uint32_t i = 0; i < d.types.count; i++)
    if (image_.type(i).enter != 0 && image_.type(i).params + image_.type(i).results == 0)
      return record(place, i);
  return nullptr;
}

void allocate_table(wasm_table& table, bool functions, uint64_t count, uint64_t max) {
  const uint64_t bytes = functions ? sizeof(wasm_function) : sizeof(uint64_t);
  uint64_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) throw std::bad_alloc();
  void* memory = calloc(count == 0 ? 1 : count, bytes);
  if (memory == nullptr) throw std::bad_alloc();
  table = {};
  table.functions = static_cast<wasm_function*>(memory);
  table.size = table.capacity = count;
  table.max_size = max;
}

void free_table(wasm_table& table, bool) {
  free(table.functions);
  table = {};
}

/// As V8 has it (wasm-limits.h).
constexpr uint64_t kMaxTableSize = 10'000'000;

uint64_t grow_table(wasm_table& table, bool functions, uint64_t count, const wasm_function* function,
                    uint64_t reference) {
  const uint64_t bytes = functions ? sizeof(wasm_function) : sizeof(uint64_t);
  const uint64_t old = table.size, limit = table.max_size < kMaxTableSize ? table.max_size : kMaxTableSize;
  if (count > limit || old > limit - count) return ~uint64_t{0};
  if (old + count > table.capacity) {
    uint64_t capacity = old + count + old / 2;
    if (capacity > limit) capacity = limit;
    void* grown = realloc(table.functions, capacity * bytes);
    if (grown == nullptr) return ~uint64_t{0};
    table.functions = static_cast<wasm_function*>(grown);
    table.capacity = capacity;
  }
  for (uint64_t i = old; i < old + count; i++) {
    if (functions)
      table.functions[i] = *function;
    else
      table.references[i] = reference;
  }
  table.size = old + count;
  return old;
}

}  // namespace insitu::wasm
