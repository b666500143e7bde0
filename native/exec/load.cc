#include "exec/load.h"

#include <errno.h>

#include "exec/pages.h"
#include "plan.h"
#include "sys.h"

namespace insitu {
namespace {

constexpr uint64_t kMaxAlign = 1 << 30;

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
  plan_image(image, StorageRules{target.source.start, target.granule, target.private_mappings}, copy, page,
             plan);
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
