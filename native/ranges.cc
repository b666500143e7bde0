#include "ranges.h"

#include <algorithm>

#include "library.h"

namespace insitu {
namespace {

/// RELRO comes first in its segment; it may reach over .bss, and what it does not reach ends at the last
/// whole page.
void add_writable(const Segment& s, const Image& image, uint64_t page, std::vector<ImageRange>& ranges) {
  const auto add = [&](RangeKind kind, uint64_t begin, uint64_t end) {
    if (end > begin) ranges.push_back(ImageRange{kind, begin, end});
  };
  const uint64_t begin = page_down(s.vaddr, page), end = page_up(s.end(), page);
  const uint64_t stored_end = s.file_size == 0 ? begin : page_up(s.file_end(), page);
  const uint64_t relro_begin = page_down(image.relro.vaddr, page);
  uint64_t split = begin;
  if (image.relro && relro_begin >= begin && relro_begin < end)
    split = std::clamp(page_down(image.relro.vaddr + image.relro.size, page), begin, end);
  add(RangeKind::relro, begin, split);
  add(RangeKind::data, split, std::max(split, stored_end));
  add(RangeKind::bss, std::max(split, stored_end), end);
}

}  // namespace

std::vector<ImageRange> ranges_of(const Image& image, uint64_t page) {
  std::vector<ImageRange> ranges;
  for (uint32_t i = 0; i < image.segment_count; i++) {
    const Segment& s = image.segments[i];
    if (s.flags & PF_W) {
      add_writable(s, image, page, ranges);
      continue;
    }
    const RangeKind kind = s.flags & PF_X ? RangeKind::text : RangeKind::rodata;
    if (s.mem_size != 0) ranges.push_back(ImageRange{kind, page_down(s.vaddr, page), page_up(s.end(), page)});
  }
  return ranges;
}

std::vector<RangeCensus> take_census(int pid, const Image& image, uint64_t bias) {
  std::vector<RangeCensus> taken;
  for (const ImageRange& range : ranges_of(image, page_size())) {
    const uint64_t address = bias + range.vaddr, length = range.end - range.vaddr;
    taken.push_back(RangeCensus{range.kind, address, length, take_census(pid, address, length)});
  }
  return taken;
}

}  // namespace insitu
