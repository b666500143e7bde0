#include "exec/load.h"

#include <errno.h>

#include "exec/pages.h"
#include "sys.h"

namespace insitu {
namespace {

constexpr uint64_t kHugePage = 2 << 20;
constexpr uint64_t kMaxAlign = 1 << 30;

uint32_t prot_of(uint32_t flags) {
  return (flags & PF_R ? PROT_READ : 0) | (flags & PF_W ? PROT_WRITE : 0) | (flags & PF_X ? PROT_EXEC : 0);
}

/// A mapping of the file takes whole granules, and no other segment may lie in them.
bool fits_granules(const Image& image, uint32_t index, const Target& target, uint64_t page) {
  const uint64_t granule = target.granule;
  if (granule == page) return true;  // read_image has seen to it
  const Segment& s = image.segments[index];
  if (target.source.start % granule != 0 || (s.vaddr - s.offset) % granule != 0) return false;
  if (index > 0 && page_up(image.segments[index - 1].end(), page) > page_down(s.vaddr, granule)) return false;
  return index + 1 == image.segment_count ||
         page_down(image.segments[index + 1].vaddr, page) >= page_up(s.end(), granule);
}

void add(Plan& plan, const PlannedSegment& segment) { plan.segments[plan.count++] = segment; }

/// Copy-on-write where the file has bytes, and anonymous memory from the first whole page of .bss on.
void add_writable(const Segment& s, uint64_t page, Plan& plan) {
  if (s.file_size == 0)
    return add(plan, PlannedSegment{s.offset, 0, s.vaddr, s.mem_size, prot_of(s.flags), Placement::zero});
  const uint64_t stored = page_up(s.file_end(), page);
  add(plan, PlannedSegment{s.offset, s.file_size, s.vaddr, s.file_size, prot_of(s.flags), Placement::cow});
  if (s.end() > stored)
    add(plan, PlannedSegment{0, 0, stored, s.end() - stored, prot_of(s.flags), Placement::zero});
}

void plan_segment(const Image& image, uint32_t index, const Target& target, bool copy, Plan& plan) {
  const Segment& s = image.segments[index];
  const bool in_place = !copy && fits_granules(image, index, target, plan.page);
  if (in_place && (s.flags & PF_W) && target.private_mappings) return add_writable(s, plan.page, plan);
  // Read-only .bss cannot be cleared in place: the rest of its page in the file need not be zero.
  const bool whole = !(s.flags & PF_W) && s.file_size == s.mem_size;
  add(plan, PlannedSegment{s.offset, s.file_size, s.vaddr, s.mem_size, prot_of(s.flags),
                           in_place && whole ? Placement::in_place : Placement::copied});
}

/// Text of a huge page and more shall be mappable by huge pages, which needs its address and its place in the
/// file to be the same modulo 2 MiB; where p_align wants something else, p_align wins.
void choose_place(const Image& image, const Target& target, Plan& plan) {
  plan.alignment = image.max_align > target.granule ? image.max_align : target.granule;
  if (image.type == ET_EXEC) plan.alignment = target.granule;
  for (uint32_t i = 0; i < image.segment_count && plan.alignment < kHugePage; i++) {
    const Segment& s = image.segments[i];
    const uint64_t congruence = (target.source.start + s.offset - s.vaddr) & (kHugePage - 1);
    if (!(s.flags & PF_X) || s.file_size < kHugePage || congruence % plan.alignment != 0) continue;
    plan.alignment = kHugePage;
    plan.congruence = congruence;
  }
}

bool check_runnable(const Image& image, Failure& failure) {
  const Segment* entry = image.segment_at(image.entry, 1);
  if (entry == nullptr || !(entry->flags & PF_X))
    return fail(failure, "ERR_HEADER", 24)
           << "e_entry " << Hex{image.entry} << " is in no executable segment; want a program";
  if (image.max_align > kMaxAlign)
    return fail(failure, "ERR_SEGMENT", image.phoff)
           << "has a p_align of " << Hex{image.max_align} << "; want at most " << Hex{kMaxAlign};
  return true;
}

/// The slack of an aligned reservation is given back: the program shall find its address space as execve
/// leaves it.
void trim(const Plan& plan, Mapping& mapping) {
  const uint64_t first = mapping.bias + page_down(plan.lo, plan.granule);
  const uint64_t end = mapping.bias + page_up(plan.hi, plan.granule);
  const uint64_t reserved_end = mapping.reservation + mapping.reserved;
  if (first > mapping.reservation) sys::munmap(mapping.reservation, first - mapping.reservation);
  if (reserved_end > end) sys::munmap(end, reserved_end - end);
  mapping.reservation = first;
  mapping.reserved = end - first;
}

/// Adds what the errors of mmap(2) and mprotect(2) mean here.
bool explain(const Target& target, Failure& failure) {
  if (failure.system_error == ENODEV) failure.text << "; want a file that can be mapped, or --copy";
  if (failure.system_error == EEXIST) failure.text << "; want a program whose addresses are free, or a PIE";
  if ((failure.system_error == EACCES || failure.system_error == EPERM) && is_noexec(target.fd))
    failure.text << ": file system is mounted noexec; want one that programs may be started from";
  return false;
}

}  // namespace

bool make_plan(const Image& image, const Target& target, uint64_t page, bool copy, Plan& plan,
               Failure& failure) {
  plan.page = page;
  plan.granule = target.granule;
  plan.lo = page_down(image.lo, target.granule);
  plan.hi = image.hi;
  for (uint32_t i = 0; i < image.segment_count; i++) plan_segment(image, i, target, copy, plan);
  choose_place(image, target, plan);
  return check_plan(plan, failure);
}

bool load(const Wanted& wanted, Loading& loading, Failure& failure) {
  Target& target = loading.target;
  if (!open_target(wanted, target, failure)) return false;
  if (!read_image(target.source, wanted.page, loading.image, failure)) return false;
  if (!check_runnable(loading.image, failure)) return false;
  if (!make_plan(loading.image, target, wanted.page, wanted.copy, loading.plan, failure)) return false;
  if (!reserve(loading.plan, loading.image.type == ET_EXEC, loading.mapping, failure))
    return explain(target, failure);
  trim(loading.plan, loading.mapping);
  watch_file(wanted.path, loading.name, target.status, target.source.start, loading.plan, loading.mapping);
  if (!place_segments(target.source, loading.plan, loading.mapping, failure) ||
      !seal_copies(loading.plan, loading.mapping, failure))
    return explain(target, failure);
  return true;
}

bool publish(const Loading& loading, Failure& failure) {
  return publish_text(loading.plan, loading.mapping, failure) || explain(loading.target, failure);
}

}  // namespace insitu
