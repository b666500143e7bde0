// Damaged plans, and what is to hold of a plan that check_plan accepts all the same.
#pragma once
#include "fuzz/knobs.h"
#include "segments.h"

namespace insitu::fuzz {

/// Overwrites one number of the plan, as the knobs say.
void damage(const Knobs& knobs, Plan& plan);

/// The addresses that a segment takes, by the words of segments.h; not by the code of segments.cc.
struct Span {
  uint64_t begin, end;
};
Span span_of(const PlannedSegment& segment, const Plan& plan);

/// Read-only segments that lie in memory as they lie in the file.
bool in_one_mapping(const PlannedSegment& a, const PlannedSegment& b);

/// Whether text shares a unit of mapping with this read-only segment, whose part of it is executable then.
bool beside_text(const PlannedSegment& segment, const Plan& plan);

/// Aborts unless an accepted plan is one that can be mapped without overlap, inside, and never W+X.
void require_sound(const Plan& plan);

}  // namespace insitu::fuzz
