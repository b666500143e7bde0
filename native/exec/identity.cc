#include "exec/identity.h"

#include <linux/capability.h>
#include <linux/prctl.h>

#include "exec/entry.h"
#include "exec/report.h"
#include "sys.h"

namespace insitu {
namespace {

/// Whether the kernel would let us set /proc/self/exe: CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in effect.
bool may_set_exe() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (sys::failed(sys::call(SYS_capget, reinterpret_cast<long>(&header), reinterpret_cast<long>(data))))
    return false;
  constexpr uint32_t kCheckpointRestore = 40;
  return (data[0].effective >> CAP_SYS_ADMIN & 1) != 0 ||
         (data[1].effective >> (kCheckpointRestore - 32) & 1) != 0;
}

/// The kernel refuses a new exe while the old one is mapped anywhere. Our own text is put into anonymous
/// memory that then takes the very addresses of the old text, in one mremap(2): execution goes on in it, and
/// nothing moves.
bool leave_own_file() {
  const OwnImage own = own_image();
  const uint64_t size = page_up(own.size, 4096);
  const long got = sys::mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (sys::failed(got)) return false;
  const auto copy = static_cast<uint64_t>(got);
  __builtin_memcpy(reinterpret_cast<void*>(copy), reinterpret_cast<const void*>(own.start), own.size);
  __builtin___clear_cache(reinterpret_cast<char*>(copy), reinterpret_cast<char*>(copy + own.size));
  if (!sys::failed(sys::mprotect(copy, size, PROT_READ | PROT_EXEC)) &&
      !sys::failed(sys::call(SYS_mremap, static_cast<long>(copy), static_cast<long>(size),
                             static_cast<long>(size), MREMAP_MAYMOVE | MREMAP_FIXED,
                             static_cast<long>(own.start))))
    return true;
  sys::munmap(copy, size);
  return false;
}

const char* basename(const char* path) {
  const char* base = path;
  for (; *path != '\0'; path++)
    if (*path == '/') base = path + 1;
  return base;
}

uint64_t string_end(const char* string) { return reinterpret_cast<uint64_t>(string) + length(string) + 1; }

void describe_image(const Loading& program, prctl_mm_map& map) {
  for (uint32_t i = 0; i < program.image.segment_count; i++) {
    const Segment& s = program.image.segments[i];
    const uint64_t start = program.mapping.bias + s.vaddr;
    if (s.flags & PF_X) {
      map.start_code = start;
      map.end_code = start + s.file_size;
    }
    if (s.flags & PF_W || map.start_data == 0) {
      map.start_data = start;
      map.end_data = start + s.file_size;
    }
  }
}

void describe_stack(const InitialStack& stack, const Names& names, prctl_mm_map& map) {
  map.start_stack = reinterpret_cast<uint64_t>(stack.words);
  map.arg_start = reinterpret_cast<uint64_t>(names.argv0);
  map.arg_end = string_end(stack.argv[stack.argc - 1]);
  long last = -1;
  while (stack.envp[last + 1] != nullptr) last++;
  map.env_start = last < 0 ? map.arg_end : reinterpret_cast<uint64_t>(stack.envp[0]);
  map.env_end = last < 0 ? map.arg_end : string_end(stack.envp[last]);
  map.auxv = reinterpret_cast<__u64*>(stack.auxv);
  map.auxv_size = static_cast<uint32_t>(stack.auxv_count * sizeof *stack.auxv);
}

/// Old kernels, when told not to randomize, put the heap of a static PIE between other mappings, where it
/// cannot grow.
uint64_t heap_start(uint64_t page) {
  const auto now = static_cast<uint64_t>(sys::call(SYS_brk, 0));
  const uint64_t own = own_image().start;
  constexpr uint64_t kNear = 1 << 30;
  return now >= own && now - own < kNear ? page_down(kAddressLimit / 3 * 2, page) : now;
}

bool set_map(const prctl_mm_map& map) {
  return !sys::failed(
      sys::call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, reinterpret_cast<long>(&map), sizeof map));
}

}  // namespace

void take_identity(const Loading& program, const InitialStack& stack, const Names& names, bool exe) {
  sys::call(SYS_prctl, PR_SET_NAME, reinterpret_cast<long>(basename(names.path)));
  prctl_mm_map map{};
  describe_image(program, map);
  describe_stack(stack, names, map);
  map.start_brk = map.brk = heap_start(program.plan.page);
  map.exe_fd = ~uint32_t{0};
  if (exe && may_set_exe() && leave_own_file()) {
    map.exe_fd = static_cast<uint32_t>(program.target.fd);
    if (set_map(map)) return;
    map.exe_fd = ~uint32_t{0};
  }
  set_map(map);
}

}  // namespace insitu
