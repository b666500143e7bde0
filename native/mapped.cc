#include "mapped.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

#include "library.h"

namespace insitu {
namespace {

struct Mapped {
  uint64_t begin, end, offset;
  bool executable;
};

/// The mappings of one file. A path as well as its numbers: inodes repeat from one tmpfs to the next, and on
/// some file systems (overlayfs, btrfs) /proc/pid/maps has another device than stat(2).
struct MappedFile {
  std::string path;
  dev_t device = 0;
  uint64_t inode = 0;
  std::vector<Mapped> mappings;

  bool is(const struct stat& file, const std::string& name) const {
    return inode == file.st_ino && (device == file.st_dev || path == name);
  }
};

/// In the order of their addresses; anonymous memory is left out.
std::vector<MappedFile> read_maps(int pid) {
  char path[64], line[4608];
  snprintf(path, sizeof path, "/proc/%d/maps", pid);
  std::vector<MappedFile> files;
  FILE* file = fopen(path, "re");
  if (file == nullptr) return files;
  while (fgets(line, sizeof line, file) != nullptr) {
    unsigned long begin, end, offset, inode;
    unsigned major, minor;
    char protection[8], name[4097] = {};
    if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %4096[^\n]", &begin, &end, protection, &offset, &major,
               &minor, &inode, name) < 7 ||
        inode == 0)
      continue;
    const dev_t device = makedev(major, minor);
    const auto same = std::find_if(files.begin(), files.end(), [&](const MappedFile& known) {
      return known.inode == inode && known.device == device && known.path == name;
    });
    MappedFile& found = same != files.end() ? *same : files.emplace_back(MappedFile{name, device, inode, {}});
    found.mappings.push_back(Mapped{begin, end, offset, strchr(protection, 'x') != nullptr});
  }
  fclose(file);
  return files;
}

/// The auxiliary vector that the kernel, or insitu-exec, has given the program (getauxval(3)); 0 where it has
/// no such entry.
std::map<uint64_t, uint64_t> read_auxiliary(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/auxv", pid);
  std::map<uint64_t, uint64_t> values;
  FILE* file = fopen(path, "re");
  if (file == nullptr) return values;
  for (uint64_t pair[2]; fread(pair, sizeof pair, 1, file) == 1 && pair[0] != 0;) values[pair[0]] = pair[1];
  fclose(file);
  return values;
}

std::string link_of(int pid, const char* name) {
  char path[64], target[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  const ssize_t length = readlink(path, target, sizeof target);
  return length > 0 ? std::string(target, static_cast<size_t>(length)) : std::string();
}

/// Whether the first bytes of the image's lowest read-only segment lie in memory where the bias says: an
/// image that was copied has no mapping of its file to tell it by.
bool lies_at(int pid, const Source& source, const Image& image, uint64_t bias) {
  constexpr uint64_t kBytes = 256;
  for (uint32_t i = 0; i < image.segment_count; i++) {
    const Segment& s = image.segments[i];
    if ((s.flags & PF_W) || s.file_size == 0) continue;
    const uint64_t count = std::min(s.file_size, kBytes);
    uint8_t stored[kBytes], present[kBytes];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", pid);
    const int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0) return false;
    const ssize_t got = pread(memory, present, count, static_cast<off_t>(bias + s.vaddr));
    close(memory);
    return got == static_cast<ssize_t>(count) && source.read(s.offset, stored, count) &&
           memcmp(stored, present, count) == 0;
  }
  return false;
}

/// The bias that most of the file's mappings agree on: where a mapping holds the first byte of a segment, it
/// says where the segment's link-time address went. False = none holds any.
bool bias_by_mappings(const MappedFile& file, const Image& image, uint64_t start, uint64_t& bias) {
  std::map<uint64_t, int> votes;
  for (const Mapped& m : file.mappings)
    for (uint32_t i = 0; i < image.segment_count; i++) {
      const Segment& s = image.segments[i];
      const uint64_t first = start + s.offset;
      if (s.file_size == 0 || first < m.offset || first - m.offset >= m.end - m.begin) continue;
      // Two segments may share a page of the file; the one that is text is mapped as such.
      votes[m.begin + (first - m.offset) - s.vaddr] += (s.flags & PF_X) != 0 && m.executable ? 2 : 1;
    }
  const auto best = std::max_element(votes.begin(), votes.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (best == votes.end()) return false;
  bias = best->first;
  return true;
}

/// An image of a file that is opened for the census alone.
class OpenedImage {
 public:
  OpenedImage(int pid, const MappedFile& file) {
    // By the mapping itself, where the kernel lets us (CAP_CHECKPOINT_RESTORE): the name may be another
    // file's by now.
    char path[96];
    const Mapped& first = file.mappings.front();
    snprintf(path, sizeof path, "/proc/%d/map_files/%lx-%lx", pid, first.begin, first.end);
    fd_ = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd_ < 0) fd_ = open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    Failure failure;
    if (fd_ < 0 || fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode) || !file.is(status, file.path))
      return;
    source_ = Source{fd_, 0, static_cast<uint64_t>(status.st_size), nullptr};
    readable_ = read_image(source_, page_size(), image_, failure);
  }
  ~OpenedImage() {
    if (fd_ >= 0) close(fd_);
  }
  OpenedImage(const OpenedImage&) = delete;
  OpenedImage& operator=(const OpenedImage&) = delete;

  bool readable() const { return readable_; }
  const Image& image() const { return image_; }
  const Source& source() const { return source_; }

 private:
  int fd_ = -1;
  bool readable_ = false;
  Source source_;
  Image image_;
};

/// By the kernel's own word where the program's headers lie (AT_PHDR), checked; else by its mappings.
bool find_watched(int pid, const WatchedProgram& watched, const std::vector<MappedFile>& files,
                  const std::map<uint64_t, uint64_t>& auxiliary, uint64_t& bias) {
  if (!watched.is_image()) return false;
  const Image& image = watched.image();
  const auto headers = auxiliary.find(AT_PHDR);
  if (image.phdr_vaddr != 0 && headers != auxiliary.end()) {
    bias = headers->second - image.phdr_vaddr;
    if (lies_at(pid, watched.source(), image, bias)) return true;
  }
  for (const MappedFile& file : files)
    if (file.is(watched.status(), watched.path()) &&
        bias_by_mappings(file, image, watched.source().start, bias) &&
        lies_at(pid, watched.source(), image, bias))
      return true;
  return false;
}

bool is_executed(const MappedFile& file) {
  return std::any_of(file.mappings.begin(), file.mappings.end(),
                     [](const Mapped& m) { return m.executable; });
}

/// Adds a file that is mapped executable, if it is not among the images yet.
void add_mapped(int pid, const MappedFile& file, std::vector<MappedImage>& images) {
  const auto same = [&](const MappedImage& known) { return known.path == file.path; };
  if (!is_executed(file) || std::any_of(images.begin(), images.end(), same)) return;
  const OpenedImage opened(pid, file);
  MappedImage image{file.path, 0, {}};
  if (opened.readable() && bias_by_mappings(file, opened.image(), 0, image.bias))
    image.ranges = take_census(pid, opened.image(), image.bias);
  images.push_back(std::move(image));
}

/// The interpreter by its bias (AT_BASE): from its mappings, or where it was copied and has none.
void add_interpreter(int pid, const std::string& path, uint64_t bias, const std::vector<MappedFile>& files,
                     std::vector<MappedImage>& images) {
  for (const MappedFile& file : files)
    for (const Mapped& m : file.mappings)
      if (m.begin <= bias && bias < m.end) return add_mapped(pid, file, images);
  struct stat status;
  if (bias == 0 || stat(path.c_str(), &status) != 0) return;
  const OpenedImage opened(pid, MappedFile{path, status.st_dev, status.st_ino, {Mapped{}}});
  if (opened.readable() && lies_at(pid, opened.source(), opened.image(), bias))
    images.push_back(MappedImage{path, bias, take_census(pid, opened.image(), bias)});
}

}  // namespace

WatchedProgram::WatchedProgram(const std::string& file, uint64_t start) {
  if (file.empty()) return;
  try {
    file_ = std::make_unique<StoredFile>(file.c_str(), false);
    const StorageFacts& facts = file_->facts();
    if (start >= facts.size) return;
    source_ = Source{file_->fd(), start, facts.size - start, nullptr};
    if (facts.medium == Medium::devdax) {  // has no read(2)
      view_ = std::make_unique<SourceView>(source_.fd, start, source_.size, facts.granule);
      source_.view = view_->bytes();
    }
  } catch (const LoadFailure&) {
    return;  // starting it will say why
  }
  char resolved[PATH_MAX];
  path_ = realpath(file.c_str(), resolved) != nullptr ? resolved : file;
  fstat(source_.fd, &status_);
  Failure failure;
  is_image_ = read_image(source_, page_size(), image_, failure);
}

ProcessImages images_of(int pid, const WatchedProgram& watched) {
  ProcessImages found;
  found.executable = link_of(pid, "exe");
  const std::vector<MappedFile> files = read_maps(pid);
  const std::map<uint64_t, uint64_t> auxiliary = read_auxiliary(pid);
  uint64_t bias = 0;
  if (find_watched(pid, watched, files, auxiliary, bias)) {
    found.is_watched = true;
    found.images.push_back(MappedImage{watched.path(), bias, take_census(pid, watched.image(), bias)});
    const auto base = auxiliary.find(AT_BASE);
    if (watched.image().has_interp && base != auxiliary.end())
      add_interpreter(pid, watched.image().interp, base->second, files, found.images);
  } else {
    for (const MappedFile& file : files)
      if (file.path == found.executable) add_mapped(pid, file, found.images);
  }
  for (const MappedFile& file : files)
    if (!found.is_watched || !file.is(watched.status(), watched.path())) add_mapped(pid, file, found.images);
  return found;
}

}  // namespace insitu
