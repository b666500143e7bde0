#include "library.h"

#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "debugger.h"
#include "scope.h"
#include "sys.h"
#include "tls.h"
#include "undefined.h"

extern "C" {
// libgcc's registry of unwind tables, the one that ld.so's own objects do not need.
void __register_frame_info(const void* begin, void* object) __attribute__((weak));
void* __deregister_frame_info(const void* begin) __attribute__((weak));
int __cxa_thread_atexit_impl(void (*)(void*), void*, void*);
}

namespace insitu {
namespace {

int process_argc;
char** process_argv;
char** process_environment;

/// glibc hands these to every constructor; what we load gets the same.
__attribute__((constructor)) void keep_arguments(int argc, char** argv, char** environment) {
  process_argc = argc;
  process_argv = argv;
  process_environment = environment;
}

std::mutex open_mutex;
std::vector<Library*> open_libraries;  // linked, in load order

}  // namespace

uint64_t page_size() {
  static const uint64_t size = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return size;
}

uint64_t call_ifunc(uint64_t resolver) {
#if defined(__aarch64__)
  struct {
    unsigned long size, hwcap, hwcap2;
  } const argument = {sizeof argument, getauxval(AT_HWCAP), getauxval(AT_HWCAP2)};
  constexpr uint64_t kArgumentFlag = uint64_t{1} << 62;  // _IFUNC_ARG_HWCAP of sys/ifunc.h
  return reinterpret_cast<uint64_t (*)(uint64_t, const void*)>(resolver)(argument.hwcap | kArgumentFlag,
                                                                         &argument);
#else
  return reinterpret_cast<uint64_t (*)()>(resolver)();
#endif
}

/// node_api.h's napi_module, as far as it is read here.
struct NodeApiModule {
  int version;
  unsigned flags;
  const char* file_name;
  void* init;
};

struct LinkCallbacks {
  /// Pins a library whose thread-local objects wait for their threads to end: its code must stay until then.
  static int thread_atexit(void (*function)(void*), void* argument, void* dso_handle) {
    {
      const std::lock_guard lock(open_mutex);
      for (Library* library : open_libraries) {
        const uint64_t at = reinterpret_cast<uint64_t>(dso_handle) - library->mapping_.base;
        if (at < library->mapping_.size) library->pinned_ = true;
      }
    }
    // The C library counts destructors by object: this one's, which stays. Not null, which it takes for a
    // repetition of the call before, even of none.
    return __cxa_thread_atexit_impl(function, argument, &process_argc);
  }

  /// Addons that register themselves in a constructor: Node would take the registration for the next file
  /// that it opens itself, and abort. It is kept for whoever asks the library for its init function.
  static void register_node_api_module(NodeApiModule* module) {
    const std::lock_guard lock(open_mutex);
    for (Library* library : open_libraries) {
      const uint64_t at = reinterpret_cast<uint64_t>(module) - library->mapping_.base;
      if (at < library->mapping_.size) library->addon_init_ = reinterpret_cast<uint64_t>(module->init);
    }
  }

  /// Addons of the V8 API likewise.
  static void register_v8_module(void* module) {
    const std::lock_guard lock(open_mutex);
    for (Library* library : open_libraries) {
      const uint64_t at = reinterpret_cast<uint64_t>(module) - library->mapping_.base;
      if (at < library->mapping_.size) library->v8_module_ = module;
    }
  }

  static Resolution resolve(void* context, const SymbolName& wanted, bool thread_local_symbol) {
    const auto own = [](auto* function) {
      return Resolution{reinterpret_cast<uint64_t>(function), 0, 0, true};
    };
    if (wanted.name[0] == '_' && wanted.name[1] == '_') {
      if (strcmp(wanted.name, "__tls_get_addr") == 0) return own(&insitu_tls_get_addr);
      if (strcmp(wanted.name, "__cxa_thread_atexit_impl") == 0 ||
          strcmp(wanted.name, "__cxa_thread_atexit") == 0)
        return own(&thread_atexit);
    }
    if (strcmp(wanted.name, "_dl_find_object") == 0 && unwinder_knows_us()) return own(&insitu_find_object);
    if (strcmp(wanted.name, "napi_module_register") == 0) return own(&register_node_api_module);
    if (strcmp(wanted.name, "node_module_register") == 0) return own(&register_v8_module);
    return static_cast<Library*>(context)->scope_->find(wanted, thread_local_symbol);
  }

  static Resolution resolve_unique(void*, const SymbolName& wanted) { return find_unique(wanted); }

  static uint64_t undefined(void* context, const SymbolName& wanted) {
    const auto& library = *static_cast<Library*>(context);
    return undefined_function(library.path_.c_str(), wanted.name);
  }

  static bool describe_tls(void* context, uint64_t module, uint64_t offset, uint64_t words[2]) {
    auto& library = *static_cast<Library*>(context);
    library.tls_indices_.push_back(std::unique_ptr<uint64_t[]>(new uint64_t[2]{module, offset}));
    words[0] = reinterpret_cast<uint64_t>(&insitu_tlsdesc);
    words[1] = reinterpret_cast<uint64_t>(library.tls_indices_.back().get());
    return true;
  }
};

Library::Library(std::string path, const Source& source) : path_(std::move(path)), source_(source) {
  Failure failure;
  if (source_.view == nullptr) {
    const long got = sys::pread(source_.fd, head_, sizeof head_, source_.start);
    if (got > 0) {
      source_.head = head_;
      source_.head_size = std::min(static_cast<uint64_t>(got), source_.size);
    }
  }
  if (!read_image(source_, page_size(), image_, failure) || !read_dynamic(source_, image_, dynamic_, failure))
    throw_failure(failure);
}

Library::~Library() { close(); }

/// libc.so.6 and ld.so are shared objects with an interpreter or an entry; only DF_1_PIE and DT_SONAME tell.
bool Library::is_program() const {
  return image_.type == ET_EXEC || dynamic_.is_pie() || (image_.has_interp && dynamic_.soname == kNoString);
}

ImageKind Library::kind() const {
  if (image_.type == ET_EXEC)
    return image_.has_interp ? ImageKind::program_dynamic : ImageKind::program_static;
  if (is_program()) return image_.has_interp ? ImageKind::program_dynamic_pie : ImageKind::program_static_pie;
  if (exports_symbol(source_, image_, dynamic_, "napi_register_module_v1")) return ImageKind::node_addon;
  // Older addons register themselves in a constructor.
  for (const char* name : {"napi_module_register", "node_module_register"})
    if (imports_symbol(source_, image_, dynamic_, name)) return ImageKind::node_addon;
  return ImageKind::shared_object;
}

void Library::require_open(const char* what) const {
  if (state_ != State::closed) return;
  LoadFailure failure;
  fail(failure, "ERR_CLOSED", 0) << what << " after close";
  throw failure;
}

void Library::require_mapped(const char* what) const {
  require_open(what);
  if (state_ != State::read) return;
  LoadFailure failure;
  fail(failure, "ERR_STATE", 0) << what << " before the image is mapped; want map() first";
  throw failure;
}

/// What was read of a library that lost pages since may be zeros.
void Library::require_whole() const {
  if (!guarded_.damaged || state_ != State::linked) return;
  LoadFailure failure;
  fail(failure, "ERR_CHANGED", 0) << "lost pages while it was mapped; want a file that does not shrink";
  throw failure;
}

void Library::map_for_inspection() {
  Plan plan;
  plan.lo = image_.lo;
  plan.hi = image_.hi;
  plan.start = source_.start;
  plan.page = plan.granule = plan.alignment = page_size();
  // Device-dax maps larger units: its segments are read, out of the view of it.
  const Placement placement = source_.view == nullptr ? Placement::in_place : Placement::copied;
  for (uint32_t i = 0; i < image_.segment_count; i++) {
    const Segment& s = image_.segments[i];
    if (s.file_size != 0)
      plan.segments[plan.count++] =
          PlannedSegment{s.offset, s.file_size, s.vaddr, s.file_size, PROT_READ, placement};
  }
  map(plan);
}

void Library::map(const Plan& plan) {
  Failure failure;
  if (state_ != State::read) {
    fail(failure, "ERR_STATE", 0) << "is mapped already; want one map() for each read";
    throw_failure(failure);
  }
  if (!check_plan(plan, failure) || !reserve(plan, false, mapping_, failure)) throw_failure(failure);
  plan_ = plan;
  tables_ = tables_of(dynamic_, mapping_);
  guarded_.begin = mapping_.reservation;
  guarded_.end = mapping_.reservation + mapping_.reserved;
  guarded_.path = path_.c_str();
  guarded_.image = &image_;
  guarded_.symbols = &tables_;
  guarded_.bias = mapping_.bias;
  guarded_.file_start = source_.start;
  guard(&guarded_);
  state_ = State::mapped;
  const bool placed = place_segments(source_, plan_, mapping_, failure);
  source_.view = nullptr;  // the caller's, and no longer there
  if (placed) return;
  close();
  throw_failure(failure);
}

void Library::relocate(const LinkHost& host, Failure& failure) {
  Relocator relocator(image_, dynamic_, mapping_, host, page_size());
  const bool done = relocator.apply(failure) && seal_copies(plan_, mapping_, failure) &&
                    (relocator.has_ifuncs() || protect_relro(image_, page_size(), mapping_, failure)) &&
                    publish_text(plan_, mapping_, failure);
  if (!done) throw_failure(failure);
  if (!relocator.has_ifuncs()) return;
  // Resolvers are code: they can only run, and RELRO only be closed behind them, once text is executable.
  if (!relocator.apply_ifuncs(failure) || !protect_relro(image_, page_size(), mapping_, failure))
    throw_failure(failure);
}

namespace {

/// Directories of a colon-separated list, $ORIGIN expanded to where the library itself lies.
void add_directories(const std::string& list, const std::string& origin,
                     std::vector<std::string>& directories) {
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(':', begin), list.size());
    std::string directory = list.substr(begin, end - begin);
    for (const std::string variable : {"$ORIGIN", "${ORIGIN}"})
      for (size_t at = 0; (at = directory.find(variable, at)) != std::string::npos; at += origin.size())
        directory.replace(at, variable.size(), origin);
    if (!directory.empty()) directories.push_back(directory);
    begin = end + 1;
  }
}

}  // namespace

/// Where needed libraries are looked for before the system's own search (ld.so(8)): DT_RPATH unless there is
/// DT_RUNPATH, LD_LIBRARY_PATH, DT_RUNPATH.
std::vector<std::string> Library::search_directories() const {
  std::vector<std::string> directories;
  if (dynamic_.rpath == kNoString && dynamic_.runpath == kNoString)
    return directories;  // dlopen does the rest
  const size_t slash = path_.rfind('/');
  const std::string origin = slash == std::string::npos ? "." : path_.substr(0, slash);
  if (dynamic_.runpath == kNoString) add_directories(string(dynamic_.rpath), origin, directories);
  const char* environment = getenv("LD_LIBRARY_PATH");
  if (environment != nullptr) add_directories(environment, origin, directories);
  if (dynamic_.runpath != kNoString) add_directories(string(dynamic_.runpath), origin, directories);
  return directories;
}

void Library::check_constructors() const {
  for (const Range& array : {dynamic_.init_array, dynamic_.fini_array})
    for (uint64_t i = 0; i < array.size / 8; i++) {
      uint64_t function;
      memcpy(&function, mapping_.at(array.vaddr + 8 * i), 8);
      const Segment* in = image_.stored_at(function - mapping_.bias, 1);
      if (in != nullptr && (in->flags & PF_X)) continue;
      Failure failure;
      fail(failure, "ERR_DYNAMIC", array.vaddr + 8 * i)
          << (array.vaddr == dynamic_.init_array.vaddr ? "DT_INIT_ARRAY[" : "DT_FINI_ARRAY[") << i
          << "] leads to " << Hex{function - mapping_.bias} << "; want an address in the library's text";
      throw_failure(failure);
    }
}

void Library::make_unwindable() {
  const Range& header = image_.eh_frame_hdr;
  unwind_ = UnwindEntry{mapping_.base, mapping_.base + mapping_.size,
                        header.size >= 8 ? mapping_.at(header.vaddr) : nullptr, &debugger_map_};
  if (!unwinder_knows_us() || !unwind_add(&unwind_)) register_frames();
}

/// Where the unwinder cannot be taught (unwind.h). .eh_frame is found through the pointer in .eh_frame_hdr
/// (LSB Core, "Exception Frame Header"), whose usual encoding is DW_EH_PE_pcrel | DW_EH_PE_sdata4.
void Library::register_frames() {
  constexpr uint8_t kPcRelative4 = 0x1b;
  if (__register_frame_info == nullptr || image_.eh_frame_hdr.size < 8) return;
  const uint8_t* header = mapping_.at(image_.eh_frame_hdr.vaddr);
  if (header[0] != 1 || header[1] != kPcRelative4) return;
  int32_t distance;
  memcpy(&distance, header + 4, 4);
  const uint64_t vaddr = image_.eh_frame_hdr.vaddr + 4 + static_cast<uint64_t>(int64_t{distance});
  if (vaddr % 4 != 0 || image_.stored_at(vaddr, 8) == nullptr) return;
  uint32_t length;
  memcpy(&length, mapping_.at(vaddr), 4);
  if (length == 0) return;  // an empty table: nothing to register
  frames_ = mapping_.at(vaddr);
  __register_frame_info(frames_, frame_object_);
}

void Library::run_constructors() const {
  using Constructor = void (*)(int, char**, char**);
  if (dynamic_.init != 0)
    reinterpret_cast<Constructor>(mapping_.at(dynamic_.init))(process_argc, process_argv,
                                                              process_environment);
  const auto* array = reinterpret_cast<const Constructor*>(mapping_.at(dynamic_.init_array.vaddr));
  for (uint64_t i = 0; i < dynamic_.init_array.size / 8; i++)
    array[i](process_argc, process_argv, process_environment);
}

void Library::run_destructors() {
  using Destructor = void (*)();
  std::vector<Destructor> destructors(dynamic_.fini_array.size / 8);
  if (!destructors.empty()) {
    const LenientReads lenient(guarded_);
    memcpy(destructors.data(), mapping_.at(dynamic_.fini_array.vaddr), dynamic_.fini_array.size);
  }
  if (guarded_.damaged) return;  // truncated underneath: where they were is not known any more
  for (size_t i = destructors.size(); i-- > 0;) destructors[i]();
  if (dynamic_.fini != 0) reinterpret_cast<Destructor>(mapping_.at(dynamic_.fini))();
}

namespace {

/// As at the end of a program that used dlopen: what is still open gets its destructors, last loaded first.
void finish_all_at_exit() {
  std::vector<Library*> remaining;
  {
    const std::lock_guard lock(open_mutex);
    remaining = open_libraries;
  }
  for (size_t i = remaining.size(); i-- > 0;) remaining[i]->finish();
}

}  // namespace

void Library::link(bool lazy) {
  require_open("link");
  Failure failure;
  if (state_ != State::mapped) {
    fail(failure, "ERR_STATE", 0) << "is not mapped; want map() before link()";
    throw_failure(failure);
  }
  try {
    scope_ = std::make_unique<Scope>(needed(), search_directories(),
                                     dynamic_.soname == kNoString ? std::string() : string(dynamic_.soname));
    const TlsTemplate& tls = image_.tls;
    if (tls) {
      tls_module_ = tls_add(mapping_.at(tls.vaddr), tls.file_size, tls.mem_size, tls.align);
      if (tls_module_ == 0) {
        fail(failure, "ERR_TLS", 0)
            << "finds no room for its thread-local storage: too many libraries are open";
        throw_failure(failure);
      }
    }
    const bool binds_now = (dynamic_.flags & DF_BIND_NOW) != 0 || (dynamic_.flags_1 & DF_1_NOW) != 0;
    const LinkHost host{this,
                        LinkCallbacks::resolve,
                        LinkCallbacks::resolve_unique,
                        LinkCallbacks::describe_tls,
                        call_ifunc,
                        lazy && !binds_now ? LinkCallbacks::undefined : nullptr,
                        tls_module_};
    relocate(host, failure);
    check_constructors();
    if (guarded_.damaged) {
      fail(failure, "ERR_CHANGED", 0) << "lost pages while it was loaded; want a file that does not shrink";
      throw_failure(failure);
    }
  } catch (...) {
    close();
    throw;
  }
  if (source_.start == 0) tell_debugger();
  make_unwindable();
  {
    const std::lock_guard lock(open_mutex);
    static const int registered = std::atexit(finish_all_at_exit);
    (void)registered;
    open_libraries.push_back(this);
  }
  state_ = State::linked;
  guarded_.lenient = false;
  try {
    run_constructors();
  } catch (...) {
    finished_ = true;  // a library whose constructors did not end gets no destructors
    close();
    throw;
  }
}

/// A debugger reads the whole file of this name, so of an image within a file it is not told.
void Library::tell_debugger() {
  debugger_map_.l_addr = mapping_.bias;
  debugger_map_.l_name = const_cast<char*>(path_.c_str());
  debugger_map_.l_ld = reinterpret_cast<Elf64_Dyn*>(mapping_.at(image_.dynamic.vaddr));
  debugger_add(&debugger_map_);
  debugger_knows_ = true;
}

void Library::finish() {
  if ((state_ != State::linked && !permanent_) || finished_) return;
  finished_ = true;
  run_destructors();
}

void Library::unmap() {
  if (mapping_.reserved == 0) return;
  unguard(&guarded_);
  release(mapping_);
}

void Library::close() {
  if (state_ == State::closed) return;
  // As with dlclose: others may hold pointers into it, such as libcrypto into libssl, or objects of it wait
  // for their threads to end and must find the rest of it alive. It ends with the process.
  permanent_ = state_ == State::linked && !finished_ && (pinned_ || (dynamic_.flags_1 & DF_1_NODELETE) != 0);
  if (!permanent_) finish();
  state_ = State::closed;
  if (permanent_) return;
  {
    const std::lock_guard lock(open_mutex);
    open_libraries.erase(std::remove(open_libraries.begin(), open_libraries.end(), this),
                         open_libraries.end());
  }
  if (pinned_) return;
  if (frames_ != nullptr) __deregister_frame_info(frames_);
  frames_ = nullptr;
  unwind_remove(&unwind_);
  if (debugger_knows_) debugger_remove(&debugger_map_);
  if (tls_module_ != 0) tls_remove(tls_module_);
  unmap();
  scope_.reset();
}

}  // namespace insitu
