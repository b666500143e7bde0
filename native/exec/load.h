// One ELF image from its file to mapped memory: the program, and its interpreter by the same steps.
#pragma once
#include "exec/target.h"
#include "segments.h"

namespace insitu {

struct Loading {
  const char* name = nullptr;  // for messages
  Target target;
  Image image;
  Plan plan;
  Mapping mapping;
};

/// In place, or with Placement::copied throughout; the plan is the same but for that.
[[nodiscard]] bool make_plan(const Image& image, const Target& target, uint64_t page, bool copy, Plan& plan,
                             Failure& failure);

/// Everything but the last step: nothing is executable yet. `loading.name` is set.
[[nodiscard]] bool load(const Wanted& wanted, Loading& loading, Failure& failure);

[[nodiscard]] bool publish(const Loading& loading, Failure& failure);

}  // namespace insitu
