// From planned segments to mapped memory: reserve an address range, put each segment where it belongs, and
// only at the end, after relocation, make text executable. In-place and copy-load differ in one function
// each.
#pragma once
#include "elf.h"

namespace insitu {

/// How a segment was meant to be backed (plan.h decides).
enum class Placement : uint32_t {
  in_place = 0,  // MAP_SHARED of the file: the stored page itself
  cow = 1,       // MAP_PRIVATE of the file: the stored page until the first write
  zero = 2,      // anonymous, zero-filled (.bss)
  copied = 3,    // read into anonymous memory
};

/// Why a segment has its placement.
enum class Reason : uint32_t {
  none = 0,
  read_only = 1,
  writable = 2,
  zero_fill = 3,
  asked = 4,                // copied: a copy-load was asked for
  read_only_zero_fill = 5,  // copied: longer than its file bytes, and never to be written
  no_private_mappings = 6,  // copied: device-dax has none
  granule_mismatch = 7,     // copied: address and file offset differ modulo the unit of mapping
  granule_shared = 8,       // copied: another segment lies in the same unit of mapping
  read_only_shared = 9,     // in place; text and other read-only data share a unit, which is executable
};

struct PlannedSegment {
  uint64_t file_offset = 0, file_size = 0;  // in the image
  uint64_t vaddr = 0, mem_size = 0;
  uint32_t prot = 0;  // PROT_*, as it shall be once the image is published
  Placement placement = Placement::in_place;
  Reason reason = Reason::none;
  uint32_t index = 0;  // of its program header
};

struct Plan {
  /// Each segment is one of these or, where others share its first or last unit of mapping, up to three.
  PlannedSegment segments[3 * kMaxSegments];
  uint32_t count = 0;
  uint64_t lo = 0, hi = 0;
  uint64_t start = 0;  // of the image in its file, bytes
  /// bias = congruence (mod alignment); alignment is a power of two and at least a page.
  uint64_t alignment = 0, congruence = 0;
  uint64_t page = 0;  // bytes
  /// What the backing's mappings must be a multiple of: a page, or 2 MiB for device-dax.
  uint64_t granule = 0;
};

/// Base and bias as in elf.h; the reservation is what has to be unmapped in the end.
struct Mapping {
  uint64_t base = 0, bias = 0, size = 0;
  uint64_t reservation = 0, reserved = 0;
  uint64_t bytes_in_place = 0, bytes_copied = 0;

  uint8_t* at(uint64_t vaddr) const { return reinterpret_cast<uint8_t*>(bias + vaddr); }
};

/// Refuses a plan that is unaligned, overlapping, outside [lo, hi) or writable and executable.
[[nodiscard]] bool check_plan(const Plan& plan, Failure& failure);

/// Reserves [lo, hi) with no access. `fixed` = at the link-time addresses themselves (ET_EXEC).
[[nodiscard]] bool reserve(const Plan& plan, bool fixed, Mapping& mapping, Failure& failure);

/// Maps or copies every segment into the reservation, writable where planned, nothing executable yet.
[[nodiscard]] bool place_segments(const Source& source, const Plan& plan, Mapping& mapping, Failure& failure);

/// Gives copied and zero-filled segments their planned protection without PROT_EXEC (those of the file have
/// it already).
[[nodiscard]] bool seal_copies(const Plan& plan, const Mapping& mapping, Failure& failure);

/// The one place where code becomes executable.
[[nodiscard]] bool publish_text(const Plan& plan, const Mapping& mapping, Failure& failure);

[[nodiscard]] bool protect_relro(const Image& image, uint64_t page, const Mapping& mapping, Failure& failure);

void release(Mapping& mapping);

}  // namespace insitu
