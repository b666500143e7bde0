// How an input is to be loaded is part of the input: it stands in the seven bytes of e_ident that no reader
// looks at (gABI chapter 4, EI_PAD), so that mutation and minimization keep it and a crash file says all
// about its run.
#pragma once
#include <cstddef>
#include <cstdint>

namespace insitu::fuzz {

constexpr size_t kKnobsAt = 9;
constexpr size_t kKnobsSize = 7;

/// When the file is cut short underneath.
enum class Cut : uint8_t { never, before_read, before_place, before_apply };

struct Knobs {
  bool copy = false;           // every segment copied
  bool no_private = false;     // the storage has no private mappings (device-dax)
  bool fixed = false;          // ET_EXEC at its own addresses
  bool behind_a_page = false;  // the image starts one page into its file
  bool viewed = false;         // headers are read from memory (device-dax), not with pread(2)
  bool huge_granule = false;   // mapped in units of 2 MiB
  bool head_read = false;      // the first page was read before
  bool closely = false;        // protections are looked up in /proc/self/maps (else in one run of 64)
  Cut cut = Cut::never;
  uint8_t kept = 0;                                  // cut to this many 256ths
  uint8_t edit = 0, edit_field = 0, edit_value = 0;  // 0 or 1 + index of a planned segment to be damaged
  uint8_t edit_delta = 0;

  static Knobs of(const uint8_t* data, size_t size) {
    Knobs k;
    if (size < kKnobsAt + kKnobsSize) return k;
    const uint8_t* b = data + kKnobsAt;
    k.copy = b[0] & 1;
    k.no_private = b[0] & 2;
    k.fixed = b[0] & 4;
    k.behind_a_page = b[0] & 8;
    k.viewed = b[0] & 16;
    k.huge_granule = b[0] & 32;
    k.head_read = b[0] & 64;
    k.closely = b[0] & 128;
    k.cut = static_cast<Cut>(b[1] & 3);
    k.kept = b[2];
    k.edit = b[3];
    k.edit_field = b[4];
    k.edit_value = b[5];
    k.edit_delta = b[6];
    return k;
  }
};

}  // namespace insitu::fuzz
