#include "stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys.h"

namespace insitu::fuzz {
namespace {

constexpr uint64_t kFence = 1 << 20;
constexpr const char* kFileName = "insitu-fuzz";

int writable = -1, readable = -1;
uint64_t guarded_begin, guarded_end;
volatile uint64_t substitutions;
struct sigaction previous;

void on_bus(int signal, siginfo_t* info, void* context) {
  const uint64_t address = reinterpret_cast<uint64_t>(info->si_addr);
  if (info->si_code > 0 && address >= guarded_begin && address < guarded_end) {
    substitutions = substitutions + 1;
    const long got = sys::mmap(page_down(address, kPage), kPage, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (!sys::failed(got)) return;
  }
  if (previous.sa_flags & SA_SIGINFO) return previous.sa_sigaction(signal, info, context);
  ::signal(signal, SIG_DFL);
}

/// At the first run: libFuzzer has set its own handlers by then, and they are the ones to fall back to.
void open_stage() {
  writable = memfd_create(kFileName, MFD_CLOEXEC);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", writable);
  readable = static_cast<int>(sys::open(path, O_RDONLY));
  require(writable >= 0 && readable >= 0, "memfd_create");
  struct sigaction action = {};
  action.sa_sigaction = on_bus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGBUS, &action, &previous);
}

uint64_t fence_at(uint64_t address) {
  const long got = sys::mmap(address, kFence, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  return sys::failed(got) ? 0 : address;
}

/// The whole of /proc/self/maps; valid until the next call.
const char* read_maps() {
  static char text[1 << 18];
  const int fd = static_cast<int>(sys::open("/proc/self/maps", O_RDONLY));
  size_t used = 0;
  for (ssize_t n = 1; n > 0 && used + 1 < sizeof text; used += n > 0 ? static_cast<size_t>(n) : 0)
    n = ::read(fd, text + used, sizeof text - 1 - used);
  text[used] = '\0';
  sys::close(fd);
  return text;
}

}  // namespace

void require(bool holds, const char* text) {
  if (holds) [[likely]]
    return;
  fprintf(stderr, "insitu-fuzz: violated: %s\n", text);
  abort();
}

int store(const uint8_t* data, uint64_t size, uint64_t start) {
  if (writable < 0) open_stage();
  static const auto filler = [] {
    struct Page {
      uint8_t bytes[kPage];
    } page;
    memset(page.bytes, 0xcc, kPage);
    return page;
  }();
  bool done = ftruncate(writable, 0) == 0;
  if (start != 0) done = done && pwrite(writable, filler.bytes, start, 0) == static_cast<ssize_t>(start);
  if (size != 0)
    done = done && pwrite(writable, data, size, static_cast<off_t>(start)) == static_cast<ssize_t>(size);
  require(done, "the input could be stored");
  return readable;
}

void cut_file(uint64_t size) { require(ftruncate(writable, static_cast<off_t>(size)) == 0, "ftruncate"); }

void guard_range(uint64_t begin, uint64_t end) {
  guarded_begin = begin;
  guarded_end = end;
  substitutions = 0;
}

uint64_t substituted() { return substitutions; }

void Fence::raise(const Mapping& m) {
  below_ = m.reservation <= kFence ? 0 : fence_at(m.reservation - kFence);
  above_ = fence_at(m.reservation + m.reserved);
}

Fence::~Fence() {
  if (below_ != 0) sys::munmap(below_, kFence);
  if (above_ != 0) sys::munmap(above_, kFence);
}

bool nothing_mapped(uint64_t begin, uint64_t size) {
  const long got = sys::mmap(begin, size, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (sys::failed(got)) return false;
  sys::munmap(begin, size);
  return true;
}

void each_mapping(uint64_t begin, uint64_t end, void* context,
                  void (*see)(void* context, uint64_t begin, uint64_t end, uint32_t prot)) {
  for (const char* line = read_maps(); *line != '\0';) {
    unsigned long first, last;
    char mode[5];
    if (sscanf(line, "%lx-%lx %4s", &first, &last, mode) != 3) break;
    const uint32_t prot = (mode[0] == 'r' ? PROT_READ : 0) | (mode[1] == 'w' ? PROT_WRITE : 0) |
                          (mode[2] == 'x' ? PROT_EXEC : 0);
    if (last > begin && first < end) see(context, first, last, prot);
    const char* next = strchr(line, '\n');
    if (next == nullptr) break;
    line = next + 1;
  }
}

int mappings_of_file() {
  int found = 0;
  for (const char* at = read_maps(); (at = strstr(at, kFileName)) != nullptr; at++) found++;
  return found;
}

}  // namespace insitu::fuzz
