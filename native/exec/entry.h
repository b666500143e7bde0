// Where the kernel hands over to us, and we to the program.
#pragma once
#include <cstdint>

namespace insitu {

/// Never returns: sets the stack pointer, clears every other register as execve(2) does, and jumps.
[[noreturn]] void enter(uint64_t* stack, uint64_t address);

/// The runner's stored image once mapped: ELF header, text and constants.
struct OwnImage {
  uint64_t start, size;
};
OwnImage own_image();

}  // namespace insitu
