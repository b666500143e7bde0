// The watched region: the recorder's own mapping of it, a copy to compare with, and the traced program's
// mappings, which are kept read-only, so that every store to the region is trapped before it happens.
#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tracee.h"

namespace order {

constexpr uint64_t kLine = 64;

struct Change {
  uint64_t at;
  uint64_t size;
};

class Region {
 public:
  /// The first `length` bytes of a file or device-dax node; 0 is all of a file.
  Region(const char* path, uint64_t length);
  Region(const Region&) = delete;

  /// Writes the region's bytes to a file, holes for zeros, and takes the copy to compare with.
  void save_image(const char* path);
  uint64_t length() const { return length_; }
  /// As of the last comparison.
  const uint8_t* bytes() const { return copy_.data(); }

  /// Reads anew which mappings the program has, after a call of its own has changed those in [begin, end).
  void find_mappings(const Tracee& tracee, uint64_t begin, uint64_t end);
  /// All of the program's shared writable mappings of the region: read-only, or as the program has them.
  void set_writable(Tracee& tracee, bool writable);
  bool is_writable() const { return writable_; }
  /// The offset in the region that the program has mapped at an address, which may lie behind what is
  /// watched; false if it has none there.
  bool offset_of(uint64_t address, uint64_t& offset) const;
  /// Whether [address, address + length) touches a shared mapping of the region.
  bool touches(uint64_t address, uint64_t length) const;
  /// Whether the program's descriptor is the region.
  bool is_descriptor(const Tracee& tracee, int fd) const;

  /// What has changed since the last comparison, no further than `reach` from an address in the program's
  /// mappings.
  std::vector<Change> changes_near(const Tracee& tracee, uint64_t address, uint64_t reach);
  std::vector<Change> all_changes();

 private:
  bool is_region(const Mapped& line) const;
  void compare(const uint8_t* bytes, uint64_t at, uint64_t size, std::vector<Change>& found);
  class View;
  std::string path_;
  struct stat file_ = {};
  uint64_t length_ = 0;
  int fd_ = -1;
  std::vector<uint8_t> copy_;
  std::vector<Mapped> mapped_;
  bool writable_ = true;
};

/// Which cache lines hold stores that are not known to be durable.
class PendingLines {
 public:
  void store(uint64_t at, uint64_t size, bool nontemporal);
  void write_back(uint64_t line);
  void fence();
  void durable(uint64_t at, uint64_t size);
  bool any() const { return !lines_.empty(); }
  bool has(uint64_t line) const { return lines_.count(line) != 0; }

 private:
  std::unordered_map<uint64_t, bool> lines_;  // line -> written back since its last store
};

}  // namespace order
