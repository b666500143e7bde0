// What a stopped process has mapped: its program, its interpreter and its libraries, each with the census of
// its ranges. Read from /proc/pid while the memory still stands.
#pragma once
#include <sys/stat.h>

#include <memory>
#include <string>
#include <vector>

#include "ranges.h"
#include "source_view.h"
#include "stored.h"

namespace insitu {

/// An image by its file. Empty `ranges`: mapped, but not to be read as ELF any more (replaced while it was
/// mapped).
struct MappedImage {
  std::string path;
  uint64_t bias = 0;
  std::vector<RangeCensus> ranges;
};

/// Opened before the program starts, so that a file which is replaced meanwhile is still the one that was
/// started.
class WatchedProgram {
 public:
  /// The image starts at byte `start`. An empty path watches nothing; is_image() is false of what is no ELF
  /// file (a script).
  WatchedProgram(const std::string& file, uint64_t start);
  WatchedProgram(const WatchedProgram&) = delete;
  WatchedProgram& operator=(const WatchedProgram&) = delete;

  bool is_watched() const { return file_ != nullptr; }
  bool is_image() const { return is_image_; }
  /// As realpath(3) had it when it was opened.
  const std::string& path() const { return path_; }
  const struct stat& status() const { return status_; }
  const Source& source() const { return source_; }
  const Image& image() const { return image_; }

 private:
  std::unique_ptr<StoredFile> file_;
  std::unique_ptr<SourceView> view_;
  struct stat status_ = {};
  std::string path_;
  Source source_;
  Image image_;
  bool is_image_ = false;
};

struct ProcessImages {
  std::vector<MappedImage> images;  // the program first, then its interpreter and libraries
  std::string executable;           // /proc/pid/exe
  bool is_watched = false;          // images[0] is the watched program; else what the process had become
};

/// `pid` is stopped, and traced by the caller.
ProcessImages images_of(int pid, const WatchedProgram& watched);

}  // namespace insitu
