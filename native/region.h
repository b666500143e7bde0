// The NVM interface on regions (the 2012 "NVM Mapping API" proposal): map, unmap, protect and sync, each
// address known and checked, so that nothing here can unmap or reprotect memory that insitu did not map.
#pragma once
#include <cstdint>

#include "library.h"

namespace insitu {

/// Instructions that write a cache line back, best first.
enum class WriteBack { clwb, clflushopt, clflush, dc_cvap, none };
WriteBack best_write_back();
const char* write_back_name(WriteBack kind);
/// Writes the lines of [address, address + size) back and waits until they are durable.
void write_back(const void* address, uint64_t size);

/// What region_map gave.
struct RegionMapping {
  uint64_t address = 0, length = 0;
  bool sync_mapping = false;  // MAP_SYNC: stores need only a cache write-back to be durable
};

/// Throws EINVAL (alignment, length 0), ENODEV (not mappable), EACCES (writable and executable, or not
/// allowed by the descriptor). `prot` is PROT_*; `alignment` is the backing's unit of mapping in bytes.
RegionMapping region_map(int fd, uint64_t start, uint64_t length, int prot, uint64_t alignment,
                         const char* path);
/// EINVAL unless `address` is what region_map gave.
void region_unmap(uint64_t address);
/// EINVAL unless page aligned and inside one mapping; EACCES for writable and executable.
void region_protect(uint64_t address, uint64_t length, int prot);
/// 0 or -errno; -EINVAL also where the mapping is not one of the file that `fd` is.
int region_sync(int fd, uint64_t address, uint64_t length);
/// Copy between a mapping and DRAM. EFAULT outside a mapping, EACCES where the pages' protection forbids it,
/// EIO where the file has lost the page. Eight bytes at a multiple of eight are one load or store, never
/// torn.
void region_load(uint64_t address, void* to, uint64_t length);
void region_store(uint64_t address, const void* from, uint64_t length);

/// A private view of a part of a file: readable, and writable without any effect on the file, so that it can
/// be handed to JavaScript. With a `unit`, a device-dax's: read-only, writing to it is a fault. A strict
/// one's lost pages end the process, as code's do. Pages that the file loses meanwhile read as zeros and set
/// `damaged`.
class View {
 public:
  View(int fd, uint64_t start, uint64_t size, std::string path, uint64_t unit, bool strict);
  ~View();
  View(const View&) = delete;
  uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
  std::string path_;
  GuardedRange guarded_;
};

}  // namespace insitu
