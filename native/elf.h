// ELF64 as stored: read and validated before anything of it is mapped (System V gABI chapters 4 and 5; psABI
// x86-64 and AArch64). Every number that later steps use has been checked here, so they need not be
// hostile-proof.
//
// A PT_LOAD segment [p_vaddr, p_vaddr + p_memsz) is mapped from page_down(p_offset). The reservation starts
// at `lo`, the page start of the lowest p_vaddr, and
//     bias = base - lo,   address in memory = bias + vaddr.
// Worked: PT_LOADs at vaddr 0x0 and 0x2e10 (offset 0x1e10), reservation at 0x7f0000000000: lo = 0, bias =
// 0x7f0000000000; the second one maps file page 0x1000 at 0x7f0000002000 and its first byte is at +0x2e10.
#pragma once
#include <elf.h>

#include "failure.h"

namespace insitu {

constexpr uint32_t kMaxSegments = 32;
constexpr uint32_t kMaxProgramHeaders = 512;
constexpr uint64_t kAddressLimit = uint64_t{1} << 47;  // user space with four-level page tables

#if defined(__x86_64__)
constexpr uint16_t kHostMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kHostMachine = EM_AARCH64;
#endif

/// The stored bytes of one image: `size` bytes from `start` of a file, or of memory when `view` is set
/// (device-dax has no read(2)). `start` is page aligned so that its pages can be mapped.
struct Source {
  int fd = -1;
  uint64_t start = 0;
  uint64_t size = 0;
  const uint8_t* view = nullptr;
  /// Its first bytes, read already: headers and small tables cost no further system call.
  const uint8_t* head = nullptr;
  uint64_t head_size = 0;

  /// False when the bytes do not lie inside the image or could not be read.
  bool read(uint64_t offset, void* to, uint64_t count) const;
};

struct Segment {
  uint32_t index = 0;  // in the program header table
  uint32_t flags = 0;  // PF_R | PF_W | PF_X
  uint64_t offset = 0, file_size = 0, vaddr = 0, mem_size = 0, align = 0;

  uint64_t end() const { return vaddr + mem_size; }
  uint64_t file_end() const { return vaddr + file_size; }
  bool holds(uint64_t address, uint64_t size) const {
    return address >= vaddr && size <= mem_size && address - vaddr <= mem_size - size;
  }
  bool stores(uint64_t address, uint64_t size) const {
    return address >= vaddr && size <= file_size && address - vaddr <= file_size - size;
  }
};

/// A range of link-time addresses; size 0 = absent.
struct Range {
  uint64_t vaddr = 0, size = 0;
  explicit operator bool() const { return size != 0; }
};

struct TlsTemplate {
  uint64_t vaddr = 0, file_size = 0, mem_size = 0, align = 1;
  explicit operator bool() const { return mem_size != 0; }
};

struct Image {
  uint16_t type = 0, machine = 0, phnum = 0;
  uint64_t entry = 0, phoff = 0;
  uint64_t phdr_vaddr = 0;  // where the program headers lie once mapped; 0 = in no PT_LOAD
  Segment segments[kMaxSegments];
  uint32_t segment_count = 0;
  uint64_t lo = 0, hi = 0;  // page-rounded
  uint64_t max_align = 0;
  Range dynamic, relro, eh_frame_hdr;
  TlsTemplate tls;
  bool has_interp = false;
  bool executable_stack = false;
  char interp[256] = {};

  /// The PT_LOAD that holds [address, address + size), or null.
  const Segment* segment_at(uint64_t address, uint64_t size) const;
  /// As segment_at, but the bytes must come from the file.
  const Segment* stored_at(uint64_t address, uint64_t size) const;
  /// As stored_at, and readable once mapped.
  const Segment* table_at(uint64_t address, uint64_t size) const {
    const Segment* in = stored_at(address, size);
    return in != nullptr && (in->flags & PF_R) ? in : nullptr;
  }
};

inline uint64_t page_down(uint64_t value, uint64_t page) { return value & ~(page - 1); }
inline uint64_t page_up(uint64_t value, uint64_t page) { return page_down(value + page - 1, page); }

/// Reads and checks the ELF header and the program headers. `page` is the page size in bytes.
[[nodiscard]] bool read_image(const Source& source, uint64_t page, Image& image, Failure& failure);

}  // namespace insitu
