// One stored shared object on its way from file to running code: the steps read, map, link and close that
// load.h goes through. plan.h decides what is mapped how.
#pragma once
#include <link.h>

#include <memory>
#include <string>
#include <vector>

#include "fault.h"
#include "relocate.h"
#include "unwind.h"

namespace insitu {

/// The hosted parts throw what the freestanding ones return.
struct LoadFailure : Failure {};

[[noreturn]] inline void throw_failure(const Failure& failure) { throw LoadFailure{failure}; }

/// The kinds of image, told apart by content (loader/format.ts gives them names).
enum class ImageKind : uint32_t {
  program_static = 1,
  program_static_pie = 2,
  program_dynamic_pie = 3,
  program_dynamic = 4,
  shared_object = 5,
  node_addon = 6,
};

uint64_t page_size();
/// Calls an IFUNC resolver as the C library would.
uint64_t call_ifunc(uint64_t resolver);

class Scope;

class Library {
 public:
  /// Reads and checks headers and dynamic section. The descriptor and a view stay the caller's, open until
  /// map() is done.
  Library(std::string path, const Source& source);
  /// Closes. What stays mapped (stays_mapped) must not be destroyed: the process points into it.
  ~Library();
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  /// Told apart by content. Needs the descriptor: call before it is closed.
  ImageKind kind() const;
  bool is_program() const;
  const Image& image() const { return image_; }
  const Dynamic& dynamic() const { return dynamic_; }
  const Mapping& mapping() const { return mapping_; }
  const Plan& plan() const { return plan_; }
  const std::string& path() const { return path_; }

  /// Maps for reading only, so that tables can be looked at; nothing will ever run.
  void map_for_inspection();
  void map(const Plan& plan);
  /// Relocates, makes text executable, runs constructors. `lazy`: functions may be undefined until they are
  /// called, unless the library itself wants them all now (DF_BIND_NOW).
  void link(bool lazy = false);
  /// Destructors, then unmap. Idempotent. A library with thread-local destructors still due stays mapped; one
  /// that was linked never to be unloaded (DF_1_NODELETE) stays as it is until the process exits.
  void close();
  /// Destructors only: what happens to a library that is still open when the process exits.
  void finish();

  /// Address of an exported symbol; 0 where there is none. Mapped or linked only. An IFUNC is resolved.
  /// "napi_register_module_v1" is also found where an addon registered it in a constructor
  /// (napi_module_register).
  uint64_t symbol(const char* name) const;
  std::vector<std::string> symbol_names() const;
  /// Nearest function symbol at or below an address of this image; empty when there is none.
  std::string symbol_at(uint64_t address, uint64_t& distance) const;
  std::vector<std::string> needed() const;
  std::string string(uint32_t offset) const;
  RelocationCounts relocations() const;
  /// What an addon of the V8 API registered in a constructor (node.h's node_module); null where none did.
  const void* v8_module() const { return v8_module_; }
  /// Of its thread-local storage (tls.h); 0 where it has none.
  uint64_t tls_module() const { return tls_module_; }
  bool is_linked() const { return state_ == State::linked; }
  /// Closed, and still mapped: thread-local destructors of it are due, or it is DF_1_NODELETE.
  bool stays_mapped() const { return pinned_ || permanent_; }
  /// Pages of the file vanished while it was being read.
  bool is_damaged() const { return guarded_.damaged; }
  void require_open(const char* what) const;

 private:
  enum class State { read, mapped, linked, closed };
  friend struct LinkCallbacks;

  void relocate(const LinkHost& host, Failure& failure);
  std::vector<std::string> search_directories() const;
  void check_constructors() const;
  void tell_debugger();
  void make_unwindable();
  void register_frames();
  void run_constructors() const;
  void run_destructors();
  void unmap();
  void require_mapped(const char* what) const;
  void require_whole() const;
  uint32_t look_up(const char* name, Elf64_Sym& symbol) const;
  uint64_t final_address(const Elf64_Sym& symbol) const;

  std::string path_;
  Source source_;
  uint8_t head_[2048];
  Image image_;
  Dynamic dynamic_;
  Plan plan_;
  Mapping mapping_;
  SymbolTables tables_;
  State state_ = State::read;
  mutable GuardedRange guarded_;
  std::unique_ptr<Scope> scope_;
  std::vector<std::unique_ptr<uint64_t[]>> tls_indices_;
  uint64_t tls_module_ = 0;
  uint64_t addon_init_ = 0;  // what a self-registering addon registered
  const void* v8_module_ = nullptr;
  UnwindEntry unwind_;
  const void* frames_ = nullptr;
  uint64_t frame_object_[8] = {};  // storage for libgcc's struct object
  link_map debugger_map_ = {};
  bool debugger_knows_ = false;
  bool pinned_ = false;     // thread-local destructors are due: never unmapped
  bool permanent_ = false;  // closed, but never to be unloaded
  bool finished_ = false;
};

}  // namespace insitu
