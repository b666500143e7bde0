// What is to be mapped how: one set of rules for libraries (load.h) and programs (insitu-exec). Pure: no I/O.
#pragma once
#include "segments.h"

namespace insitu {

/// What the file's storage allows.
struct StorageRules {
  uint64_t start = 0;            // of the image in its file, bytes
  uint64_t granule = 0;          // what mappings must be a multiple of, bytes
  bool private_mappings = true;  // device-dax has none
};

/// Plans every segment: in place where the file can be mapped there, otherwise copied with the reason; with
/// `copy` everything is copied. Text of 2 MiB and more is placed congruent to its file offset modulo 2 MiB,
/// so that huge pages can map it; where p_align wants something else, p_align wins.
void plan_image(const Image& image, const StorageRules& rules, bool copy, uint64_t page, Plan& plan);

/// For people; loader/plan.ts says the same of the same number.
const char* reason_text(Reason reason);

}  // namespace insitu
