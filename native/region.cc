#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>
#include <map>
#include <mutex>

#include "sys.h"

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

namespace insitu {
namespace {

struct Piece {
  uint64_t length;
  int prot;
};

struct Entry {
  dev_t device;
  ino_t inode;
  uint64_t length;
  bool sync_mapping;
  std::map<uint64_t, Piece> pieces;  // protections, by address; together they cover the mapping
  std::string path;
  GuardedRange guarded;
};

std::mutex entries_mutex;
std::map<uint64_t, Entry> entries;  // by address

[[noreturn]] void refuse(int error, const char* call, const char* text) {
  LoadFailure failure;
  fail_system(failure, call, -error) << text;
  throw failure;
}

void check_prot(int prot, const char* call) {
  if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC)) refuse(EINVAL, call, "protection has unknown bits");
  if ((prot & PROT_WRITE) && (prot & PROT_EXEC))
    refuse(EACCES, call, "protection is writable and executable; want one or the other");
}

/// The mapping that holds all of [address, address + length), or the end.
std::map<uint64_t, Entry>::iterator entry_of(uint64_t address, uint64_t length) {
  auto after = entries.upper_bound(address);
  if (after == entries.begin()) return entries.end();
  const auto entry = std::prev(after);
  const uint64_t within = address - entry->first;
  return within <= entry->second.length && length <= entry->second.length - within ? entry : entries.end();
}

/// Eight aligned bytes move in one instruction: whoever looks at a word that commits something, another
/// process or the medium after a power cut, sees it before or after, never half. memcpy(3) promises no such
/// thing.
void copy_bytes(void* to, const void* from, const void* mapped, uint64_t length) {
  if (length != 8 || reinterpret_cast<uint64_t>(mapped) % 8 != 0) {
    memcpy(to, from, length);
    return;
  }
  uint64_t word;
  if (mapped == to) {
    memcpy(&word, from, 8);
    __atomic_store_n(static_cast<uint64_t*>(to), word, __ATOMIC_RELEASE);
  } else {
    word = __atomic_load_n(static_cast<const uint64_t*>(from), __ATOMIC_ACQUIRE);
    memcpy(to, &word, 8);
  }
}

void split_at(std::map<uint64_t, Piece>& pieces, uint64_t address) {
  auto after = pieces.upper_bound(address);
  if (after == pieces.begin()) return;
  const auto piece = std::prev(after);
  const uint64_t head = address - piece->first;
  if (head == 0 || head >= piece->second.length) return;
  pieces.emplace(address, Piece{piece->second.length - head, piece->second.prot});
  piece->second.length = head;
}

void check_access(const Entry& entry, uint64_t address, uint64_t length, int wanted, const char* call) {
  for (const auto& [start, piece] : entry.pieces)
    if (start < address + length && address < start + piece.length && !(piece.prot & wanted))
      refuse(EACCES, call, wanted == PROT_WRITE ? "pages are not writable" : "pages are not readable");
}

#if defined(__x86_64__)
WriteBack detect_write_back() {
  uint32_t a = 7, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  if (b & (1u << 24)) return WriteBack::clwb;
  if (b & (1u << 23)) return WriteBack::clflushopt;
  return WriteBack::clflush;
}

template <WriteBack kind>
void write_back_lines(const uint8_t* line, const uint8_t* end) {
  for (; line < end; line += 64) {
    if constexpr (kind == WriteBack::clwb)
      __asm__ volatile(".byte 0x66; xsaveopt %0" : "+m"(*const_cast<uint8_t*>(line)));
    if constexpr (kind == WriteBack::clflushopt)
      __asm__ volatile(".byte 0x66; clflush %0" : "+m"(*const_cast<uint8_t*>(line)));
    if constexpr (kind == WriteBack::clflush)
      __asm__ volatile("clflush %0" : "+m"(*const_cast<uint8_t*>(line)));
  }
  __asm__ volatile("sfence" ::: "memory");
}
#else
WriteBack detect_write_back() { return WriteBack::dc_cvap; }
#endif

}  // namespace

WriteBack best_write_back() {
  static const WriteBack kind = detect_write_back();
  return kind;
}

const char* write_back_name(WriteBack kind) {
  switch (kind) {
    case WriteBack::clwb:
      return "clwb";
    case WriteBack::clflushopt:
      return "clflushopt";
    case WriteBack::clflush:
      return "clflush";
    case WriteBack::dc_cvap:
      return "dc cvap";
    case WriteBack::none:
      return "none";
  }
  return "none";
}

void write_back(const void* address, uint64_t size) {
  const auto* line = reinterpret_cast<const uint8_t*>(reinterpret_cast<uint64_t>(address) & ~uint64_t{63});
  const auto* end = static_cast<const uint8_t*>(address) + size;
#if defined(__x86_64__)
  switch (best_write_back()) {
    case WriteBack::clwb:
      return write_back_lines<WriteBack::clwb>(line, end);
    case WriteBack::clflushopt:
      return write_back_lines<WriteBack::clflushopt>(line, end);
    default:
      return write_back_lines<WriteBack::clflush>(line, end);
  }
#else
  // dc cvap (ARMv8.2) cleans to the point of persistence; the kernel traps it where the processor has none.
  for (; line < end; line += 64) __asm__ volatile("sys #3, c7, c12, #1, %0" ::"r"(line) : "memory");
  __asm__ volatile("dsb ish" ::: "memory");
#endif
}

RegionMapping region_map(int fd, uint64_t start, uint64_t length, int prot, uint64_t alignment,
                         const char* path) {
  check_prot(prot, "mmap");
  if (alignment == 0 || start % alignment != 0 || length % alignment != 0 || length == 0)
    refuse(EINVAL, "mmap",
           "start and length are not multiples of the region's unit of mapping, or length is 0");
  // MAP_SHARED_VALIDATE makes the kernel refuse MAP_SYNC (EOPNOTSUPP) where it could not keep the promise.
  // Asked for wherever the mapping can be made writable later: device-dax has no msync(2) to fall back on.
  long got = -EOPNOTSUPP;
  const bool wants_sync = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
  if (wants_sync) got = sys::mmap(0, length, prot, MAP_SHARED_VALIDATE | MAP_SYNC, fd, start);
  const bool sync_mapping = !sys::failed(got);
  if (!sync_mapping) got = sys::mmap(0, length, prot, MAP_SHARED, fd, start);
  if (sys::failed(got)) refuse(static_cast<int>(-got), "mmap", path);
  const uint64_t address = static_cast<uint64_t>(got);
  struct stat file = {};
  fstat(fd, &file);
  const std::lock_guard lock(entries_mutex);
  Entry& entry = entries[address];
  entry.device = file.st_dev;
  entry.inode = file.st_ino;
  entry.length = length;
  entry.sync_mapping = sync_mapping;
  entry.pieces[address] = Piece{length, prot};
  entry.path = path;
  entry.guarded.begin = address;
  entry.guarded.end = address + length;
  entry.guarded.path = entry.path.c_str();
  entry.guarded.file_start = start;
  guard(&entry.guarded);
  return RegionMapping{address, length, sync_mapping};
}

void region_unmap(uint64_t address) {
  const std::lock_guard lock(entries_mutex);
  const auto entry = entries.find(address);
  if (entry == entries.end()) refuse(EINVAL, "munmap", "address is not one that map gave");
  unguard(&entry->second.guarded);
  sys::munmap(address, entry->second.length);
  entries.erase(entry);
}

void region_protect(uint64_t address, uint64_t length, int prot) {
  check_prot(prot, "mprotect");
  const std::lock_guard lock(entries_mutex);
  if (address % page_size() != 0 || length % page_size() != 0 || length == 0)
    refuse(EINVAL, "mprotect", "address and length are not page aligned, or length is 0");
  const auto entry = entry_of(address, length);
  if (entry == entries.end()) refuse(EINVAL, "mprotect", "range is not inside one mapping");
  const long got = sys::mprotect(address, length, prot);
  if (sys::failed(got)) refuse(static_cast<int>(-got), "mprotect", "new protection was refused");
  auto& pieces = entry->second.pieces;
  split_at(pieces, address);
  split_at(pieces, address + length);
  for (auto& [start, piece] : pieces)
    if (start >= address && start < address + length) piece.prot = prot;
}

int region_sync(int fd, uint64_t address, uint64_t length) {
  struct stat file;
  if (fstat(fd, &file) != 0) return -errno;
  const std::lock_guard lock(entries_mutex);
  const auto entry = entry_of(address, length);
  if (entry == entries.end()) return -EINVAL;
  if (entry->second.device != file.st_dev || entry->second.inode != file.st_ino) return -EINVAL;
  if (length == 0) return 0;
  if (entry->second.guarded.damaged) return -EIO;  // what was stored to a lost page is nowhere
  if (entry->second.sync_mapping) {
    write_back(reinterpret_cast<const void*>(address), length);
    return entry->second.guarded.damaged ? -EIO : 0;
  }
  const uint64_t first = page_down(address, page_size());
  const uint64_t end = page_up(address + length, page_size());
  return static_cast<int>(
      sys::call(SYS_msync, static_cast<long>(first), static_cast<long>(end - first), MS_SYNC));
}

void region_load(uint64_t address, void* to, uint64_t length) {
  const std::lock_guard lock(entries_mutex);
  const auto entry = entry_of(address, length);
  if (entry == entries.end()) refuse(EFAULT, "read", "range is not inside one mapping");
  check_access(entry->second, address, length, PROT_READ, "read");
  const void* mapped = reinterpret_cast<const void*>(address);
  copy_bytes(to, mapped, mapped, length);
  if (entry->second.guarded.damaged)
    refuse(EIO, "read", "the file lost this page while it was mapped; map it anew");
}

void region_store(uint64_t address, const void* from, uint64_t length) {
  const std::lock_guard lock(entries_mutex);
  const auto entry = entry_of(address, length);
  if (entry == entries.end()) refuse(EFAULT, "write", "range is not inside one mapping");
  check_access(entry->second, address, length, PROT_WRITE, "write");
  void* mapped = reinterpret_cast<void*>(address);
  copy_bytes(mapped, from, mapped, length);
  if (entry->second.guarded.damaged)
    refuse(EIO, "write", "the file lost this page while it was mapped; map it anew");
}

View::View(int fd, uint64_t start, uint64_t size, std::string path, uint64_t unit, bool strict)
    : size_(size), path_(std::move(path)) {
  // Private and writable: whatever JavaScript writes stays in this process, and cannot fault. A device-dax
  // knows no private mappings, and none of parts of its units.
  const bool shared = unit != 0;
  const uint64_t first = shared ? page_down(start, unit) : start;
  const uint64_t length = shared ? page_up(start + size, unit) - first : size;
  const long got = shared
                       ? sys::mmap(0, length, PROT_READ, MAP_SHARED, fd, first)
                       : sys::mmap(0, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, first);
  if (sys::failed(got)) refuse(static_cast<int>(-got), "mmap", path_.c_str());
  data_ = reinterpret_cast<uint8_t*>(got) + (start - first);
  guarded_.begin = static_cast<uint64_t>(got);
  guarded_.end = guarded_.begin + page_up(length, page_size());
  guarded_.path = path_.c_str();
  guarded_.file_start = first;
  guarded_.lenient = !strict;
  guard(&guarded_);
}

View::~View() {
  unguard(&guarded_);
  sys::munmap(guarded_.begin, guarded_.end - guarded_.begin);
}

}  // namespace insitu
