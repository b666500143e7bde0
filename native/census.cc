#include "census.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <optional>
#include <vector>

#include "library.h"

namespace insitu {
namespace {

enum class Where { nvm, ram, other };

struct PhysicalRange {
  uint64_t first, last;
  Where where;
};

bool begins(const char* name, const char* with) { return strncmp(name, with, strlen(with)) == 0; }

/// What a line of /proc/iomem says of its range; false = nothing that refines what encloses it. Persistent
/// Memory is an NVDIMM or, "(legacy)", what memmap= set aside; a namespace that no such line encloses is
/// virtio-pmem's. A dax device in Soft Reserved memory (hmem, CXL) is directly addressable, and volatile.
/// "System RAM" inside of any is memory given back to the kernel (kmem).
bool meaning_of(const char* name, bool soft_reserved, Where& where) {
  const bool is_dax = begins(name, "dax") || begins(name, "namespace") || begins(name, "pfn");
  if (strstr(name, "System RAM") != nullptr)
    where = Where::ram;
  else if (begins(name, "Persistent Memory") || (is_dax && !soft_reserved))
    where = Where::nvm;
  else if (begins(name, "Soft Reserved") || is_dax)
    where = Where::other;
  else
    return false;
  return true;
}

/// Nested lines refine their parents.
std::vector<PhysicalRange> read_iomem() {
  std::vector<PhysicalRange> ranges;
  FILE* file = fopen("/proc/iomem", "re");
  if (file == nullptr) return ranges;
  char line[256];
  uint64_t soft_reserved_end = 0;
  while (fgets(line, sizeof line, file) != nullptr) {
    unsigned long long first, last;
    char name[128];
    Where where;
    if (sscanf(line, " %llx-%llx : %127[^\n]", &first, &last, name) != 3 || last == 0) continue;
    if (begins(name, "Soft Reserved")) soft_reserved_end = last;
    if (meaning_of(name, last <= soft_reserved_end, where)) ranges.push_back({first, last, where});
  }
  fclose(file);
  return ranges;
}

const std::vector<PhysicalRange>& physical_ranges() {
  static const std::vector<PhysicalRange> ranges = read_iomem();
  return ranges;
}

/// Where a frame lies; none where the kernel hides its number.
std::optional<Where> where_is(uint64_t frame) {
  const std::vector<PhysicalRange>& ranges = physical_ranges();
  if (frame == 0 || ranges.empty()) return std::nullopt;
  const uint64_t address = frame * page_size();
  const PhysicalRange* found = nullptr;  // the last match is the innermost
  for (const PhysicalRange& range : ranges)
    if (address >= range.first && address <= range.last) found = &range;
  return found == nullptr ? Where::other : found->where;
}

void count_entry(uint64_t entry, Census& census) {
  constexpr uint64_t kPresent = uint64_t{1} << 63, kSwapped = uint64_t{1} << 62, kOfFile = uint64_t{1} << 61;
  constexpr uint64_t kFrame = (uint64_t{1} << 55) - 1;
  if (entry & kSwapped) census.swapped++;
  if (!(entry & kPresent)) return;
  census.present++;
  const std::optional<Where> where = where_is(entry & kFrame);
  if (!where) census.unknown++;
  if (where == Where::nvm) census.nvm++;
  if (where == Where::ram) census.ram++;
  if (where == Where::other) census.other++;
  // Pages of DAX files do not have the bit on most kernels, but nothing anonymous lies in NVM.
  if (!(entry & kOfFile) && where != Where::nvm) census.anonymous++;
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
