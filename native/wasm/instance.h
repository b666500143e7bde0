// An instance: memory laid out as its image describes (loader/compile/layout.ts), filled and linked here.
#pragma once
#include <memory>
#include <vector>

#include "image.h"
#include "runtime.h"

namespace insitu::wasm {

/// Where an instance's imports are: addresses, one list each, in the order of the module's imports of that
/// kind.
struct Links {
  std::vector<const wasm_function*> functions;  // 0: one of JavaScript
  std::vector<wasm_table*> tables;
  std::vector<wasm_memory*> memories;  // all of them, the module's own too
  std::vector<void*> globals;
  std::vector<const wasm_tag*> tags;  // all of them; 0 for its own
};

class Instance {
 public:
  Instance(Runtime& runtime, const Image& image);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  static Instance* of(const wasm_instance* instance) { return static_cast<Instance*>(instance->owner); }

  const Image& image() const { return image_; }
  Runtime& runtime() const { return runtime_; }
  uint8_t* base() const { return base_; }
  wasm_instance* head() const { return reinterpret_cast<wasm_instance*>(base_); }

  wasm_table& table(uint32_t index) const;
  wasm_memory& memory(uint32_t index) const {
    return *at<wasm_memory*>(image_.description().memories_at)[index];
  }
  /// A global's value, wherever it stands.
  void* global(uint32_t index) const;
  wasm_function function_reference(int32_t place) const;

  /// `file` is the image's, for mappings of memory content; `copy`: read instead.
  void link(const Links& links);
  void set_source(int file, uint64_t start, bool copy) { file_ = file, start_ = start, copy_ = copy; }
  const std::vector<Host>& hosts() const { return hosts_; }
  uint32_t function_type(uint32_t index) const {
    const auto* shape = image_.list<uint32_t>(image_.description().shape);
    return shape[shape[4] + index];
  }
  /// The instantiation proper (core specification 4.5.4): globals, tables, elements, data. May trap: within
  /// enter.
  void initialize();
  bool may_hold_exceptions() const;
  /// Adds what its own tables and globals hold of references.
  void collect_references(std::vector<uint64_t>& words) const;
  /// For JavaScript, kept as long as the instance.
  Record* record(int32_t place, uint32_t type);
  /// Null where there is none.
  Record* start_function();
  /// Zeros, kept as long as the instance.
  void* attach(size_t bytes);

  void table_init(uint32_t table, uint32_t segment, uint64_t at, uint32_t source, uint32_t count);
  void memory_init(uint32_t memory, uint32_t segment, uint64_t at, uint32_t source, uint32_t size);
  void data_drop(uint32_t segment);
  uint8_t& dropped_element(uint32_t segment) const {
    return dropped_data(image_.description().data.count + segment);
  }

 private:
  /// Of a kept one, by its place in the list.
  uint8_t& dropped_data(uint32_t place) const { return base_[image_.description().dropped_at + place]; }
  /// Null for one that is in the memory image: it counts as dropped.
  const Data* kept_data(uint32_t segment) const;
  void init(const Data& data, uint32_t memory, uint64_t at, uint32_t source, uint32_t size);
  template <typename T>
  T* at(uint64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }
  struct Value {
    uint64_t words[4];
  };
  Value evaluate(const Expression& expression) const;
  void make_host(uint32_t index);
  void initialize_globals();
  void initialize_tables();
  void initialize_elements();
  void initialize_memories();
  bool map_run(const Run& run) const;
  void initialize_data();
  Value element_value(const Element& element, uint32_t index) const;
  void put_functions(wasm_function* to, const int32_t* places, uint32_t count) const;

  Runtime& runtime_;
  const Image& image_;
  uint8_t* base_;
  std::vector<std::unique_ptr<Record>> records_;
  std::vector<Host> hosts_;
  std::vector<std::unique_ptr<uint8_t[]>> attached_;
  int file_ = -1;
  uint64_t start_ = 0;
  bool copy_ = false;
};

/// Standalone ones too. `count` elements of null. Throws std::bad_alloc.
void allocate_table(wasm_table& table, bool functions, uint64_t count, uint64_t max);
void free_table(wasm_table& table, bool functions);
/// The old size, or ~0 where it can't grow by that.
uint64_t grow_table(wasm_table& table, bool functions, uint64_t count, const wasm_function* function,
                    uint64_t reference);

}  // namespace insitu::wasm
