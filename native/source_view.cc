#include "source_view.h"

#include "library.h"
#include "sys.h"

namespace insitu {

SourceView::SourceView(int fd, uint64_t start, uint64_t size, uint64_t unit) {
  const uint64_t first = page_down(start, unit);
  length_ = page_up(start + size, unit) - first;
  const long got = sys::mmap(0, length_, PROT_READ, MAP_SHARED, fd, first);
  if (sys::failed(got)) {
    LoadFailure failure;
    fail_system(failure, "mmap", got) << "a view of " << size << " bytes at " << Hex{start};
    throw failure;
  }
  address_ = static_cast<uint64_t>(got);
  bytes_ = reinterpret_cast<const uint8_t*>(address_ + (start - first));
}

SourceView::~SourceView() {
  if (address_ != 0) sys::munmap(address_, length_);
}

uint64_t image_size(uint64_t file_size, uint64_t start, uint64_t wanted) {
  if (start == 0 && wanted == kToTheEnd) return file_size;
  LoadFailure failure;
  if (start % page_size() != 0) {
    fail(failure, "ERR_REFERENCE", start)
        << "offset " << Hex{start} << " is not page aligned; want a multiple of " << page_size();
    throw failure;
  }
  if (start >= file_size || (wanted != kToTheEnd && wanted > file_size - start)) {
    fail(failure, "ERR_TRUNCATED", start);
    failure.text << "has " << file_size << " bytes; want " << (wanted == kToTheEnd ? "more than " : "");
    if (wanted == kToTheEnd)
      failure.text << start;
    else
      failure.text << wanted << " from " << start << " on";
    throw failure;
  }
  return wanted == kToTheEnd ? file_size - start : wanted;
}

}  // namespace insitu
