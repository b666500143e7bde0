#include "exec/pages.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "exec/report.h"
#include "sys.h"

namespace insitu {
namespace {

/// As the kernel has it (rt_sigaction(2)).
struct Action {
  void (*act)(int, siginfo_t*, void*);
  uint64_t flags;
  void (*restore)();
  uint64_t mask;
};

struct Region {
  uint64_t address, size, offset;  // offset in the file
  uint32_t file;
};

struct WatchedFile {
  const char* name;
  const char* path;
  uint64_t device, inode;
};

constexpr uint64_t kBusMask = uint64_t{1} << (SIGBUS - 1);

/// Lives as long as the program, hence .bss and no stack; only the pages in use take memory.
alignas(4096) struct {
  bool loading;
  bool was_blocked;
  Action before;
  uint32_t file_count, region_count;
  uint64_t names_used;
  WatchedFile files[2];
  Region regions[2 * kMaxSegments];
  char names[5 * 4096];
} watch;

long set_action(const Action* action, Action* before) {
  return sys::call(SYS_rt_sigaction, SIGBUS, reinterpret_cast<long>(action), reinterpret_cast<long>(before),
                   8);
}

long set_mask(int how, uint64_t mask, uint64_t* before) {
  return sys::call(SYS_rt_sigprocmask, how, reinterpret_cast<long>(&mask), reinterpret_cast<long>(before), 8);
}

const Region* region_at(uint64_t address) {
  for (uint32_t i = 0; i < watch.region_count; i++)
    if (address - watch.regions[i].address < watch.regions[i].size) return &watch.regions[i];
  return nullptr;
}

/// Short, because it may run on a small alternate stack.
void say_gone(const Region& region, uint64_t address, int code) {
  const WatchedFile& file = watch.files[region.file];
  struct stat now;
  const long got =
      sys::call(SYS_newfstatat, AT_FDCWD, reinterpret_cast<long>(file.path), reinterpret_cast<long>(&now));
  Text<160> text;
  text << ": page at file offset " << Hex{page_down(address - region.address + region.offset, 4096)}
       << " is gone (";
  if (code == BUS_MCEERR_AR || code == BUS_MCEERR_AO)
    text << "memory error of the medium";
  else if (sys::failed(got) || now.st_dev != file.device || now.st_ino != file.inode)
    text << "file was replaced or removed";
  else
    text << "file is now " << static_cast<uint64_t>(now.st_size) << " bytes";
  text << (watch.loading ? "); want a file that does not change while it is loaded\n" : ")\n");
  struct {
    const char* base;
    uint64_t size;
  } const parts[] = {
      {"insitu-exec: ", 13}, {file.name, length(file.name)}, {text.c_str(), length(text.c_str())}};
  sys::call(SYS_writev, 2, reinterpret_cast<long>(parts), 3);
}

void on_bus_error(int, siginfo_t* info, void*) {
  const bool fault = info->si_code > 0;  // otherwise somebody sent it
  const auto address = reinterpret_cast<uint64_t>(info->si_addr);
  const Region* region = fault ? region_at(address) : nullptr;
  if (region != nullptr) say_gone(*region, address, info->si_code);
  if (fault && watch.loading) {
    if (region == nullptr)
      write_text(2, "insitu-exec: a page of the file is gone; want one that can be read\n");
    leave(kRefused);
  }
  // Back to the default: a fault happens again on return and ends the program as a plain execve would have;
  // what was sent is sent once more.
  const Action none{};
  set_action(&none, nullptr);
  if (!fault || info->si_code == BUS_MCEERR_AO)
    sys::call(SYS_tgkill, sys::call(SYS_getpid), sys::call(SYS_gettid), SIGBUS);
}

#if defined(__x86_64__)
extern "C" __attribute__((visibility("hidden"))) void insitu_signal_return();
__asm__(R"(
  .globl insitu_signal_return
  .hidden insitu_signal_return
  .type insitu_signal_return,@function
insitu_signal_return:
  mov $15, %eax
  syscall
)");
constexpr uint64_t kRestorer = 0x04000000;
#else
constexpr auto insitu_signal_return = nullptr;  // the kernel's vDSO has one
constexpr uint64_t kRestorer = 0;
#endif

char* keep(const char* text, bool printable) {
  char* const kept = watch.names + watch.names_used;
  for (; *text != '\0' && watch.names_used + 2 < sizeof watch.names; text++) {
    const char c = *text;
    watch.names[watch.names_used++] =
        printable && (static_cast<unsigned char>(c) < ' ' || c == 0x7f) ? '?' : c;
  }
  watch.names[watch.names_used++] = '\0';
  return kept;
}

/// The name that keeps its meaning when the program changes its directory.
const char* keep_path(const char* path) {
  if (path[0] == '/') return keep(path, false);
  char* const room = watch.names + watch.names_used;
  const uint64_t size = sizeof watch.names - watch.names_used;
  const long got =
      sys::call(SYS_getcwd, reinterpret_cast<long>(room), static_cast<long>(size < 4096 ? size : 4096));
  if (sys::failed(got) || room[0] != '/') return keep(path, false);
  watch.names_used += static_cast<uint64_t>(got);
  watch.names[watch.names_used - 1] = '/';
  keep(path, false);
  return room;
}

}  // namespace

void watch_pages() {
  Action ours;  // field by field: as one initializer it would be a table of pointers (exec.ld)
  ours.act = on_bus_error;
  ours.flags = SA_SIGINFO | SA_ONSTACK | kRestorer;
  ours.restore = insitu_signal_return;
  ours.mask = 0;
  watch.loading = true;
  set_action(&ours, &watch.before);
  uint64_t mask = 0;
  set_mask(SIG_BLOCK, 0, &mask);
  watch.was_blocked = (mask & kBusMask) != 0;
  if (watch.was_blocked) set_mask(SIG_UNBLOCK, kBusMask, nullptr);
}

const char* keep_name(const char* path, const char* of) {
  if (of == nullptr) return keep(path, true);
  const char* const kept = keep(of, true);
  watch.names_used--;
  keep(": interpreter ", true);
  watch.names_used--;
  keep(path, true);
  return kept;
}

void watch_file(const char* path, const char* name, const struct stat& status, uint64_t start,
                const Plan& plan, const Mapping& mapping) {
  const uint32_t file = watch.file_count++;
  watch.files[file] = WatchedFile{name, keep_path(path), status.st_dev, status.st_ino};
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& s = plan.segments[i];
    if (s.placement != Placement::in_place && s.placement != Placement::cow) continue;
    const uint64_t first = page_down(s.vaddr, plan.granule);
    watch.regions[watch.region_count++] =
        Region{mapping.bias + first, page_up(s.vaddr + s.mem_size, plan.granule) - first,
               page_down(start + s.file_offset, plan.granule), file};
  }
}

void keep_watch() {
  watch.loading = false;
  if (watch.before.act != nullptr || watch.region_count == 0) set_action(&watch.before, nullptr);
  if (watch.was_blocked) set_mask(SIG_BLOCK, kBusMask, nullptr);
}

}  // namespace insitu
