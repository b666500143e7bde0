#include "segments.h"

#include <errno.h>

#include "sys.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

namespace insitu {
namespace {

struct Pages {
  uint64_t vaddr, size;
};

/// The addresses a segment takes: whole granules where the file itself is mapped, whole pages elsewhere.
Pages pages_of(const PlannedSegment& s, const Plan& plan) {
  const bool of_file = s.placement == Placement::in_place || s.placement == Placement::cow;
  const uint64_t unit = of_file ? plan.granule : plan.page;
  const uint64_t first = page_down(s.vaddr, unit);
  return Pages{first, page_up(s.vaddr + s.mem_size, unit) - first};
}

/// Maps file pages over [pages.vaddr, + pages.size), which belong to segment `s`.
bool map_file(const Source& source, const PlannedSegment& s, const Pages& pages, const Plan& plan,
              Mapping& mapping, Failure& failure) {
  const int flags = (s.placement == Placement::in_place ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED;
  const int prot = static_cast<int>(s.prot) & ~PROT_EXEC;
  const uint64_t offset = page_down(source.start + s.file_offset, plan.granule);
  const long got = sys::mmap(mapping.bias + pages.vaddr, pages.size, prot, flags, source.fd, offset);
  if (sys::failed(got))
    return fail_system(failure, "mmap", got)
           << "segment at " << Hex{s.vaddr} << ", file offset " << Hex{offset};
  mapping.bytes_in_place += pages.size;
  // Past the file's bytes the last page is .bss and must read as zero (gABI chapter 5, Program Loading).
  // Without .bss nothing of the page is used there: leaving it alone saves copying it.
  if (s.placement == Placement::cow && s.mem_size > s.file_size) {
    const uint64_t end = s.vaddr + s.file_size;
    __builtin_memset(mapping.at(end), 0, pages.vaddr + pages.size - end);
  }
  return true;
}

/// Whether both can be parts of one mapping: they lie in memory as they lie in the file.
bool continues(const PlannedSegment& s, const PlannedSegment& other) {
  return s.placement == Placement::in_place && other.placement == Placement::in_place &&
         other.vaddr - other.file_offset == s.vaddr - s.file_offset;
}

/// Read-only segments that lie in memory as they lie in the file are one mapping until text is made
/// executable: how many from `first` on, and all of their pages.
uint32_t joined(const Plan& plan, uint32_t first, Pages& pages) {
  const PlannedSegment& s = plan.segments[first];
  pages = pages_of(s, plan);
  if (s.placement != Placement::in_place) return 1;
  uint32_t next = first + 1;
  for (; next < plan.count; next++) {
    const PlannedSegment& other = plan.segments[next];
    const Pages more = pages_of(other, plan);
    const uint64_t end = pages.vaddr + pages.size;
    if (!continues(s, other) || more.vaddr > end) break;
    if (more.vaddr + more.size > end) pages.size = more.vaddr + more.size - pages.vaddr;
  }
  return next - first;
}

bool open_for_writing(const Pages& pages, const Mapping& mapping, Failure& failure) {
  const long got = sys::mprotect(mapping.bias + pages.vaddr, pages.size, PROT_READ | PROT_WRITE);
  if (sys::failed(got)) return fail_system(failure, "mprotect", got) << "segment at " << Hex{pages.vaddr};
  return true;
}

bool copy_file(const Source& source, const PlannedSegment& s, const Pages& pages, Mapping& mapping,
               Failure& failure) {
  if (!open_for_writing(pages, mapping, failure)) return false;
  if (!source.read(s.file_offset, mapping.at(s.vaddr), s.file_size))
    return fail(failure, "ERR_CHANGED", s.file_offset)
           << "file ended while " << s.file_size << " bytes of the segment at " << Hex{s.file_offset}
           << " were read; want a file that does not shrink while it is loaded";
  mapping.bytes_copied += s.file_size;
  return true;
}

bool place(const Source& source, const PlannedSegment& s, const Pages& pages, const Plan& plan,
           Mapping& mapping, Failure& failure) {
  switch (s.placement) {
    case Placement::in_place:
    case Placement::cow:
      return map_file(source, s, pages, plan, mapping, failure);
    case Placement::copied:
      return copy_file(source, s, pages, mapping, failure);
    case Placement::zero:
      return open_for_writing(pages, mapping, failure);
  }
  return false;
}

bool check_segment(const PlannedSegment& s, const Plan& plan, Failure& failure) {
  if ((s.prot & PROT_WRITE) && (s.prot & PROT_EXEC))
    return fail(failure, "ERR_WX", s.file_offset)
           << "planned segment at " << Hex{s.vaddr} << " is writable and executable; want one or the other";
  if (s.mem_size == 0 || s.file_size > s.mem_size || s.vaddr < plan.lo || s.mem_size > plan.hi - plan.lo ||
      s.vaddr > plan.hi - s.mem_size)
    return fail(failure, "ERR_PLAN", s.file_offset)
           << "planned segment " << Hex{s.vaddr} << " + " << Hex{s.mem_size} << " is outside " << Hex{plan.lo}
           << " to " << Hex{plan.hi};
  const bool of_file = s.placement == Placement::in_place || s.placement == Placement::cow;
  if (of_file && (s.vaddr - s.file_offset - plan.start) % plan.granule != 0)
    return fail(failure, "ERR_PLAN", s.file_offset)
           << "planned segment at " << Hex{s.vaddr} << " has file offset " << Hex{s.file_offset}
           << "; want them congruent modulo " << Hex{plan.granule};
  if (of_file && page_up(s.vaddr + s.mem_size, plan.page) > page_up(s.vaddr + s.file_size, plan.page))
    return fail(failure, "ERR_PLAN", s.file_offset)
           << "planned segment at " << Hex{s.vaddr} << " has " << Hex{s.mem_size} << " bytes mapped of "
           << Hex{s.file_size} << " in the file; want no page without file bytes";
  if (s.placement == Placement::in_place && (s.prot & PROT_WRITE))
    return fail(failure, "ERR_PLAN", s.file_offset)
           << "planned segment at " << Hex{s.vaddr} << " is writable and in place; want copy-on-write";
  if (s.placement == Placement::cow && !(s.prot & PROT_WRITE))
    return fail(failure, "ERR_PLAN", s.file_offset)
           << "planned segment at " << Hex{s.vaddr} << " is copy-on-write and not writable";
  return true;
}

}  // namespace

bool check_plan(const Plan& plan, Failure& failure) {
  const uint64_t page = plan.page;
  const auto power = [](uint64_t v) { return v != 0 && (v & (v - 1)) == 0; };
  if (!power(page) || !power(plan.granule) || plan.granule < page || !power(plan.alignment) ||
      plan.alignment < page || plan.alignment > (uint64_t{1} << 30) || plan.congruence % page != 0 ||
      plan.congruence >= plan.alignment || plan.lo % page != 0 || plan.hi % page != 0 || plan.hi <= plan.lo ||
      plan.hi > kAddressLimit)
    return fail(failure, "ERR_PLAN", 0) << "plan " << Hex{plan.lo} << " to " << Hex{plan.hi} << " aligned to "
                                        << Hex{plan.alignment} << " is not one of whole pages";
  uint64_t taken = plan.lo, ended = plan.lo;
  for (uint32_t i = 0; i < plan.count; i++) {
    if (!check_segment(plan.segments[i], plan, failure)) return false;
    const Pages pages = pages_of(plan.segments[i], plan);
    // Two may share a unit of one mapping, but no page.
    const bool shares = i > 0 && continues(plan.segments[i - 1], plan.segments[i]) &&
                        pages.vaddr + plan.granule >= taken &&
                        page_down(plan.segments[i].vaddr, page) >= page_up(ended, page);
    if ((pages.vaddr < taken && !shares) || pages.vaddr + pages.size > page_up(plan.hi, plan.granule))
      return fail(failure, "ERR_PLAN", plan.segments[i].file_offset)
             << "planned segment at " << Hex{plan.segments[i].vaddr} << " overlaps another one";
    taken = pages.vaddr + pages.size > taken ? pages.vaddr + pages.size : taken;
    ended = plan.segments[i].vaddr + plan.segments[i].mem_size;
  }
  return true;
}

bool reserve(const Plan& plan, bool fixed, Mapping& mapping, Failure& failure) {
  const uint64_t size = page_up(plan.hi, plan.granule) - page_down(plan.lo, plan.granule);
  // Not MAP_NORESERVE: what becomes writable later shall be counted against the memory there is (overcommit).
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  // An aligned place inside a larger reservation: the slack costs address space and saves two system calls.
  const uint64_t slack = !fixed && plan.alignment > plan.page ? plan.alignment : 0;
  const uint64_t wish = fixed ? page_down(plan.lo, plan.granule) : 0;
  const long got = sys::mmap(wish, size + slack, PROT_NONE, flags | (fixed ? MAP_FIXED_NOREPLACE : 0), -1, 0);
  if (sys::failed(got))
    return fail_system(failure, "mmap", got) << "reservation of " << size + slack << " bytes of address space"
                                             << (fixed ? " at the program's fixed address" : "");
  mapping.reservation = static_cast<uint64_t>(got);
  mapping.reserved = size + slack;
  if (fixed && mapping.reservation != wish) {
    release(mapping);
    return fail_system(failure, "mmap", -EEXIST) << "address " << Hex{wish} << " of the program is taken";
  }
  uint64_t bias = fixed ? 0 : mapping.reservation - page_down(plan.lo, plan.granule);
  if (slack != 0) bias += (plan.congruence - bias) & (plan.alignment - 1);
  mapping.bias = bias;
  mapping.base = bias + plan.lo;
  mapping.size = plan.hi - plan.lo;
  return true;
}

bool place_segments(const Source& source, const Plan& plan, Mapping& mapping, Failure& failure) {
  for (uint32_t i = 0; i < plan.count;) {
    Pages pages;
    const uint32_t count = joined(plan, i, pages);
    if (!place(source, plan.segments[i], pages, plan, mapping, failure)) return false;
    i += count;
  }
  return true;
}

bool seal_copies(const Plan& plan, const Mapping& mapping, Failure& failure) {
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& s = plan.segments[i];
    const bool of_file = s.placement == Placement::in_place || s.placement == Placement::cow;
    if (of_file || (s.prot & PROT_WRITE)) continue;
    const Pages pages = pages_of(s, plan);
    const long got =
        sys::mprotect(mapping.bias + pages.vaddr, pages.size, static_cast<int>(s.prot) & ~PROT_EXEC);
    if (sys::failed(got)) return fail_system(failure, "mprotect", got) << "segment at " << Hex{s.vaddr};
  }
  return true;
}

bool publish_text(const Plan& plan, const Mapping& mapping, Failure& failure) {
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& s = plan.segments[i];
    if (!(s.prot & PROT_EXEC)) continue;
    const Pages pages = pages_of(s, plan);
#if defined(__aarch64__)
    // The caches of instructions and data are not coherent here; what was copied must be made visible.
    if (s.placement == Placement::copied)
      __builtin___clear_cache(reinterpret_cast<char*>(mapping.at(s.vaddr)),
                              reinterpret_cast<char*>(mapping.at(s.vaddr + s.mem_size)));
#endif
    const long got = sys::mprotect(mapping.bias + pages.vaddr, pages.size, static_cast<int>(s.prot));
    if (sys::failed(got))
      return fail_system(failure, "mprotect", got)
             << "text at " << Hex{s.vaddr} << " could not be made executable";
  }
  return true;
}

bool protect_relro(const Image& image, uint64_t page, const Mapping& mapping, Failure& failure) {
  if (!image.relro) return true;
  const uint64_t first = page_down(image.relro.vaddr, page);
  const uint64_t end = page_down(image.relro.vaddr + image.relro.size, page);
  if (end <= first) return true;
  const long got = sys::mprotect(mapping.bias + first, end - first, PROT_READ);
  if (sys::failed(got)) return fail_system(failure, "mprotect", got) << "RELRO at " << Hex{first};
  return true;
}

void release(Mapping& mapping) {
  if (mapping.reserved != 0) sys::munmap(mapping.reservation, mapping.reserved);
  mapping = Mapping{};
}

}  // namespace insitu
