#include "plan.h"

#include <sys/mman.h>

namespace insitu {
namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;
constexpr uint64_t kMaxAlignment = uint64_t{1} << 30;

/// Readable always: without PROT_READ no x86-64 page can be executed either.
uint32_t prot_of(uint32_t flags) {
  return PROT_READ | (flags & PF_W ? PROT_WRITE : 0u) | (flags & PF_X ? PROT_EXEC : 0u);
}

struct Part {
  uint64_t first, end;  // vaddr
};

/// Read-only segments that lie in memory as they lie in the file can share a mapping.
bool joinable(const Segment& a, const Segment& b) {
  const auto as_stored = [](const Segment& s) { return !(s.flags & PF_W) && s.mem_size == s.file_size; };
  return as_stored(a) && as_stored(b) && a.vaddr - a.offset == b.vaddr - b.offset;
}

/// Where the unit of mapping is larger than a page, whole units are mapped: what else lies in them has to be
/// joinable. The part of a segment of which that is so; `shared` = with text or read-only data in the same
/// mapping.
Part mappable(const Image& image, uint32_t index, uint64_t granule, uint64_t page, bool& shared) {
  const Segment& s = image.segments[index];
  Part part{s.vaddr, s.end()};
  if (granule == page) return part;  // read_image has seen to it
  for (uint32_t i = 0; i < image.segment_count; i++) {
    const Segment& other = image.segments[i];
    const bool before = i < index && page_up(other.end(), page) > page_down(s.vaddr, granule);
    const bool behind = i > index && page_down(other.vaddr, page) < page_up(s.end(), granule);
    if (!before && !behind) continue;
    if (joinable(s, other))
      shared = shared || (s.flags & PF_X) != (other.flags & PF_X);
    else if (before)
      part.first = page_down(s.vaddr, granule) + granule;
    else
      part.end = page_down(s.end() - 1, granule);
  }
  return part;
}

/// Why a segment can't be mapped where it is stored.
Reason obstacle(const Image& image, uint32_t index, const StorageRules& rules, uint64_t page) {
  const Segment& s = image.segments[index];
  if (s.flags & PF_W) {
    if (!rules.private_mappings) return Reason::no_private_mappings;
  } else if (s.mem_size > s.file_size) {
    return Reason::read_only_zero_fill;  // the rest of its last page in the file need not be zero
  }
  if (rules.granule == page) return Reason::none;  // read_image has seen to it
  return (s.vaddr - s.offset - rules.start) % rules.granule != 0 ? Reason::granule_mismatch : Reason::none;
}

void plan_segment(const Image& image, uint32_t index, const StorageRules& rules, bool copy, Plan& plan) {
  const Segment& s = image.segments[index];
  const uint32_t prot = prot_of(s.flags);
  const auto add = [&](uint64_t offset, uint64_t file_size, uint64_t vaddr, uint64_t mem_size,
                       Placement placement, Reason reason) {
    plan.segments[plan.count++] =
        PlannedSegment{offset, file_size, vaddr, mem_size, prot, placement, reason, s.index};
  };
  if (s.file_size == 0) return add(s.offset, 0, s.vaddr, s.mem_size, Placement::zero, Reason::zero_fill);
  const Reason hindrance = copy ? Reason::asked : obstacle(image, index, rules, plan.page);
  if (hindrance != Reason::none)
    return add(s.offset, s.file_size, s.vaddr, s.mem_size, Placement::copied, hindrance);
  bool shared = false;
  const Part part = mappable(image, index, rules.granule, plan.page, shared);
  const auto add_part = [&](uint64_t first, uint64_t end, Placement placement, Reason reason) {
    if (first < end) add(s.offset + first - s.vaddr, end - first, first, end - first, placement, reason);
  };
  if (part.first >= part.end)
    return add(s.offset, s.file_size, s.vaddr, s.mem_size, Placement::copied, Reason::granule_shared);
  if (!(s.flags & PF_W)) {
    add_part(s.vaddr, part.first, Placement::copied, Reason::granule_shared);
    add_part(part.first, part.end, Placement::in_place,
             shared ? Reason::read_only_shared : Reason::read_only);
    return add_part(part.end, s.end(), Placement::copied, Reason::granule_shared);
  }
  if (part.first != s.vaddr || part.end != s.end())
    return add(s.offset, s.file_size, s.vaddr, s.mem_size, Placement::copied, Reason::granule_shared);
  // Copy-on-write where the file has bytes, anonymous memory from the first whole page of .bss on.
  const uint64_t stored_end = page_up(s.file_end(), plan.page);
  const uint64_t stored = s.end() < stored_end ? s.mem_size : stored_end - s.vaddr;
  add(s.offset, s.file_size, s.vaddr, stored, Placement::cow, Reason::writable);
  if (stored < s.mem_size)
    add(s.offset + stored, 0, s.vaddr + stored, s.mem_size - stored, Placement::zero, Reason::zero_fill);
}

void choose_place(const Image& image, const StorageRules& rules, Plan& plan) {
  plan.alignment = image.max_align < kMaxAlignment ? image.max_align : kMaxAlignment;
  if (plan.alignment < plan.granule || image.type == ET_EXEC) plan.alignment = plan.granule;
  for (uint32_t i = 0; i < image.segment_count && plan.alignment < kHugePage; i++) {
    const Segment& s = image.segments[i];
    const uint64_t congruence = (rules.start + s.offset - s.vaddr) & (kHugePage - 1);
    if (!(s.flags & PF_X) || s.file_size < kHugePage || congruence % plan.alignment != 0) continue;
    plan.alignment = kHugePage;
    plan.congruence = congruence;
  }
}

}  // namespace

void plan_image(const Image& image, const StorageRules& rules, bool copy, uint64_t page, Plan& plan) {
  plan.page = page;
  plan.start = rules.start;
  plan.granule = copy ? page : rules.granule;
  plan.lo = page_down(image.lo, plan.granule);
  plan.hi = image.hi;
  for (uint32_t i = 0; i < image.segment_count; i++) plan_segment(image, i, rules, copy, plan);
  choose_place(image, rules, plan);
}

const char* reason_text(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "";
    case Reason::read_only:
      return "read-only: the stored page itself";
    case Reason::writable:
      return "writable: a page is copied by the first write to it";
    case Reason::zero_fill:
      return "zero fill";
    case Reason::asked:
      return "a copy-load was asked for";
    case Reason::read_only_zero_fill:
      return "read-only and longer than its file bytes: the rest must be zero";
    case Reason::no_private_mappings:
      return "device-dax has no private mappings";
    case Reason::granule_mismatch:
      return "address and file offset differ modulo the unit of mapping";
    case Reason::granule_shared:
      return "another segment lies in the same unit of mapping";
    case Reason::read_only_shared:
      return "read-only: the stored page itself; a unit of mapping that holds text and other data is "
             "executable";
  }
  return "";
}

}  // namespace insitu
