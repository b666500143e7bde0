#include "fuzz/planned.h"

#include "fuzz/stage.h"
#include "sys.h"

namespace insitu::fuzz {
namespace {

constexpr uint64_t kHuge = 2 << 20;

bool maps_file(const PlannedSegment& s) {
  return s.placement == Placement::in_place || s.placement == Placement::cow;
}

Span span_in(const PlannedSegment& s, uint64_t unit) {
  const uint64_t end = s.vaddr + s.mem_size;
  return {s.vaddr / unit * unit, (end / unit + (end % unit != 0)) * unit};
}

}  // namespace

void damage(const Knobs& knobs, Plan& plan) {
  if (knobs.edit == 0 || plan.count == 0) return;
  constexpr uint64_t values[] = {0,
                                 1,
                                 kPage,
                                 kPage - 1,
                                 kHuge,
                                 uint64_t{1} << 31,
                                 uint64_t{1} << 32,
                                 uint64_t{1} << 40,
                                 uint64_t{1} << 47,
                                 uint64_t{1} << 63,
                                 ~uint64_t{0},
                                 ~uint64_t{0} << 12};
  PlannedSegment& s = plan.segments[(knobs.edit - 1u) % plan.count];
  uint64_t* const numbers[] = {&s.file_offset,   &s.file_size, &s.vaddr,   &s.mem_size,
                               &plan.lo,         &plan.hi,     &plan.page, &plan.alignment,
                               &plan.congruence, &plan.granule};
  constexpr uint8_t count = sizeof numbers / sizeof numbers[0];
  const uint8_t field = knobs.edit_field % (count + 2);
  const uint64_t delta = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(knobs.edit_delta)));
  if (field == count) {
    s.prot = knobs.edit_value & 7;
  } else if (field > count) {
    s.placement = static_cast<Placement>(knobs.edit_value & 3);
  } else {
    // An odd value selector moves what is there, by bytes or by pages.
    const uint64_t base = knobs.edit_value & 1 ? *numbers[field] : values[(knobs.edit_value >> 2) % 12];
    *numbers[field] = base + delta * (knobs.edit_value & 2 ? kPage : 1);
  }
}

Span span_of(const PlannedSegment& s, const Plan& plan) {
  return span_in(s, maps_file(s) ? plan.granule : plan.page);
}

bool in_one_mapping(const PlannedSegment& a, const PlannedSegment& b) {
  return a.placement == Placement::in_place && b.placement == Placement::in_place &&
         a.vaddr - a.file_offset == b.vaddr - b.file_offset;
}

bool beside_text(const PlannedSegment& s, const Plan& plan) {
  const Span own = span_of(s, plan);
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& other = plan.segments[i];
    const Span b = span_of(other, plan);
    if ((other.prot & PROT_EXEC) && in_one_mapping(s, other) && own.begin < b.end && b.begin < own.end)
      return true;
  }
  return false;
}

void require_sound(const Plan& plan) {
  const uint64_t end = (plan.hi + plan.granule - 1) / plan.granule * plan.granule;
  for (uint32_t i = 0; i < plan.count; i++) {
    const PlannedSegment& s = plan.segments[i];
    require((s.prot & (PROT_WRITE | PROT_EXEC)) != (PROT_WRITE | PROT_EXEC), "no accepted segment is W+X");
    require(s.placement != Placement::in_place || !(s.prot & PROT_WRITE), "what is shared is not writable");
    const Span a = span_of(s, plan);
    require(a.begin < a.end && a.begin >= plan.lo && a.end <= end, "accepted segments lie in the plan");
    for (uint32_t j = 0; j < i; j++) {
      // Where the unit is larger than a page, two parts of one mapping may share a unit, but no page.
      const PlannedSegment& other = plan.segments[j];
      const bool joined = in_one_mapping(s, other);
      const Span mine = joined ? span_in(s, plan.page) : a;
      const Span b = joined ? span_in(other, plan.page) : span_of(other, plan);
      require(mine.end <= b.begin || b.end <= mine.begin, "accepted segments do not overlap");
    }
  }
}

}  // namespace insitu::fuzz
