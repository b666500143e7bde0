// insitu-exec [--copy] [--argv0 NAME] FILE[@OFFSET[+SIZE]] args…
#pragma once
#include <cstdint>

namespace insitu {

struct Options {
  bool copy = false;
  char* argv0 = nullptr;   // --argv0's NAME
  char* file = nullptr;    // as given, with @OFFSET
  uint64_t path_size = 0;  // bytes of `file` before @OFFSET
  bool has_offset = false;
  uint64_t offset = 0;  // bytes
  uint64_t size = 0;    // bytes from there on; 0 = to the end of the file
  int held = -1;        // --held's descriptor
  long index = 0;       // of FILE in argv
};

/// Answers --help and --version itself and ends the process with status 2 when the command line makes no
/// sense.
Options parse_options(long argc, char** argv);

}  // namespace insitu
