// What surrounds a run: the file, its disappearing pages, and the address space before and after.
#pragma once
#include "segments.h"

namespace insitu::fuzz {

constexpr uint64_t kPage = 4096;

/// Aborts with `text`, so that libFuzzer keeps the input.
void require(bool holds, const char* text);

/// Puts the input behind `start` bytes of 0xcc into the one memfd of this process; answers a descriptor that
/// is open for reading only, as a backing's is.
int store(const uint8_t* data, uint64_t size, uint64_t start);
void cut_file(uint64_t size);

/// From here on a page in [begin, end) that the file no longer has reads as zeros, as native/fault.cc has it;
/// not that file itself, because it ends the process at a SIGSEGV in the range, and that is what is looked
/// for here.
void guard_range(uint64_t begin, uint64_t end);
/// Pages substituted since guard_range.
uint64_t substituted();

/// Inaccessible pages around a reservation, where nothing else is: what runs over its edge faults.
class Fence {
 public:
  Fence() = default;
  ~Fence();
  void raise(const Mapping& mapping);
  Fence(const Fence&) = delete;
  Fence& operator=(const Fence&) = delete;

 private:
  uint64_t below_ = 0, above_ = 0;
};

/// [begin, begin + size) is free address space.
bool nothing_mapped(uint64_t begin, uint64_t size);

/// Calls `see(context, begin, end, prot)` for every mapping inside [begin, end); PROT_NONE ones too.
void each_mapping(uint64_t begin, uint64_t end, void* context,
                  void (*see)(void* context, uint64_t begin, uint64_t end, uint32_t prot));

/// How many mappings of the memfd this process has.
int mappings_of_file();

}  // namespace insitu::fuzz
