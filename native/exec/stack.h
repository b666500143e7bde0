// The initial process stack (psABI "Initial Stack and Register State"): argc, argv, envp, auxv, strings. The
// kernel has built one for the runner; the program gets the same one with the runner's own words taken out.
#pragma once
#include <elf.h>

#include <cstddef>
#include <cstdint>

#include "exec/options.h"

namespace insitu {

struct InitialStack {
  uint64_t* words = nullptr;  // argc is the first
  long argc = 0;
  char** argv = nullptr;
  char** envp = nullptr;
  Elf64_auxv_t* auxv = nullptr;
  size_t auxv_count = 0;  // with AT_NULL

  uint64_t* auxiliary(uint64_t type) const;  // the value, or null
};

InitialStack read_stack(uint64_t* words);

/// The strings the program will see; FILE without its @OFFSET.
struct Names {
  char* path = nullptr;
  char* argv0 = nullptr;
};

/// Moves argv[0]'s string next to those of the arguments: /proc/self/cmdline is one range of bytes.
Names arrange_names(const InitialStack& stack, const Options& options);

/// What the kernel says of the started image in auxv.
struct ImageFacts {
  uint64_t phdr = 0, phnum = 0, entry = 0, base = 0;  // addresses; base = bias of the interpreter, or 0
};

/// Takes the runner's arguments out, in place; the new stack pointer is result.words.
InitialStack rewrite_stack(const InitialStack& stack, const Options& options, const Names& names,
                           const ImageFacts& facts);

}  // namespace insitu
