#include "shared.h"

#include <map>
#include <memory>
#include <mutex>

namespace insitu {
namespace {

/// Recursive: linking one looks for others.
std::recursive_mutex shared_mutex;
std::map<std::pair<std::string, uint64_t>, SharedLibrary>& libraries() {
  static auto* all =
      new std::map<std::pair<std::string, uint64_t>, SharedLibrary>;  // threads may look during exit
  return *all;
}
std::map<std::string, LoadedObject>& objects() {
  static auto* all = new std::map<std::string, LoadedObject>;
  return *all;
}

LoadedObject object_of(const Library& library) {
  LoadedObject object;
  object.bias = library.mapping().bias;
  object.dynamic = reinterpret_cast<const Elf64_Dyn*>(library.mapping().at(library.image().dynamic.vaddr));
  object.name = library.path();
  object.soname = library.string(library.dynamic().soname);
  object.needed = library.needed();
  object.tables = tables_of(library.dynamic(), library.mapping());
  object.tls_module = library.tls_module();
  return object;
}

}  // namespace

const SharedLibrary& load_shared(const std::string& path, const LoadOptions& options) {
  const std::lock_guard lock(shared_mutex);
  const auto key = std::make_pair(path, options.start);
  const auto known = libraries().find(key);
  if (known != libraries().end()) return known->second;
  LoadRecord record;
  std::unique_ptr<Library> library = load(path.c_str(), options, record);
  if (library->dynamic().soname != kNoString)
    objects().emplace(library->string(library->dynamic().soname), object_of(*library));
  return libraries().emplace(key, SharedLibrary{library.release(), record}).first->second;
}

const LoadedObject* shared_object(const std::string& soname) {
  const std::lock_guard lock(shared_mutex);
  const auto found = objects().find(soname);
  return found == objects().end() ? nullptr : &found->second;
}

}  // namespace insitu
