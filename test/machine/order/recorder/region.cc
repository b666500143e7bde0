#include "region.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>

namespace order {
namespace {

constexpr uint64_t kPage = 4096, kHugePage = 2 << 20;

bool all_zero(const uint8_t* bytes, uint64_t size) {
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

}  // namespace

/// All of the region, mapped for the moment.
class Region::View {
 public:
  explicit View(const Region& region) {
    // A device-dax node is mapped in multiples of its alignment: 2 MiB at the most (1 GiB is not for tests).
    const uint64_t unit = S_ISCHR(region.file_.st_mode) ? kHugePage : kPage;
    size_ = (region.length_ + unit - 1) / unit * unit;
    bytes_ = mmap(nullptr, size_, PROT_READ, MAP_SHARED, region.fd_, 0);
    if (bytes_ == MAP_FAILED) give_up("%s: mmap: %s", region.path_.c_str(), strerror(errno));
  }
  ~View() { munmap(bytes_, size_); }
  View(const View&) = delete;
  const uint8_t* bytes() const { return static_cast<const uint8_t*>(bytes_); }

 private:
  uint64_t size_ = 0;
  void* bytes_ = nullptr;
};

Region::Region(const char* path, uint64_t length) : length_(length) {
  char* const real = realpath(path, nullptr);
  if (real == nullptr || stat(path, &file_) != 0) give_up("%s: %s", path, strerror(errno));
  path_ = real;
  free(real);
  if (S_ISREG(file_.st_mode) && length_ == 0) length_ = static_cast<uint64_t>(file_.st_size);
  if (length_ == 0 || length_ % kPage != 0)
    give_up("%s: length is %llu; want whole pages", path, (unsigned long long)length_);
  if (S_ISREG(file_.st_mode) && static_cast<uint64_t>(file_.st_size) < length_)
    give_up("%s: file is shorter than what shall be watched of it", path);
  fd_ = open(path, O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) give_up("%s: %s", path, strerror(errno));
}

void Region::save_image(const char* path) {
  const View view(*this);
  copy_.assign(view.bytes(), view.bytes() + length_);
  const int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  if (fd < 0 || ftruncate(fd, static_cast<off_t>(length_)) != 0) give_up("%s: %s", path, strerror(errno));
  for (uint64_t at = 0; at < length_; at += kPage)
    if (!all_zero(&copy_[at], kPage) && pwrite(fd, &copy_[at], kPage, static_cast<off_t>(at)) != kPage)
      give_up("%s: %s", path, strerror(errno));
  close(fd);
}

bool Region::is_region(const Mapped& line) const {
  if (!line.shared) return false;  // what is stored to a private mapping never reaches the region
  // An overlay shows other device numbers in maps than in stat; there the path tells.
  const bool same_inode = line.inode == file_.st_ino && line.device_major == major(file_.st_dev) &&
                          line.device_minor == minor(file_.st_dev);
  return same_inode || line.path == path_;
}

void Region::find_mappings(const Tracee& tracee, uint64_t begin, uint64_t end) {
  std::vector<Mapped> found;
  for (Mapped& line : tracee.mappings()) {
    if (!is_region(line)) continue;
    const bool its_own_doing = line.begin < end && begin < line.end;
    // Shown read-only, and yet the program's protection is writable where the recorder has taken that away.
    for (const Mapped& known : mapped_)
      if (!writable_ && !its_own_doing && line.begin >= known.begin && line.end <= known.end)
        line.writable = known.writable;
    found.push_back(line);
  }
  mapped_ = found;
}

void Region::set_writable(Tracee& tracee, bool writable) {
  for (const Mapped& line : mapped_) {
    if (!line.writable) continue;
    const int prot = PROT_READ | (writable ? PROT_WRITE : 0);
    const long got =
        tracee.call(SYS_mprotect, line.begin, line.end - line.begin, static_cast<uint64_t>(prot));
    if (got != 0) give_up("mprotect in the program: %s", strerror(static_cast<int>(-got)));
  }
  writable_ = writable;
}

bool Region::offset_of(uint64_t address, uint64_t& offset) const {
  for (const Mapped& line : mapped_)
    if (address >= line.begin && address < line.end) {
      offset = line.offset + (address - line.begin);
      return true;
    }
  return false;
}

bool Region::touches(uint64_t address, uint64_t length) const {
  for (const Mapped& line : mapped_)
    if (address < line.end && line.begin < address + length) return true;
  return false;
}

bool Region::is_descriptor(const Tracee& tracee, int fd) const {
  struct stat other;
  const std::string link = "/proc/" + std::to_string(tracee.pid()) + "/fd/" + std::to_string(fd);
  return stat(link.c_str(), &other) == 0 && other.st_dev == file_.st_dev && other.st_ino == file_.st_ino;
}

void Region::compare(const uint8_t* bytes, uint64_t at, uint64_t size, std::vector<Change>& found) {
  if (memcmp(bytes, &copy_[at], size) == 0) return;
  for (uint64_t i = 0; i < size; i++) {
    if (bytes[i] == copy_[at + i]) continue;
    if (found.empty() || found.back().at + found.back().size != at + i) found.push_back(Change{at + i, 0});
    found.back().size++;
    copy_[at + i] = bytes[i];
  }
}

std::vector<Change> Region::changes_near(const Tracee& tracee, uint64_t address, uint64_t reach) {
  std::vector<Change> found;
  for (const Mapped& line : mapped_) {
    if (address < line.begin || address >= line.end) continue;
    const uint64_t first = std::max(line.begin, address > reach ? address - reach : 0);
    const uint64_t at = line.offset + (first - line.begin);
    if (at >= length_) break;
    const uint64_t size = std::min({line.end - first, address - first + reach, length_ - at});
    std::vector<uint8_t> bytes(size);
    if (tracee.read(first, bytes.data(), size) != size) give_up("the program's mapping can't be read");
    compare(bytes.data(), at, size, found);
    break;
  }
  return found;
}

std::vector<Change> Region::all_changes() {
  const View view(*this);
  std::vector<Change> found;
  for (uint64_t at = 0; at < length_; at += kPage) compare(view.bytes() + at, at, kPage, found);
  return found;
}

void PendingLines::store(uint64_t at, uint64_t size, bool nontemporal) {
  for (uint64_t line = at / kLine; line <= (at + size - 1) / kLine; line++) lines_[line] = nontemporal;
}

void PendingLines::write_back(uint64_t line) {
  const auto found = lines_.find(line);
  if (found != lines_.end()) found->second = true;
}

void PendingLines::fence() {
  std::erase_if(lines_, [](const auto& line) { return line.second; });
}

void PendingLines::durable(uint64_t at, uint64_t size) {
  std::erase_if(lines_, [&](const auto& line) {
    return line.first * kLine >= at && (line.first + 1) * kLine <= at + size;
  });
}

}  // namespace order
