// Where an image's bytes are read from before it is mapped. A file has read(2); device-dax has not, and what
// is looked at there is looked at through a mapping.
#pragma once
#include "elf.h"

namespace insitu {

/// A read-only view of bytes of a device-dax node; empty for a file. Unmapped with the object, after which
/// Sources made with it must not be read from any more.
class SourceView {
 public:
  SourceView() = default;
  /// `unit` is the device's unit of mapping in bytes. Throws LoadFailure.
  SourceView(int fd, uint64_t start, uint64_t size, uint64_t unit);
  ~SourceView();
  SourceView(const SourceView&) = delete;
  SourceView& operator=(const SourceView&) = delete;

  /// The first byte; null where read(2) is to be used.
  const uint8_t* bytes() const { return bytes_; }

 private:
  uint64_t address_ = 0, length_ = 0;
  const uint8_t* bytes_ = nullptr;
};

/// Bytes from `start` to the end that an image has, whose size the caller may not know (kToTheEnd). Throws
/// LoadFailure when they do not begin at a page, or not lie in a file of `file_size` bytes.
constexpr uint64_t kToTheEnd = ~uint64_t{0};
uint64_t image_size(uint64_t file_size, uint64_t start, uint64_t wanted);

}  // namespace insitu
