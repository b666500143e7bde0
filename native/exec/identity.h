// What other processes see of the program: its name, command line, and /proc/PID/exe. All of it is best
// effort, since a program runs without; exe needs a capability (prctl(2), PR_SET_MM_EXE_FILE).
#pragma once
#include "exec/load.h"
#include "exec/stack.h"

namespace insitu {

/// `exe` = the file is the program, so /proc/self/exe shall lead to it. `stack` is the program's.
void take_identity(const Loading& program, const InitialStack& stack, const Names& names, bool exe);

}  // namespace insitu
