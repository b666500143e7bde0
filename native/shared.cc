#include "shared.h"

#include <errno.h>
#include <sys/stat.h>

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

namespace insitu {
namespace {

/// Recursive: linking one looks for others.
std::recursive_mutex shared_mutex;
/// Device and inode of the file, and where in it: a path may lead to another one by now.
using Key = std::tuple<dev_t, ino_t, uint64_t>;
std::map<Key, SharedLibrary>& libraries() {
  static auto* all = new std::map<Key, SharedLibrary>;  // threads may look during exit
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
  struct stat file;
  if (stat(path.c_str(), &file) != 0) {
    LoadFailure failure;
    fail_system(failure, "stat", -errno);
    throw failure;
  }
  const Key key{file.st_dev, file.st_ino, options.start};
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
