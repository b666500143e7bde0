#include "census.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <vector>

#include "library.h"

namespace insitu {
namespace {

enum class Medium { nvm, ram };

struct PhysicalRange {
  uint64_t first, last;
  Medium medium;
};

/// Nested lines refine their parents; "System RAM" inside a dax device is memory given back to the kernel
/// (kmem).
std::vector<PhysicalRange> read_iomem() {
  std::vector<PhysicalRange> ranges;
  FILE* file = fopen("/proc/iomem", "re");
  if (file == nullptr) return ranges;
  char line[256];
  while (fgets(line, sizeof line, file) != nullptr) {
    unsigned long long first, last;
    char name[128];
    if (sscanf(line, " %llx-%llx : %127[^\n]", &first, &last, name) != 3 || last == 0) continue;
    if (strstr(name, "Persistent Memory") != nullptr || strncmp(name, "dax", 3) == 0)
      ranges.push_back({first, last, Medium::nvm});
    else if (strstr(name, "System RAM") != nullptr)
      ranges.push_back({first, last, Medium::ram});
  }
  fclose(file);
  return ranges;
}

const std::vector<PhysicalRange>& physical_ranges() {
  static const std::vector<PhysicalRange> ranges = read_iomem();
  return ranges;
}

void count_frame(uint64_t frame, Census& census) {
  const std::vector<PhysicalRange>& ranges = physical_ranges();
  if (frame == 0 || ranges.empty()) {
    census.unknown++;
    return;
  }
  const uint64_t address = frame * page_size();
  const PhysicalRange* found = nullptr;  // the last match is the innermost
  for (const PhysicalRange& range : ranges)
    if (address >= range.first && address <= range.last) found = &range;
  if (found == nullptr)
    census.other++;
  else
    (found->medium == Medium::nvm ? census.nvm : census.ram)++;
}

void count_entry(uint64_t entry, Census& census) {
  constexpr uint64_t kPresent = uint64_t{1} << 63, kSwapped = uint64_t{1} << 62, kOfFile = uint64_t{1} << 61;
  constexpr uint64_t kFrame = (uint64_t{1} << 55) - 1;
  if (entry & kSwapped) census.swapped++;
  if (!(entry & kPresent)) return;
  census.present++;
  if (!(entry & kOfFile)) census.anonymous++;
  count_frame(entry & kFrame, census);
}

}  // namespace

Census take_census(int pid, uint64_t address, uint64_t length) {
  Census census;
  census.pages = length / page_size();
  char path[64];
  if (pid == 0)
    strcpy(path, "/proc/self/pagemap");
  else
    snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    census.readable = false;
    return census;
  }
  uint64_t entries[512];
  for (uint64_t done = 0; done < census.pages;) {
    const uint64_t count = census.pages - done < 512 ? census.pages - done : 512;
    const ssize_t got = pread(fd, entries, count * 8, static_cast<off_t>((address / page_size() + done) * 8));
    if (got <= 0) break;
    for (ssize_t i = 0; i < got / 8; i++) count_entry(entries[i], census);
    done += static_cast<uint64_t>(got / 8);
  }
  close(fd);
  return census;
}

}  // namespace insitu
