#include "scope.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>

#include "library.h"
#include "shared.h"

namespace insitu {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kCopyRelocation = R_X86_64_COPY;
#else
constexpr uint32_t kCopyRelocation = R_AARCH64_COPY;
#endif

/// Pointers in a loaded object's dynamic section are absolute already, except where it is read-only (the
/// vDSO).
const uint8_t* pointer_in(const LoadedObject& object, uint64_t value) {
  return reinterpret_cast<const uint8_t*>(value < object.bias ? value + object.bias : value);
}

void read_dynamic_of(LoadedObject& object) {
  SymbolTables& t = object.tables;
  uint64_t soname = 0;
  std::vector<uint64_t> needed;
  for (const Elf64_Dyn* entry = object.dynamic; entry->d_tag != DT_NULL; entry++) {
    const uint64_t value = entry->d_un.d_val;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        t.symbols = reinterpret_cast<const Elf64_Sym*>(pointer_in(object, value));
        break;
      case DT_STRTAB:
        t.strings = reinterpret_cast<const char*>(pointer_in(object, value));
        break;
      case DT_STRSZ:
        t.strings_size = value;
        break;
      case DT_HASH:
        t.hash = reinterpret_cast<const uint32_t*>(pointer_in(object, value));
        break;
      case DT_GNU_HASH:
        t.gnu_hash = reinterpret_cast<const uint32_t*>(pointer_in(object, value));
        break;
      case DT_VERSYM:
        t.versym = reinterpret_cast<const uint16_t*>(pointer_in(object, value));
        break;
      case DT_VERDEF:
        t.verdef = pointer_in(object, value);
        break;
      case DT_SONAME:
        soname = value;
        break;
      case DT_NEEDED:
        needed.push_back(value);
        break;
      default:
        break;
    }
  }
  t.symbol_limit = t.hash_size = t.gnu_hash_size = t.versym_size = t.verdef_size = kUnbounded;
  if (t.strings == nullptr) return;
  for (uint64_t offset : needed) object.needed.emplace_back(t.strings + offset);
  object.soname =
      soname != 0 ? std::string(t.strings + soname) : object.name.substr(object.name.rfind('/') + 1);
}

/// Everything the C library has loaded, kept in step through dl_iterate_phdr's counters.
class Process {
 public:
  static Process& get() {
    static Process* process = new Process;  // never destroyed: threads may load during exit
    return *process;
  }

  void refresh() {
    const std::lock_guard lock(mutex_);
    Counters now;
    dl_iterate_phdr(read_counters, &now);
    if (now.adds == seen_.adds && now.subs == seen_.subs) return;
    const bool first = current_.empty();
    current_.clear();
    dl_iterate_phdr(add_object, this);
    for (const auto& known : all_)  // what is gone must not be taken for another that comes to lie there
      if (std::find(current_.begin(), current_.end(), known.get()) == current_.end())
        known->dynamic = nullptr;
    seen_ = now;
    if (first) mark_start_set();
  }

  const LoadedObject* by_name(const std::string& name) {
    const std::lock_guard lock(mutex_);
    for (const LoadedObject* object : current_)
      if (object->soname == name || object->name == name) return object;
    return nullptr;
  }

  const LoadedObject* by_dynamic(const void* dynamic) {
    const std::lock_guard lock(mutex_);
    for (const LoadedObject* object : current_)
      if (object->dynamic == dynamic) return object;
    return nullptr;
  }

  /// Main program first, then preloads: the order of the C library's own list.
  std::vector<const LoadedObject*> start_set() {
    const std::lock_guard lock(mutex_);
    return start_set_;
  }

  /// An object that defines the name as process-wide unique. It is looked into under the C library's lock,
  /// which keeps it from being unmapped meanwhile; `index` is of the symbol.
  const LoadedObject* unique_owner(const SymbolName& wanted, uint32_t& index) {
    const std::lock_guard lock(mutex_);
    Search search{*this, wanted, nullptr, 0};
    dl_iterate_phdr(look_for_unique, &search);
    index = search.index;
    return search.found;
  }

  const LoadedObject* interposer_of(const SymbolName& wanted) {
    const std::lock_guard lock(mutex_);
    for (const LoadedObject* object : interposers_)
      if (find_symbol(object->tables, wanted) != 0) return object;
    return nullptr;
  }

 private:
  struct Counters {
    unsigned long long adds = 0, subs = 0;
  };

  static int read_counters(dl_phdr_info* info, size_t, void* to) {
    *static_cast<Counters*>(to) = Counters{info->dlpi_adds, info->dlpi_subs};
    return 1;
  }

  struct Search {
    Process& process;
    const SymbolName& wanted;
    const LoadedObject* found;
    uint32_t index;
  };

  static int look_for_unique(dl_phdr_info* info, size_t, void* context) {
    auto& search = *static_cast<Search*>(context);
    for (const LoadedObject* object : search.process.current_) {
      if (object->bias != info->dlpi_addr || object->name != info->dlpi_name) continue;
      const uint32_t index = find_symbol(object->tables, search.wanted);
      if (index == 0 || ELF64_ST_BIND(object->tables.symbols[index].st_info) != STB_GNU_UNIQUE) continue;
      search.found = object;
      search.index = index;
      return 1;
    }
    return 0;
  }

  static int add_object(dl_phdr_info* info, size_t, void* context) {
    auto& process = *static_cast<Process*>(context);
    const Elf64_Dyn* dynamic = nullptr;
    for (int i = 0; i < info->dlpi_phnum; i++)
      if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
        dynamic = reinterpret_cast<const Elf64_Dyn*>(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    if (dynamic == nullptr) return 0;
    for (const auto& known : process.all_)
      if (known->dynamic == dynamic && known->name == info->dlpi_name && known->bias == info->dlpi_addr) {
        process.current_.push_back(known.get());
        return 0;
      }
    auto object = std::make_unique<LoadedObject>();
    object->bias = info->dlpi_addr;
    object->dynamic = dynamic;
    object->name = info->dlpi_name;
    object->tls_module = info->dlpi_tls_modid;
    read_dynamic_of(*object);
    process.current_.push_back(object.get());
    process.all_.push_back(std::move(object));
    return 0;
  }

  /// The main program, what it needs, and preloads, which the C library lists between the two.
  void mark_start_set() {
    std::deque<LoadedObject*> queue{current_.front()};
    current_.front()->at_start = true;
    while (!queue.empty()) {
      const LoadedObject* object = queue.front();
      queue.pop_front();
      for (LoadedObject* other : current_)
        if (!other->at_start &&
            std::find(object->needed.begin(), object->needed.end(), other->soname) != object->needed.end()) {
          other->at_start = true;
          queue.push_back(other);
        }
    }
    bool before_libraries = true;
    for (LoadedObject* object : current_) {
      const bool main = object == current_.front(), library = object->at_start && !main;
      if (library) before_libraries = false;
      if (main || (before_libraries && object->soname.rfind("linux-", 0) != 0)) {
        object->at_start = true;
        interposers_.push_back(object);
      }
      if (object->at_start) start_set_.push_back(object);
    }
  }

  std::mutex mutex_;
  Counters seen_;
  std::vector<std::unique_ptr<LoadedObject>> all_;
  std::vector<LoadedObject*> current_;
  std::vector<const LoadedObject*> start_set_, interposers_;
};

[[noreturn]] void fail_needed(const std::string& text) {
  LoadFailure failure;
  fail(failure, "ERR_NEEDED", 0) << text.c_str();
  throw failure;
}

/// A program that is not position independent has copies of its libraries' variables (COPY relocations:
/// std::cout, environ), and everyone uses those, except code under RTLD_DEEPBIND: it finds the originals,
/// which nobody ever initialised. They become what the copies are; streams share the buffer behind them.
/// Originals that were written are left alone, and so are those in read-only memory (the kernel's EFAULT).
void fill_originals() {
  const std::vector<const LoadedObject*> objects = Process::get().start_set();
  const LoadedObject& program = *objects.front();
  const uint8_t* rela = nullptr;
  uint64_t rela_size = 0;
  for (const Elf64_Dyn* entry = program.dynamic; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_RELA) rela = pointer_in(program, entry->d_un.d_ptr);
    if (entry->d_tag == DT_RELASZ) rela_size = entry->d_un.d_val;
  }
  for (uint64_t at = 0; rela != nullptr && at + sizeof(Elf64_Rela) <= rela_size; at += sizeof(Elf64_Rela)) {
    const auto& entry = *reinterpret_cast<const Elf64_Rela*>(rela + at);
    if (ELF64_R_TYPE(entry.r_info) != kCopyRelocation) continue;
    const Elf64_Sym& symbol = program.tables.symbols[ELF64_R_SYM(entry.r_info)];
    const char* name = program.tables.name_of(symbol);
    const SymbolName wanted{name, gnu_hash_of(name), nullptr, false};
    for (size_t i = 1; i < objects.size(); i++) {
      const uint32_t index = find_symbol(objects[i]->tables, wanted);
      if (index == 0) continue;
      const Elf64_Sym& defined = objects[i]->tables.symbols[index];
      auto* const original = reinterpret_cast<uint8_t*>(objects[i]->bias + defined.st_value);
      const size_t size = std::min(symbol.st_size, defined.st_size);
      if (std::any_of(original, original + size, [](uint8_t byte) { return byte != 0; })) break;
      const iovec from{reinterpret_cast<void*>(program.bias + entry.r_offset), size}, to{original, size};
      (void)process_vm_writev(getpid(), &from, 1, &to, 1, 0);
      break;
    }
  }
}

/// Private dependencies look into their own scope before the global one, for the same reason as Scope does;
/// not where a malloc has been put in libc's place, which must be everyone's.
int dlopen_flags() {
  static const bool interposed = getenv("LD_PRELOAD") != nullptr || [] {
    const SymbolName malloc_name{"malloc", gnu_hash_of("malloc"), nullptr, false};
    return Process::get().interposer_of(malloc_name) != nullptr;
  }();
  if (interposed) return RTLD_LAZY | RTLD_LOCAL;
  static std::once_flag filled;
  std::call_once(filled, fill_originals);
  return RTLD_LAZY | RTLD_LOCAL | RTLD_DEEPBIND;
}

const LoadedObject* open_needed(const std::string& name, const std::vector<std::string>& directories,
                                std::vector<OpenHandle>& handles) {
  Process& process = Process::get();
  const LoadedObject* present = process.by_name(name);
  if (present != nullptr && present->at_start) return present;
  if (const LoadedObject* own = shared_object(name)) return own;
  std::string path = name;
  if (name.find('/') == std::string::npos && present == nullptr)
    for (const std::string& directory : directories) {
      const std::string candidate = directory + "/" + name;
      if (access(candidate.c_str(), R_OK) != 0) continue;
      path = candidate;
      break;
    }
  void* const handle = dlopen(path.c_str(), dlopen_flags());
  if (handle == nullptr) {
    const char* reason = dlerror();
    fail_needed("needs " + name +
                ", which could not be loaded: " + (reason != nullptr ? reason : "unknown error"));
  }
  handles.emplace_back(handle);
  link_map* map = nullptr;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map == nullptr)
    fail_needed("needs " + name + ": no link map");
  process.refresh();
  const LoadedObject* object = process.by_dynamic(map->l_ld);
  if (object == nullptr) fail_needed("needs " + name + ", which is not in the process after dlopen");
  return object;
}

Resolution resolve_in(const LoadedObject& object, uint32_t index, bool thread_local_symbol) {
  const Elf64_Sym& symbol = object.tables.symbols[index];
  const unsigned type = ELF64_ST_TYPE(symbol.st_info);
  if ((type == STT_TLS) != thread_local_symbol) return {};
  if (thread_local_symbol) return Resolution{0, object.tls_module, symbol.st_value, object.tls_module != 0};
  uint64_t address = symbol.st_shndx == SHN_ABS ? symbol.st_value : object.bias + symbol.st_value;
  if (type == STT_GNU_IFUNC) address = call_ifunc(address);
  return Resolution{address, 0, 0, true};
}

/// In the objects that are never unloaded.
Resolution find_in_process(const SymbolName& wanted) {
  Process& process = Process::get();
  process.refresh();
  for (const LoadedObject* object : process.start_set()) {
    const uint32_t index = find_symbol(object->tables, wanted);
    if (index != 0) return resolve_in(*object, index, false);
  }
  return {};
}

}  // namespace

void CloseHandle::operator()(void* handle) const { dlclose(handle); }

Scope::Scope(const std::vector<std::string>& needed, const std::vector<std::string>& directories,
             const std::string& soname) {
  if (needed.empty()) return;
  Process& process = Process::get();
  process.refresh();
  for (const std::string& name : needed) {
    if (!soname.empty() && name == soname) fail_needed("needs itself (" + soname + "): cyclic DT_NEEDED");
    const LoadedObject* object = open_needed(name, directories, handles_);
    if (std::find(objects_.begin(), objects_.end(), object) == objects_.end()) objects_.push_back(object);
  }
  for (size_t i = 0; i < objects_.size(); i++)
    for (const std::string& name : objects_[i]->needed) {
      if (!soname.empty() && name == soname)
        fail_needed("needs " + objects_[i]->soname + ", which needs " + soname + ": cyclic DT_NEEDED");
      const LoadedObject* object = process.by_name(name);
      if (object == nullptr) object = shared_object(name);
      if (object != nullptr && std::find(objects_.begin(), objects_.end(), object) == objects_.end())
        objects_.push_back(object);
    }
}

Resolution Scope::find(const SymbolName& wanted, bool thread_local_symbol) const {
  for (const LoadedObject* object : objects_) {
    uint32_t index = find_symbol(object->tables, wanted);
    if (index == 0) continue;
    if (object->at_start) {
      const LoadedObject* interposer = Process::get().interposer_of(wanted);
      if (interposer != nullptr) {
        object = interposer;
        index = find_symbol(object->tables, wanted);
      }
    }
    const Resolution found = resolve_in(*object, index, thread_local_symbol);
    if (found.found) return found;
  }
  if (thread_local_symbol) return {};
  const Resolution found = find_in_process(wanted);
  if (found.found || wanted.weak) return found;
  void* global = wanted.version != nullptr ? dlvsym(RTLD_DEFAULT, wanted.name, wanted.version)
                                           : dlsym(RTLD_DEFAULT, wanted.name);
  return Resolution{reinterpret_cast<uint64_t>(global), 0, 0, global != nullptr};
}

Resolution find_unique(const SymbolName& wanted) {
  const Resolution found = find_in_process(wanted);
  if (found.found) return found;
  uint32_t index = 0;
  const LoadedObject* object = Process::get().unique_owner(wanted, index);
  if (object == nullptr || dlopen(object->name.c_str(), RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == nullptr)
    return {};
  return resolve_in(*object, index, false);
}

}  // namespace insitu
