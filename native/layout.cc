#include "layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "library.h"
#include "stored.h"
#include "sys.h"

namespace insitu {
namespace {

/// A number in a file of /sys. False when there is none, or it may not be read.
bool sysfs_number(const char* directory, const char* name, uint64_t& value) {
  char path[160];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE* file = fopen(path, "re");
  if (file == nullptr) return false;
  unsigned long long number = 0;
  const bool read = fscanf(file, "%lli", reinterpret_cast<long long*>(&number)) == 1;
  fclose(file);
  value = number;
  return read;
}

/// Where the file system's device begins on the medium, modulo 2 MiB; `known` = /sys tells (to root, and
/// where no device mapper is in between).
uint64_t device_base(int fd, bool& known) {
  struct stat file;
  char directory[96];
  if (fstat(fd, &file) != 0) return 0;
  snprintf(directory, sizeof directory, "/sys/dev/block/%u:%u", major(file.st_dev), minor(file.st_dev));
  uint64_t sectors = 0, partition = 0, resource = 0;
  const bool is_partition = sysfs_number(directory, "partition", partition);
  if (is_partition) sysfs_number(directory, "start", sectors);
  // The namespace, or what of it holds data: its struct pages may come first.
  known = sysfs_number(directory, is_partition ? "../device/resource" : "device/resource", resource);
  return (sectors * 512 + resource) % kHugeBlock;
}

/// What no mapping of 2 MiB can show: bytes inside of metadata, encoded ones, and what has no place yet.
constexpr uint32_t kElsewhere = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC | FIEMAP_EXTENT_ENCODED |
                                FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE;

/// Hands the extents of a range to `each`, in order. False when the file system does not tell.
template <typename Each>
bool walk_extents(int fd, uint64_t offset, uint64_t length, uint32_t at_once, Each each) {
  constexpr uint32_t kAtOnce = 64;
  alignas(fiemap) uint8_t storage[sizeof(fiemap) + kAtOnce * sizeof(fiemap_extent)];
  const uint64_t end = offset + length;
  while (offset < end) {
    memset(storage, 0, sizeof storage);
    auto* request = reinterpret_cast<fiemap*>(storage);
    request->fm_start = offset;
    request->fm_length = end - offset;
    request->fm_extent_count = std::min(at_once, kAtOnce);
    if (ioctl(fd, FS_IOC_FIEMAP, request) != 0) return false;
    if (request->fm_mapped_extents == 0) return true;
    for (uint32_t i = 0; i < request->fm_mapped_extents; i++) {
      const fiemap_extent& extent = request->fm_extents[i];
      if (!each(extent) || (extent.fe_flags & FIEMAP_EXTENT_LAST)) return true;
      offset = extent.fe_logical + extent.fe_length;
    }
  }
  return true;
}

/// A child between fork(2) and _exit: system calls only.
struct Touching {
  int fd, answer;
  uint64_t offset, length, page;
  uint64_t unit;  // of mappings
};

uint64_t minor_faults() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_minflt + usage.ru_majflt);
}

uint64_t faults_of(const volatile uint8_t* bytes, uint64_t length, uint64_t page) {
  const uint64_t before = minor_faults();
  for (uint64_t at = 0; at < length; at += page) (void)bytes[at];
  return minor_faults() - before;
}

[[noreturn]] void touch(const Touching& job) {
  for (int signal : {SIGBUS, SIGSEGV}) ::signal(signal, SIG_DFL);
  prctl(PR_SET_DUMPABLE, 0);  // a file that shrank is no reason for a core file
  int64_t answer[2] = {0, 0};
  const uint64_t first = page_down(job.offset, job.unit);
  const uint64_t within = job.offset - first;
  const uint64_t whole = page_up(within + job.length, job.unit);
  const uint64_t size = whole + kHugeBlock;
  const long got = sys::mmap(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (sys::failed(got)) {
    answer[0] = got;
  } else {
    const uint64_t address =
        static_cast<uint64_t>(got) + ((first - static_cast<uint64_t>(got)) & (kHugeBlock - 1));
    const long mapped = sys::mmap(address, whole, PROT_READ, MAP_SHARED | MAP_FIXED, job.fd, first);
    const volatile uint8_t* bytes = reinterpret_cast<const uint8_t*>(address);
    uint8_t own[1] = {};
    faults_of(own, 1, 1);  // what the counting itself touches is present from here on
    if (sys::failed(mapped))
      answer[0] = mapped;
    else
      answer[1] = static_cast<int64_t>(faults_of(bytes + within, job.length, job.page));
  }
  const ssize_t told = write(job.answer, answer, sizeof answer);
  _exit(told == sizeof answer ? 0 : 1);
}

}  // namespace

bool extent_at(int fd, uint64_t offset, Extent& extent) {
  bool found = false;
  const bool told = walk_extents(fd, offset, ~uint64_t{0} - offset, 1, [&](const fiemap_extent& e) {
    found = (e.fe_flags & kElsewhere) == 0;
    extent = Extent{e.fe_logical, e.fe_physical, e.fe_length};
    return false;
  });
  return told && found;
}

HugeLayout huge_layout(int fd, uint64_t offset, uint64_t length) {
  HugeLayout layout;
  layout.base = device_base(fd, layout.absolute);
  const uint64_t begin = (offset + kHugeBlock - 1) & ~(kHugeBlock - 1);
  const uint64_t end = (offset + length) & ~(kHugeBlock - 1);
  if (end > begin) layout.blocks = (end - begin) / kHugeBlock;
  uint64_t next = begin;  // the first block that is not decided yet
  const auto pass_over = [&](uint64_t until, uint64_t misalignment) {
    if (until <= next) return;
    if (next == begin + layout.huge * kHugeBlock) {  // nothing was passed over before
      layout.first = next;
      layout.misalignment = misalignment;
    }
    next = until;
  };
  layout.told =
      walk_extents(fd, begin, end > begin ? end - begin : 1, ~uint32_t{0}, [&](const fiemap_extent& e) {
        if (next >= end) return false;
        const uint64_t misalignment = (layout.base + e.fe_physical - e.fe_logical) & (kHugeBlock - 1);
        // A block that began in another extent, or in none, is not in one piece.
        if (e.fe_logical > next) pass_over((e.fe_logical + kHugeBlock - 1) & ~(kHugeBlock - 1), misalignment);
        const uint64_t whole = std::min<uint64_t>(end, (e.fe_logical + e.fe_length) & ~(kHugeBlock - 1));
        if (whole <= next) return true;
        if (misalignment != 0 || (e.fe_flags & kElsewhere)) {
          pass_over(whole, misalignment);
        } else {
          layout.huge += (whole - next) / kHugeBlock;
          next = whole;
        }
        return true;
      });
  pass_over(end, 0);
  return layout;
}

bool count_faults(int fd, uint64_t offset, uint64_t length, TouchCount& count) {
  const uint64_t page = page_size();
  const uint64_t unit = StoredFile(fd).facts().granule;
  const Touching job{fd, 0, page_down(offset, page), length + offset % page, page, unit};
  int pipe[2];
  LoadFailure failure;
  if (pipe2(pipe, O_CLOEXEC) != 0) {
    fail_system(failure, "pipe2", -errno);
    throw failure;
  }
  const pid_t pid = fork();
  if (pid == 0) touch(Touching{job.fd, pipe[1], job.offset, job.length, job.page, unit});
  const int error = errno;
  close(pipe[1]);
  int64_t answer[2] = {0, 0};
  const bool told = pid > 0 && read(pipe[0], answer, sizeof answer) == sizeof answer;
  close(pipe[0]);
  if (pid < 0) {
    fail_system(failure, "fork", -error);
    throw failure;
  }
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (!told) return false;
  if (answer[0] != 0) {
    fail_system(failure, "mmap", answer[0]);
    throw failure;
  }
  count.pages = page_up(job.length, page) / page;
  count.faults = static_cast<uint64_t>(answer[1]);
  return true;
}

int allocate(int fd, int mode, uint64_t offset, uint64_t length) {
  while (fallocate(fd, mode, static_cast<off_t>(offset), static_cast<off_t>(length)) != 0)
    if (errno != EINTR) return -errno;
  return 0;
}

}  // namespace insitu
