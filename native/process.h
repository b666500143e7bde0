// Starting programs: by the kernel alone (execve in this very process), supervised for a report, or timed.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "mapped.h"

namespace insitu {

struct Command {
  std::string path;
  std::vector<std::string> arguments;    // argv, [0] included
  std::vector<std::string> environment;  // "NAME=value"; none: this process's own
  int held =
      -1;  // a descriptor of insitu's own for the runner (--held), which closes it; others do not get it
};

/// Replaces this process (execve(2)). What Node changes is put back first: signals, descriptors that it made
/// non-blocking or close-on-exec, arguments that are no UTF-8. Returns -errno when it fails.
int replace_process(const Command& command);

struct ProcessOutcome {
  int wait_status = 0;  // wait(2)
  uint64_t elapsed_ns = 0;
  uint64_t minor_faults = 0, major_faults = 0;
  ProcessImages images;        // at the program's end
  uint64_t private_bytes = 0;  // anonymous memory at the end (smaps_rollup)
  bool traced = false;         // images and private_bytes could be looked up
};

/// Starts the program and waits for it; terminal signals reach it through its process group, others sent to
/// this process are passed on. What it has mapped is counted when it ends, the image at byte `start` of
/// `file` first, unless that is empty. `quiet` gives it /dev/null for the three standard descriptors. Throws
/// LoadFailure.
ProcessOutcome supervise(const Command& command, const std::string& file, uint64_t start, bool quiet);

/// The same with nothing but a clock around it (vfork, execve, wait4).
ProcessOutcome time_process(const Command& command);

}  // namespace insitu
