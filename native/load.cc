#include "load.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <time.h>

#include <optional>

#include "file_range.h"
#include "sys.h"

namespace insitu {
namespace {

class Stopwatch {
 public:
  explicit Stopwatch(LoadRecord& record) : record_(record), last_(now()) {}
  void end(Phase phase) {
    const uint64_t at = now();
    record_.phase_ns[static_cast<size_t>(phase)] = at - last_;
    last_ = at;
  }

 private:
  static uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1000000000u + static_cast<uint64_t>(time.tv_nsec);
  }
  LoadRecord& record_;
  uint64_t last_;
};

void require_shared_object(const Library& library) {
  LoadFailure failure;
  if (library.is_program()) {
    fail(failure, "ERR_FORMAT", 16) << "is an ELF program; want a shared object (insitu run starts programs)";
    throw failure;
  }
  if (!library.image().dynamic) {
    fail(failure, "ERR_DYNAMIC", library.image().phoff)
        << "has no PT_DYNAMIC; want a shared object's dynamic section";
    throw failure;
  }
  if (library.image().executable_stack) {
    fail(failure, "ERR_WX", library.image().phoff)
        << "asks for an executable stack (PT_GNU_STACK); want none";
    throw failure;
  }
}

/// The kernel would refuse it at the last step, and a copy-load not at all.
void require_executable_mount(const StorageFacts& facts) {
  if (!(facts.mount_flags & ST_NOEXEC)) return;
  LoadFailure failure;
  fail(failure, "ERR_NOT_MAPPABLE", 0)
      << "is on a file system that is mounted noexec; want one whose files may be executed";
  throw failure;
}

/// An entry of a region: its space is not used for anything else while it is mapped, because the mappings
/// keep the lock (file_range.h).
void keep_in_use(const StoredFile& file, uint64_t start, uint64_t size) {
  try_lock_shared(file.fd(), start, page_up(start + size, file.facts().granule) - start);
}

void touch_text(const Library& library, const Plan& plan) {
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& s = plan.segments[i];
    if (!(s.prot & PROT_EXEC)) continue;
    const volatile uint8_t* bytes = library.mapping().at(s.vaddr);
    for (uint64_t at = 0; at < s.mem_size; at += plan.page) (void)bytes[at];
  }
}

}  // namespace

void require_in_place(const StorageFacts& facts, const Plan& plan) {
  LoadFailure failure;
  if (facts.medium == Medium::ram || facts.medium == Medium::page_cache) {
    fail(failure, "ERR_NOT_IN_PLACE", 0)
        << (facts.medium == Medium::ram ? "is on a RAM file system"
                                        : "would be mapped through the page cache")
        << "; want a file on a DAX file system or a device-dax node (insitu doctor tells how to get one)";
    throw failure;
  }
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& s = plan.segments[i];
    // Data on device-dax is copied at once, where elsewhere its pages are by the first write to them.
    if (s.placement != Placement::copied || s.reason == Reason::no_private_mappings) continue;
    fail(failure, "ERR_NOT_IN_PLACE", s.file_offset)
        << "PT_LOAD[" << s.index << "] would be copied (" << reason_text(s.reason)
        << "); want every segment in place";
    throw failure;
  }
}

KeptFile::~KeptFile() {
  if (fd >= 0) sys::close(fd);
}

std::unique_ptr<Library> load(const char* path, const LoadOptions& options, LoadRecord& record) {
  rusage before;
  getrusage(RUSAGE_THREAD, &before);
  Stopwatch watch(record);
  StoredFile file(path, options.copy || options.require_in_place);
  record.facts = file.facts();
  watch.end(Phase::open);

  const uint64_t start = options.start, size = image_size(file.facts().size, start, options.size);
  std::optional<SourceView> view;
  if (file.facts().medium == Medium::devdax) view.emplace(file.fd(), start, size, file.facts().granule);
  if (options.size != kToTheEnd) keep_in_use(file, start, size);
  auto library =
      std::make_unique<Library>(path, Source{file.fd(), start, size, view ? view->bytes() : nullptr});
  require_shared_object(*library);
  require_executable_mount(file.facts());
  watch.end(Phase::read);

  Plan plan;
  plan_image(library->image(), file.rules(start), options.copy, page_size(), plan);
  if (options.require_in_place) require_in_place(file.facts(), plan);
  watch.end(Phase::plan);

  try {
    library->map(plan);
    if (options.check != nullptr) options.check(*library);
    watch.end(Phase::map);

    if (options.prefault) touch_text(*library, plan);
    watch.end(Phase::prefault);

    library->link(options.lazy);
    watch.end(Phase::link);
  } catch (const LoadFailure& failure) {
    // What a noexec mount makes of it: EPERM from mmap(2), EACCES from mprotect(2).
    if (failure.system_error == EPERM || failure.system_error == EACCES) {
      file.sense_file_system();
      require_executable_mount(file.facts());
    }
    throw;
  }

  if (options.keep != nullptr) {
    options.keep->fd = file.release();
    options.keep->start = start;
  }
  rusage after;
  getrusage(RUSAGE_THREAD, &after);
  record.minor_faults = static_cast<uint64_t>(after.ru_minflt - before.ru_minflt);
  record.major_faults = static_cast<uint64_t>(after.ru_majflt - before.ru_majflt);
  return library;
}

}  // namespace insitu
